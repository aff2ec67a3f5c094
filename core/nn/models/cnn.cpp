#include <fmt/format.h>

#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"
#include "core/nn/models/norm.h"

namespace nestgrad {
namespace {

/// Blocks of convolution, normalization, activation and pooling, each of which
/// halves the images; then a multilayer perceptron.
class Cnn : public Sequential {
 public:
  static Schema schema() {
    return with_dense_keys(
        with_norm_keys(
            Schema("Blocks of convolution, normalization, activation and 2 x 2 "
                   "pooling, then a multilayer perceptron. Each block may have "
                   "its own number of channels; the fixed network of the "
                   "tables of dataset distillation is convnet.")
                .integers("channels", Json::array({16, 32}),
                          "Output channels of each block.", at_least(1))
                .integer("kernel", 3,
                         "Side of the kernels, in pixels; images are padded "
                         "by half of it.",
                         at_least(1)),
            "none")
            .choice("pool", "max",
                    "What is taken from every 2 x 2 pixels: the largest or "
                    "their mean.",
                    {"max", "average"})
            .setting("conv_dropout", 0,
                     "Probability that a number after the pooling of a block "
                     "is set to zero in training. If \"dropout\" names the "
                     "same hyperparameter, its first entries are used here.",
                     from_below(0, 1)),
        Json::array({64}));
  }

  Cnn(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    require_images(config, input);
    Chain chain(input);
    add_augmentation(chain, config);
    Dropouts dropouts;
    for (const std::int64_t channels : config.integers("channels")) {
      add_block(chain, config, channels);
      dropouts.add(chain, config.value("conv_dropout"));
    }
    add_dense(chain, config, outputs, dropouts);
    return chain;
  }

  static void add_block(Chain& chain, const Config& config,
                        std::int64_t channels) {
    const std::int64_t kernel = config.integer("kernel");
    chain.add(Json{{"type", "conv2d"},
                   {"out", channels},
                   {"kernel", kernel},
                   {"padding", kernel / 2}});
    if (chain.shape()[1] < 2 || chain.shape()[2] < 2) {
      config.fail("channels",
                  fmt::format("has too many blocks: each halves the images, "
                              "and {} is too small for that",
                              to_string(chain.shape())));
    }
    for (const Json& norm : norm_layers(config, channels)) chain.add(norm);
    add_activation(chain, config);
    const bool max = config.text("pool") == "max";
    chain.add(Json{{"type", max ? "max_pool2d" : "avg_pool2d"}, {"kernel", 2}});
  }
};

NESTGRAD_REGISTER(ModelRegistry, "cnn", Cnn)

}  // namespace
}  // namespace nestgrad
