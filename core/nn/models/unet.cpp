#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/batch.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/model.h"
#include "core/platform/threads.h"

namespace nestgrad {
namespace {

/// From images to images (Ronneberger, Fischer and Brox 2015, "U-Net:
/// convolutional networks for biomedical image segmentation"). The way down
/// halves the size and doubles the channels `depth` times; the way up undoes
/// this, and at each size also takes the images of the way down. The weights of
/// the last convolution start at zero, and so does the output.
class UNet : public Model {
 public:
  static Schema schema() {
    return Schema(
               "U-Net, from images to images of the same size. It halves the "
               "size and doubles the channels, then goes back. Its output "
               "starts at zero.")
        .integer("depth", 1, "How many times the size is halved.",
                 from_to(1, 8))
        .integer("channels", 4, "Channels at full size.", at_least(1));
  }

  UNet(const Config& config, const Shape& input, const Shape& outputs)
      : depth_(config.integer("depth")), channels_(config.integer("channels")) {
    require_images(config, input);
    if (outputs.size() != 3 || outputs[1] != input[1] ||
        outputs[2] != input[2]) {
      config.fail("type",
                  fmt::format("unet makes images of the size of its input, {}, "
                              "but {} is wanted",
                              to_string(input), to_string(outputs)));
    }
    if (std::min(input[1], input[2]) >> depth_ == 0) {
      config.fail("depth",
                  fmt::format("halves the images too often: they are {}",
                              to_string(input)));
    }
    std::int64_t in = input[0];
    for (std::int64_t level = 0; level <= depth_; ++level) {
      add(in, channels_ << level, 3);
      in = channels_ << level;
    }
    for (std::int64_t level = depth_ - 1; level >= 0; --level) {
      add(3 * (channels_ << level), channels_ << level, 3);
    }
    add(channels_, outputs[0], 1);
  }

  ParameterSet initial_weights(const Key& key) const override {
    ParameterSet weights;
    for (std::size_t i = 0; i < convolutions_.size(); ++i) {
      const ParameterSet own = convolutions_[i]->initial_weights(key.fold(i));
      weights.append(fmt::format("{}.", i),
                     i + 1 < convolutions_.size() ? own : own.zeros());
    }
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const override {
    const Tensor batch = with_batch_axes(input, weights.particles());
    give_threads_to_convolutions(batch.numel() / batch.size(-3) * channels_);
    std::size_t next = 0;
    const auto convolved = [&](const Tensor& x) {
      const std::size_t i = next++;
      return convolutions_[i]->apply(weights.slice(2 * i, 2), x, pass);
    };
    std::vector<Tensor> down{convolved(batch).relu()};
    for (std::int64_t level = 1; level <= depth_; ++level) {
      const Tensor half = as_one_batch(
          down.back(), 3, [](const Tensor& x) { return at::avg_pool2d(x, 2); });
      down.push_back(convolved(half).relu());
    }
    Tensor x = down.back();
    for (std::int64_t level = depth_ - 1; level >= 0; --level) {
      const Tensor& beside = down[static_cast<std::size_t>(level)];
      const Tensor up = as_one_batch(x, 3, [&](const Tensor& t) {
        return at::upsample_nearest2d(t, {beside.size(-2), beside.size(-1)});
      });
      x = convolved(at::cat({beside, up}, -3)).relu();
    }
    return convolved(x);
  }

 private:
  void add(std::int64_t in, std::int64_t out, std::int64_t kernel) {
    // The weights of a convolution do not depend on the size of the images.
    const Shape any{in, kernel, kernel};
    convolutions_.push_back(
        LayerRegistry::instance().make(Json{{"type", "conv2d"},
                                            {"out", out},
                                            {"kernel", kernel},
                                            {"padding", kernel / 2}},
                                       any));
  }

  std::int64_t depth_, channels_;
  std::vector<std::shared_ptr<const Layer>>
      convolutions_;  // in the order in which they are used
};

NESTGRAD_REGISTER(ModelRegistry, "unet", UNet)

}  // namespace
}  // namespace nestgrad
