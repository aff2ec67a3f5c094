#include <fmt/format.h>

#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"

namespace nestgrad {
namespace {

/// A transformer (Vaswani et al. 2017) with normalization before each part, as
/// in GPT-2 (Radford et al. 2019). A block is
///
///   x <- x + dropout(attention(norm(x)))
///   x <- x + dropout(W2 activation(W1 norm(x)))
///
/// and after the last block there is one more normalization and a linear layer.
/// Where the outputs are {time, ...}, each step sees only itself and earlier
/// ones (a language model). Where they are {classes}, the linear layer reads
/// the mean over time, and every step sees all, or the last step, and every
/// step sees only itself and earlier ones.
///
/// Weights start as PyTorch's embeddings, standard normal, and linear layers,
/// U(+-1/sqrt(in)); GPT-2 draws all of them with deviation 0.02. Dropout acts
/// after embedding and positions and at the end of each part, but not on the
/// weights of the attention.
class Transformer : public Sequential {
 public:
  static Schema schema() {
    Schema first =
        Schema(
            "Blocks of self-attention and a perceptron with one hidden "
            "layer, for sequences: a language model, or a classifier.")
            .integer("depth", 2, "Number of blocks.", from_to(1, 1000))
            .integer("width", 64, "Size of the vector of each step.",
                     at_least(2))
            .integer("heads", 4, "Heads of each attention; divides the width.",
                     at_least(1))
            .integer("mlp", kAbsent,
                     "Size of the hidden layers; four times the width if left "
                     "out.",
                     at_least(1))
            .choice("positions", "learned",
                    "How steps are told apart: a learned vector or sine waves "
                    "added to each, rotations in the attention, or not at "
                    "all.",
                    {"learned", "sinusoidal", "rotary", "none"})
            .choice("norm", "layer", "What normalizes the vectors.",
                    {"layer", "rms"});
    return with_activation_key(std::move(first), "gelu",
                               "The function of the hidden layers.")
        .integer("vocabulary", kAbsent,
                 "Number of different tokens in the input. A language model "
                 "knows it without.",
                 at_least(1))
        .choice("pool", "mean",
                "What a classifier reads: the mean over time or the last step.",
                {"mean", "last"})
        .setting("input_dropout", 0,
                 "Probability that a number of a step's first vector is set "
                 "to zero in training.",
                 from_below(0, 1))
        .setting("dropout", 0,
                 "The same for what each attention and each perceptron adds. "
                 "A hyperparameter \"$name\" may have one number for all of "
                 "them or (\"per\": \"position\") one for each, two per block.",
                 from_below(0, 1));
  }

  Transformer(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    const bool each_step = outputs.size() == 2 && outputs[0] == input[0];
    if (input.size() > 2 || !(each_step || outputs.size() == 1)) {
      config.fail("type",
                  fmt::format("transformer reads tokens [time] or sequences "
                              "[time, features] and gives [classes], or "
                              "numbers for each step; inputs are {} and {} "
                              "numbers are wanted",
                              to_string(input), to_string(outputs)));
    }
    const bool last = config.text("pool") == "last";
    Chain chain(input);
    Dropouts dropouts;
    add_input(chain, config, each_step, outputs, dropouts);
    for (std::int64_t i = 0; i < config.integer("depth"); ++i) {
      add_block(chain, config, /*causal=*/each_step || last, dropouts);
    }
    chain.add(norm(config));
    if (!each_step) {
      chain.add(Json{{"type", "time_pool"}, {"take", config.text("pool")}});
    }
    chain.add(Json{{"type", "linear"}, {"out", outputs.back()}});
    return chain;
  }

  static Json norm(const Config& config) {
    return Json{{"type", config.text("norm") + "_norm"}};
  }

  static void add_input(Chain& chain, const Config& config, bool each_step,
                        const Shape& outputs, Dropouts& dropouts) {
    const std::int64_t width = config.integer("width");
    if (chain.shape().size() == 2) {
      chain.add(Json{{"type", "linear"}, {"out", width}});
    } else {
      if (!each_step && !config.has("vocabulary")) {
        config.fail("vocabulary",
                    "is needed: how many different tokens the input has, "
                    "which the number of classes does not say");
      }
      const std::int64_t vocabulary = config.has("vocabulary")
                                          ? config.integer("vocabulary")
                                          : outputs.back();
      chain.add(Json{{"type", "embedding"},
                     {"vocabulary", vocabulary},
                     {"dimension", width}});
    }
    const std::string positions = config.text("positions");
    if (positions == "learned" || positions == "sinusoidal") {
      chain.add(Json{{"type", "position"}, {"vectors", positions}});
    }
    dropouts.add(chain, config.value("input_dropout"));
  }

  static void add_block(Chain& chain, const Config& config, bool causal,
                        Dropouts& dropouts) {
    const std::int64_t width = config.integer("width");
    const std::int64_t heads = config.integer("heads");
    const bool rotary = config.text("positions") == "rotary";
    if (width % heads != 0 || (rotary && width / heads % 2 != 0)) {
      config.fail("heads",
                  fmt::format("must divide the width, {}{}, but is {}", width,
                              rotary ? ", into even parts" : "", heads));
    }
    Json attention = Json::array({norm(config)});
    attention.push_back(Json{{"type", "attention"},
                             {"heads", heads},
                             {"causal", causal},
                             {"positions", rotary ? "rotary" : "none"}});
    Json perceptron = Json::array({norm(config)});
    perceptron.push_back(
        Json{{"type", "linear"},
             {"out", config.has("mlp") ? config.integer("mlp") : 4 * width}});
    perceptron.push_back(config.text("activation"));
    perceptron.push_back(Json{{"type", "linear"}, {"out", width}});
    for (Json* part : {&attention, &perceptron}) {
      dropouts.add(*part, config.value("dropout"));
      chain.add(Json{{"type", "residual"}, {"layers", *part}});
    }
  }
};

NESTGRAD_REGISTER(ModelRegistry, "transformer", Transformer)

}  // namespace
}  // namespace nestgrad
