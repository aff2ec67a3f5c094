#include <fmt/format.h>

#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"
#include "core/nn/models/norm.h"

namespace nestgrad {
namespace {

/// The network of the tables of dataset distillation (Gidaris and Komodakis
/// 2018; Zhao, Mopuri and Bilen 2021, "Dataset condensation with gradient
/// matching"): blocks of a 3 x 3 convolution, instance normalization, relu and
/// 2 x 2 average pooling, all of the same width, then one linear layer. As in
/// the program of the second paper, images of 28 x 28 pixels are enlarged to 32
/// x 32 by the padding of the first convolution.
class ConvNet : public Sequential {
 public:
  static Schema schema() {
    return with_augment_key(with_norm_keys(
        Schema("The network of the tables of dataset distillation: blocks of "
               "3 x 3 convolution, normalization, relu and 2 x 2 average "
               "pooling, then one linear layer. All blocks have one width and "
               "nothing else can be chosen; cnn is the general form.")
            .integer("depth", 3, "Number of blocks.", at_least(1))
            .integer("width", 128, "Output channels of each block.",
                     at_least(1)),
        "instance"));
  }

  ConvNet(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    require_images(config, input);
    Chain chain(input);
    add_augmentation(chain, config);
    const std::int64_t width = config.integer("width");
    std::int64_t padding =
        chain.shape()[1] == 28 && chain.shape()[2] == 28 ? 3 : 1;
    for (std::int64_t i = 0; i < config.integer("depth"); ++i) {
      chain.add(Json{{"type", "conv2d"},
                     {"out", width},
                     {"kernel", 3},
                     {"padding", padding}});
      padding = 1;
      if (chain.shape()[1] < 2 || chain.shape()[2] < 2) {
        config.fail("depth",
                    fmt::format("is too large: each block halves the images, "
                                "and {} is too small for that",
                                to_string(chain.shape())));
      }
      for (const Json& norm : norm_layers(config, width)) chain.add(norm);
      chain.add(Json{{"type", "relu"}});
      chain.add(Json{{"type", "avg_pool2d"}, {"kernel", 2}});
    }
    chain.add(Json{{"type", "flatten"}});
    chain.add(Json{{"type", "linear"}, {"out", classes_of(config, outputs)}});
    return chain;
  }
};

NESTGRAD_REGISTER(ModelRegistry, "convnet", ConvNet)

}  // namespace
}  // namespace nestgrad
