#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/batch.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/operators.h"

namespace nestgrad {
namespace {

/// y = weight (x - mean) / sqrt(variance + epsilon) + bias. Subclasses say over
/// which numbers the mean and the (biased) variance are taken. weight and bias:
/// [channels], one and zero at the start.
class Normalization : public SameShape {
 public:
  ParameterSet initial_weights(const Key&) const override {
    return {{"weight", at::ones(channels_, at::kFloat)},
            {"bias", at::zeros(channels_, at::kFloat)}};
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass&) const override {
    const Tensor x = at_least_float32(input);
    // LibTorch's fused operation takes half of the time.
    if (weights.shared()) {
      return normalized(x, weights.tensor(0), weights.tensor(1));
    }
    return weights.scale_and_shift(normalized(x, {}, {}), axis_);
  }

 protected:
  /// `axis`, counted from the end, is that of the channels.
  Normalization(const Config& config, Shape shape, std::int64_t axis)
      : SameShape(shape),
        axes_(static_cast<std::int64_t>(shape.size())),
        axis_(axis),
        channels_(*(shape.end() + axis)),
        epsilon_(config.number("epsilon")) {}

  static Schema normalization_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .number("epsilon", 1e-5, "Added to the variance.", above(0));
  }

  /// y for a weight and a bias of the whole batch. An undefined weight is 1, an
  /// undefined bias 0.
  virtual Tensor normalized(const Tensor& x, const Tensor& weight,
                            const Tensor& bias) const = 0;

  std::int64_t axes_, axis_, channels_;
  double epsilon_;
};

/// Channels are the first axis of vectors and images.
std::int64_t channel_axis(const Config& config, const Shape& input) {
  if (input.size() != 1 && input.size() != 3) {
    refuse_input(config,
                 "vectors [channels] or images [channels, height, width]",
                 input);
  }
  return -static_cast<std::int64_t>(input.size());
}

/// One mean for each channel, over the examples of the batch and the pixels.
/// Each particle has its own.
///
/// Training and evaluation both use the statistics of their batch: running
/// averages would be state, which a pure function cannot have. So the output
/// for an example depends on the other examples of its batch, and a batch of
/// one vector gives the bias.
class BatchNorm : public Normalization {
 public:
  static Schema schema() {
    return normalization_schema(
        "Normalizes each channel by its mean and variance in the batch. There "
        "are no running averages: evaluation uses its own batch.");
  }

  BatchNorm(const Config& config, const Shape& input)
      : Normalization(config, input, channel_axis(config, input)) {}

  bool separates_examples() const override { return false; }

  Tensor normalized(const Tensor& x, const Tensor& weight,
                    const Tensor& bias) const override {
    if (x.dim() == axes_ + 1) {
      return at::batch_norm(x, weight, bias, {}, {}, /*training=*/true,
                            /*momentum=*/0, epsilon_, /*cudnn_enabled=*/false);
    }
    // [examples, particles * channels, ...]
    const Tensor examples_first = x.movedim(0, 1);
    return normalized(examples_first.flatten(1, 2), weight, bias)
        .view(examples_first.sizes())
        .movedim(1, 0);
  }
};

/// One mean for each example and each group of neighbouring channels.
class GroupNorm : public Normalization {
 public:
  static Schema schema() {
    return normalization_schema(
               "Normalizes groups of channels of each example by their own "
               "mean and variance.")
        .integer("groups", kRequired,
                 "How many groups the channels are divided into.", at_least(1));
  }

  GroupNorm(const Config& config, const Shape& input)
      : Normalization(config, input, channel_axis(config, input)),
        groups_(config.integer("groups")) {
    if (channels_ % groups_ != 0) {
      config.fail("groups", fmt::format("must divide the number of channels, "
                                        "{}, is {}",
                                        channels_, groups_));
    }
    if (numel(input) == groups_) {
      config.fail("groups",
                  fmt::format("must leave more than one number to each group, "
                              "but the input is {} and there are {} groups",
                              to_string(input), groups_));
    }
  }

  Tensor normalized(const Tensor& x, const Tensor& weight,
                    const Tensor& bias) const override {
    return as_one_batch(x, axes_, [&](const Tensor& t) {
      return at::group_norm(t, groups_, weight, bias, epsilon_);
    });
  }

 private:
  std::int64_t groups_;
};

/// One mean for each example and channel, over the pixels.
class InstanceNorm : public Normalization {
 public:
  static Schema schema() {
    return normalization_schema(
        "Normalizes each channel of each image by its own mean and variance.");
  }

  InstanceNorm(const Config& config, const Shape& input)
      : Normalization(config, input, channel_axis(config, input)) {
    if (numel(input) == channels_) {
      refuse_input(config, "images of more than one pixel", input);
    }
  }

  Tensor normalized(const Tensor& x, const Tensor& weight,
                    const Tensor& bias) const override {
    return as_one_batch(x, axes_, [&](const Tensor& t) {
      // On a CPU faster than at::instance_norm().
      return at::group_norm(t, channels_, weight, bias, epsilon_);
    });
  }
};

/// One mean for each vector, over its features.
class LayerNorm : public Normalization {
 public:
  static Schema schema() {
    return normalization_schema(
        "Normalizes every vector by the mean and variance of its features.");
  }

  LayerNorm(const Config& config, const Shape& input)
      : Normalization(config, input, -1) {
    if (input.size() > 2 || channels_ < 2) {
      refuse_input(config,
                   "vectors [features] or sequences [time, features] with "
                   "more than one feature",
                   input);
    }
  }

  Tensor normalized(const Tensor& x, const Tensor& weight,
                    const Tensor& bias) const override {
    return at::layer_norm(x, channels_, weight, bias, epsilon_);
  }
};

/// y = weight x / sqrt(mean(x^2) + epsilon) along the last axis (Zhang and
/// Sennrich 2019, "Root mean square layer normalization"). weight: [features],
/// one at the start.
class RmsNorm : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Divides every vector by the root of the mean square of its "
               "features.")
        .number("epsilon", 1e-5, "Added to the mean square.", above(0));
  }

  RmsNorm(const Config& config, const Shape& input)
      : SameShape(input), epsilon_(config.number("epsilon")) {
    if (input.size() != 1 && input.size() != 2) {
      refuse_input(config, "vectors [features] or sequences [time, features]",
                   input);
    }
  }

  ParameterSet initial_weights(const Key&) const override {
    return {{"weight", at::ones(output_shape().back(), at::kFloat)}};
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass&) const override {
    const Tensor x = at_least_float32(input);
    const Tensor square = x.square().mean(-1, /*keepdim=*/true);
    return along_channels(weights.tensor(0), x, -1, weights.batch_axes()) *
           (x * (square + epsilon_).rsqrt());
  }

 private:
  double epsilon_;
};

NESTGRAD_REGISTER(LayerRegistry, "batch_norm", BatchNorm)
NESTGRAD_REGISTER(LayerRegistry, "group_norm", GroupNorm)
NESTGRAD_REGISTER(LayerRegistry, "instance_norm", InstanceNorm)
NESTGRAD_REGISTER(LayerRegistry, "layer_norm", LayerNorm)
NESTGRAD_REGISTER(LayerRegistry, "rms_norm", RmsNorm)

}  // namespace
}  // namespace nestgrad
