#include <fmt/format.h>

#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"
#include "core/nn/models/norm.h"

namespace nestgrad {
namespace {

/// Residual networks (He, Zhang, Ren and Sun 2016, "Deep residual learning for
/// image recognition"). A stage is some blocks of two 3 x 3 convolutions; each
/// stage but the first begins with a stride of 2 and twice the channels. Where
/// the shape changes, the input of a block is projected by a 1 x 1 convolution
/// with normalization. Normalization and activation come after convolutions,
/// and the activation once more after each sum. With `norm` there are no biases
/// in convolutions.
///
/// Weights start like those of the layers, as in PyTorch, U(+-1/sqrt(fan_in));
/// the paper and torchvision draw normal ones.
class ResNet : public Sequential {
 public:
  static Schema schema() {
    Schema first =
        Schema(
            "A residual network: stages of residual blocks of two 3 x 3 "
            "convolutions, then the mean over the image and a linear layer.")
            .integer("depth", 20,
                     "Layers with weights: 8, 14, 20, 32, 44, ... (6 n + 2, "
                     "three stages of n blocks), or 18 or 34 (four stages).",
                     from_to(8, 1202))
            .integer("width", 16,
                     "Channels of the first stage; each further one has twice "
                     "as many. The networks of the paper have 16, and 64 for "
                     "18 and 34.",
                     at_least(1))
            .choice("stem", "small",
                    "The first layer: a 3 x 3 convolution or, for images of "
                    "100 pixels and more, a 7 x 7 convolution with stride 2 "
                    "and 3 x 3 pooling with stride 2.",
                    {"small", "large"});
    return with_augment_key(
               with_activation_key(with_norm_keys(std::move(first), "group"),
                                   "relu",
                                   "The function after every normalization "
                                   "and every sum."))
        .setting("dropout", 0,
                 "Probability that a number between the two convolutions of a "
                 "block is set to zero in training (Zagoruyko and Komodakis "
                 "2016). A hyperparameter \"$name\" may have one number for "
                 "all blocks or (\"per\": \"position\") one for each.",
                 from_below(0, 1));
  }

  ResNet(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    require_images(config, input);
    const std::vector<std::int64_t> blocks =
        blocks_of_stages(config, config.integer("depth"));
    Chain chain(input);
    add_augmentation(chain, config);
    std::int64_t channels = config.integer("width");
    add_stem(chain, config, channels);
    Dropouts dropouts;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
      if (stage > 0) channels *= 2;
      for (std::int64_t i = 0; i < blocks[stage]; ++i) {
        const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        add_block(chain, config, channels, stride, dropouts);
      }
    }
    chain.add(Json{{"type", "global_avg_pool2d"}});
    chain.add(Json{{"type", "linear"}, {"out", classes_of(config, outputs)}});
    return chain;
  }

  static std::vector<std::int64_t> blocks_of_stages(const Config& config,
                                                    std::int64_t depth) {
    if (depth == 18) return {2, 2, 2, 2};
    if (depth == 34) return {3, 4, 6, 3};
    if (depth % 6 != 2) {
      config.fail("depth", fmt::format("must be 6 n + 2 (8, 14, 20, 32, 44, "
                                       "...), 18 or 34, but is {}",
                                       depth));
    }
    return std::vector<std::int64_t>(3, (depth - 2) / 6);
  }

  static Json convolution(const Config& config, std::int64_t out,
                          std::int64_t kernel, std::int64_t stride) {
    return {{"type", "conv2d"},      {"out", out},
            {"kernel", kernel},      {"stride", stride},
            {"padding", kernel / 2}, {"bias", config.text("norm") == "none"}};
  }

  /// A convolution and what normalizes it.
  static Json normalized(const Config& config, std::int64_t out,
                         std::int64_t kernel, std::int64_t stride) {
    Json layers = norm_layers(config, out);
    layers.insert(layers.begin(), convolution(config, out, kernel, stride));
    return layers;
  }

  static void add_stem(Chain& chain, const Config& config, std::int64_t out) {
    const bool large = config.text("stem") == "large";
    for (const Json& layer :
         normalized(config, out, large ? 7 : 3, large ? 2 : 1)) {
      chain.add(layer);
    }
    add_activation(chain, config);
    if (large) {
      chain.add(Json{{"type", "max_pool2d"},
                     {"kernel", 3},
                     {"stride", 2},
                     {"padding", 1}});
    }
  }

  static void add_block(Chain& chain, const Config& config, std::int64_t out,
                        std::int64_t stride, Dropouts& dropouts) {
    Json layers = normalized(config, out, 3, stride);
    layers.push_back(config.text("activation"));
    dropouts.add(layers, config.value("dropout"));
    for (Json& layer : normalized(config, out, 3, 1)) {
      layers.push_back(std::move(layer));
    }
    const bool same = stride == 1 && chain.shape()[0] == out;
    chain.add(Json{
        {"type", "residual"},
        {"layers", layers},
        {"skip", same ? Json::array() : normalized(config, out, 1, stride)}});
    add_activation(chain, config);
  }
};

NESTGRAD_REGISTER(ModelRegistry, "resnet", ResNet)

}  // namespace
}  // namespace nestgrad
