#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"

namespace nestgrad {
namespace {

/// A language model: tokens become vectors, recurrent layers read them, and
/// after every step a linear layer says how likely each next token is.
class LstmModel : public Sequential {
 public:
  static Schema schema() {
    return Schema(
               "A recurrent language model: for every token of a sequence, "
               "what the next one may be.")
        .integer("embedding", 64, "Size of the vectors that tokens become.",
                 at_least(1))
        .integer("hidden", 128, "Size of the recurrent states.", at_least(1))
        .integer("layers", 1, "Recurrent layers.", at_least(1))
        .setting("input_dropout", 0,
                 "Probability that a number of a token's vector is set to "
                 "zero in training.",
                 from_below(0, 1))
        .setting("dropout", 0,
                 "The same for the states after each recurrent layer. A "
                 "hyperparameter \"$name\" may have one number for all of them "
                 "or (\"per\": \"position\") one for each.",
                 from_below(0, 1))
        .setting("activation_penalty", 0,
                 "Factor of the mean square of the last states, dropout "
                 "included, in the training loss.",
                 at_least(0))
        .setting("slowness_penalty", 0,
                 "Factor of the mean square of the steps of the last states in "
                 "the training loss.",
                 at_least(0));
  }

  LstmModel(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    if (input.size() != 1 || outputs.size() != 2) {
      config.fail("type",
                  fmt::format("lstm reads sequences of tokens and predicts the "
                              "next of each, but inputs are {} and {} numbers "
                              "are wanted",
                              to_string(input), to_string(outputs)));
    }
    Chain chain(input);
    chain.add(Json{{"type", "embedding"},
                   {"vocabulary", outputs[1]},
                   {"dimension", config.integer("embedding")}});
    Dropouts dropouts;
    dropouts.add(chain, config.value("input_dropout"));
    const std::int64_t count = config.integer("layers");
    for (std::int64_t i = 0; i < count; ++i) {
      const bool last = i + 1 == count;
      chain.add(Json{{"type", "lstm"},
                     {"hidden", config.integer("hidden")},
                     {"output", "all"}});
      if (last) add_penalty(chain, config, "slowness_penalty");
      dropouts.add(chain, config.value("dropout"));
      if (last) add_penalty(chain, config, "activation_penalty");
    }
    chain.add(Json{{"type", "linear"}, {"out", outputs[1]}});
    return chain;
  }

  static void add_penalty(Chain& chain, const Config& config,
                          const char* type) {
    const Json& strength = config.value(type);
    if (strength == 0) return;
    chain.add(Json{{"type", type}, {"strength", strength}});
  }
};

NESTGRAD_REGISTER(ModelRegistry, "lstm", LstmModel)

}  // namespace
}  // namespace nestgrad
