#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/nn/batch.h"
#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Keeps the first floor(share n) of n features and sets the others to zero,
/// in training and in evaluation: the width of the layer before it as a
/// hyperparameter (Vicol, Metz and Sohl-Dickstein 2021). Features are the last
/// dimension of vectors and sequences, and the channels of images. There is no
/// derivative by the share. In evaluation a schedule stands at its start.
///
/// With `least`, every training run has a width of its own: its share is drawn
/// uniformly between the two with its initial weights. The weight "kept", [n],
/// is 1 for a feature that is kept and 0 for one that is not; it counts as what
/// it is nearer to, and has no derivative.
class Mask : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Keeps a share of the features, the first ones, and sets the "
               "others to zero.")
        .setting("share", 1, kMeaning, from_to(0, 1))
        .number("least", kAbsent,
                "With it, each training run keeps a share of its own, drawn "
                "between this one and \"share\" with its initial weights.",
                from_to(0, 1));
  }

  Mask(const Config& config, const Shape& input)
      : SameShape(input),
        axis_(input.size() == 3 ? -3 : -1),
        share_(config, "share", noise_strength(kMeaning, Coordinates::logit())),
        features_(input[input.size() == 3 ? 0 : input.size() - 1]) {
    if (!config.has("least")) return;
    if (!config.value("share").is_number()) {
      config.fail("share", "must be a number where \"least\" is given");
    }
    least_ = config.number("least");
    most_ = config.number("share");
    if (least_ > most_) {
      config.fail("least", fmt::format("must be at most \"share\", {}, is {}",
                                       most_, least_));
    }
  }

  ParameterSet initial_weights(const Key& key) const override {
    if (least_ < 0) return {};
    const double u = key.uniform(at::empty({1}, at::kDouble)).item<double>();
    const double share = least_ + u * (most_ - least_);
    const Tensor number = at::arange(features_, at::kLong);
    const double kept = std::floor(share * static_cast<double>(features_));
    return {{"kept", (number < kept).to(at::kFloat)}};
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const override {
    if (least_ >= 0) {
      const Tensor kept = along_channels(weights.tensor(0).detach(), input,
                                         axis_, weights.batch_axes());
      return input * (kept > 0.5).to(input.scalar_type());
    }
    const std::int64_t n = input.size(axis_);
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(-axis_), 1);
    sizes[0] = n;
    const Tensor number =
        at::arange(n, input.options().dtype(at::kLong)).view(sizes);
    const Tensor kept = (share_.value(input, pass) * n).floor();
    return input * (number < kept).to(input.scalar_type());
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({share_});
  }

 private:
  static constexpr const char* kMeaning = "Share of the features that is kept.";

  std::int64_t axis_;
  LayerSetting share_;
  std::int64_t features_;
  double least_ = -1, most_ = 1;  // least_ < 0: the share is not drawn
};

NESTGRAD_REGISTER(LayerRegistry, "mask", Mask)

}  // namespace
}  // namespace nestgrad
