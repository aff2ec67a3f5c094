#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/layers/row_wise.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = weight (x - mean) / sqrt(variance + epsilon) + bias. The kinds differ in
/// the numbers that share a mean and a (biased) variance. weight and bias:
/// [scales], one and zero at the start.
class Normalization : public RowWise {
 public:
  Shape output_shape() const override { return shape_; }

  ParameterSet initial_weights(const Key&) const override {
    return {{"weight", at::ones(scales_, at::kFloat)},
            {"bias", at::zeros(scales_, at::kFloat)}};
  }

  Tensor apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                         const Pass&) const override {
    const Tensor x = input.contiguous();
    const Tensor y = normalized(x);
    // [particles, channels], brought to the dimensions of y.
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(y.dim()), 1);
    sizes[0] = y.size(0);
    sizes[y.dim() == 4 ? 3 : 2] = scales_;
    return weights[0].reshape(sizes) * y + weights[1].reshape(sizes);
  }

 protected:
  /// y for a weight of one and no bias, for examples of particles.
  virtual Tensor normalized(const Tensor& input) const {
    return map({}, {}, input.flatten(0, 1)).view_as(input);
  }

  Normalization(const Config& config, Shape shape, std::int64_t scales)
      : scales_(scales),
        epsilon_(config.number("epsilon")),
        shape_(std::move(shape)) {}

  static Schema normalization_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .number("epsilon", 1e-5, "Added to the variance.", above(0));
  }

  std::int64_t scales_;
  double epsilon_;

 private:
  Shape shape_;
};

/// The size of the first dimension of [channels] or [channels, height, width].
std::int64_t channels_of(const Config& config, const Shape& input) {
  if (input.size() != 1 && input.size() != 3) {
    refuse_input(config,
                 "vectors [channels] or images [channels, height, width]",
                 input);
  }
  return input[0];
}

/// One mean for each channel, over the batch (and the pixels).
///
/// The statistics are those of the batch, in training and in evaluation:
/// running averages would be state, which a pure function cannot have. So what
/// an example gives depends on the batch that it is in, and a batch of one
/// vector gives the bias.
class BatchNorm : public Normalization {
 public:
  static Schema schema() {
    return normalization_schema(
        "Normalizes each channel by its mean and variance in the batch. There "
        "are no running averages: evaluation uses its own batch.");
  }

  BatchNorm(const Config& config, const Shape& input)
      : Normalization(config, input, channels_of(config, input)) {}

  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::batch_norm(input, weight, bias, {}, {},
                          /*training=*/true, /*momentum=*/0, epsilon_,
                          /*cudnn_enabled=*/false);
  }

 private:
  /// The channels of all particles beside one another.
  Tensor normalized(const Tensor& input) const override {
    const Tensor x = input.movedim(0, 1);
    return map({}, {}, x.flatten(1, 2)).view(x.sizes()).movedim(1, 0);
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
      : Normalization(config, input, channels_of(config, input)),
        groups_(config.integer("groups")) {
    if (scales_ % groups_ != 0) {
      config.fail("groups", fmt::format("must divide the number of channels, "
                                        "{}, is {}",
                                        scales_, groups_));
    }
    if (numel(input) == groups_) {
      config.fail("groups",
                  fmt::format("must leave more than one number to each group, "
                              "but the input is {} and there are {} groups",
                              to_string(input), groups_));
    }
  }

  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::group_norm(input, groups_, weight, bias, epsilon_);
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
      : Normalization(config, input, channels_of(config, input)) {
    if (numel(input) == scales_) {
      refuse_input(config, "images of more than one pixel", input);
    }
  }

  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::instance_norm(input, weight, bias, {}, {},
                             /*use_input_stats=*/true, /*momentum=*/0, epsilon_,
                             /*cudnn_enabled=*/false);
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
      : Normalization(config, input, features_of(config, input)) {}

  Tensor map(const Tensor& weight, const Tensor& bias,
             const Tensor& input) const override {
    return at::layer_norm(input, scales_, weight, bias, epsilon_);
  }

 private:
  static std::int64_t features_of(const Config& config, const Shape& input) {
    const bool fits = input.size() == 1 || input.size() == 2;
    if (!fits || input.back() < 2) {
      refuse_input(config,
                   "vectors [features] or sequences [time, features] with "
                   "more than one feature",
                   input);
    }
    return input.back();
  }
};

NESTGRAD_REGISTER(LayerRegistry, "batch_norm", BatchNorm)
NESTGRAD_REGISTER(LayerRegistry, "group_norm", GroupNorm)
NESTGRAD_REGISTER(LayerRegistry, "instance_norm", InstanceNorm)
NESTGRAD_REGISTER(LayerRegistry, "layer_norm", LayerNorm)

}  // namespace
}  // namespace nestgrad
