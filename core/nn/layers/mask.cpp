#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Keeps the first floor(share n) of n features and sets the others to zero,
/// in training and in evaluation: the width of the layer before it as a
/// hyperparameter (Vicol, Metz and Sohl-Dickstein 2021). Features are the last
/// dimension of vectors and sequences, and the channels of images. There is no
/// derivative by the share. In evaluation a schedule stands at its start.
class Mask : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Keeps a share of the features, the first ones, and sets the "
               "others to zero.")
        .setting("share", 1, kMeaning, from_to(0, 1));
  }

  Mask(const Config& config, const Shape& input)
      : SameShape(input),
        axis_(input.size() == 3 ? -3 : -1),
        share_(config, "share",
               noise_strength(kMeaning, Coordinates::logit())) {}

  Tensor apply(const Weights&, const Tensor& input,
               const Pass& pass) const override {
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
};

NESTGRAD_REGISTER(LayerRegistry, "mask", Mask)

}  // namespace
}  // namespace nestgrad
