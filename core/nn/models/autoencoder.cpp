#include <fmt/format.h>

#include <algorithm>

#include "core/nn/layers/shapes.h"
#include "core/nn/models/dense.h"

namespace nestgrad {
namespace {

/// A network whose output has the shape of its input and whose middle, the
/// code, is small (Hinton and Salakhutdinov 2006, "Reducing the dimensionality
/// of data with neural networks"). The encoder halves images by convolutions
/// with stride 2, flattens them, and ends in linear layers; the decoder is its
/// mirror image, with transposed convolutions. Code and output are linear.
/// Layers of `augment` (noise, cutout) make it a denoising autoencoder. Where
/// as many numbers are wanted as the input has, the output is flattened.
class Autoencoder : public Sequential {
 public:
  static Schema schema() {
    Schema first =
        Schema(
            "An encoder and a decoder: its output has the shape of its "
            "input, for problems in which the input is the target "
            "(\"targets\": \"inputs\").")
            .integers("channels", Json::array(),
                      "Output channels of the encoder's 3 x 3 convolutions, "
                      "each of which halves the images; [] for none.",
                      at_least(1))
            .integers("hidden", Json::array({128}),
                      "Sizes of the encoder's hidden linear layers.",
                      at_least(1))
            .integer("code", 32, "Size of the code.", at_least(1));
    return with_augment_key(
               with_activation_key(std::move(first), "relu",
                                   "The function after every layer but the "
                                   "code and the output."))
        .setting("dropout", 0,
                 "Probability that a number after a hidden linear layer is set "
                 "to zero in training. A hyperparameter \"$name\" may have one "
                 "number for all of them or (\"per\": \"position\") one for "
                 "each.",
                 from_below(0, 1));
  }

  Autoencoder(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    const bool flat = outputs == Shape{numel(input)};
    if (outputs != input && !flat) {
      config.fail("type",
                  fmt::format("autoencoder gives outputs of the shape of its "
                              "input, {}, but {} numbers are wanted",
                              to_string(input), to_string(outputs)));
    }
    Chain chain(input);
    add_augmentation(chain, config);
    std::vector<Shape> images;  // before each convolution
    for (const std::int64_t out : config.integers("channels")) {
      images.push_back(chain.shape());
      halve(chain, config, out);
    }
    const Shape middle = chain.shape();
    add_linear_layers(chain, config, numel(middle));
    if (!images.empty()) add_activation(chain, config);
    if (middle.size() > 1) {
      chain.add(Json{{"type", "reshape"}, {"shape", middle}});
    }
    for (std::size_t i = images.size(); i-- > 0;) {
      // Both an even size and the odd one before it are halved to the same.
      chain.add(Json{{"type", "conv_transpose2d"},
                     {"out", images[i][0]},
                     {"kernel", 3},
                     {"stride", 2},
                     {"padding", 1},
                     {"output_padding", 1 - images[i][1] % 2}});
      if (i > 0) add_activation(chain, config);
    }
    if (flat && input.size() > 1) chain.add(Json{{"type", "flatten"}});
    return chain;
  }

  static void halve(Chain& chain, const Config& config, std::int64_t out) {
    const Shape images = chain.shape();
    require_images(config, images);
    if (images[1] % 2 != images[2] % 2 || std::min(images[1], images[2]) < 2) {
      config.fail("channels",
                  fmt::format("cannot halve and restore images of {} x {} "
                              "pixels: both sides must be even or both odd, "
                              "and larger than 1",
                              images[1], images[2]));
    }
    chain.add(Json{{"type", "conv2d"},
                   {"out", out},
                   {"kernel", 3},
                   {"stride", 2},
                   {"padding", 1}});
    add_activation(chain, config);
  }

  /// From the flattened images to the code and back to `size` numbers.
  static void add_linear_layers(Chain& chain, const Config& config,
                                std::int64_t size) {
    const std::vector<std::int64_t> hidden = config.integers("hidden");
    Dropouts dropouts;
    const auto add_hidden = [&](std::int64_t out) {
      chain.add(Json{{"type", "linear"}, {"out", out}});
      add_activation(chain, config);
      dropouts.add(chain, config.value("dropout"));
    };
    chain.add(Json{{"type", "flatten"}});
    std::for_each(hidden.begin(), hidden.end(), add_hidden);
    chain.add(Json{{"type", "linear"}, {"out", config.integer("code")}});
    std::for_each(hidden.rbegin(), hidden.rend(), add_hidden);
    chain.add(Json{{"type", "linear"}, {"out", size}});
  }
};

NESTGRAD_REGISTER(ModelRegistry, "autoencoder", Autoencoder)

}  // namespace
}  // namespace nestgrad
