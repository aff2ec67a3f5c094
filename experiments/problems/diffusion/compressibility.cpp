#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "experiments/problems/diffusion/reward.h"

namespace nestgrad {
namespace {

/// Images that take few bytes: minus the mean absolute value of the
/// coefficients of the cosine transform of 4 x 4 blocks of pixels, without
/// those of the means. These are what JPEG stores, in blocks of 8 x 8; few
/// bytes are needed where most are zero.
class Compressibility : public Reward {
 public:
  Compressibility(const Config& config, const SampledData& data, const Key&)
      : shape_(data.shape) {
    if (shape_.size() != 3 || shape_[1] < kBlock || shape_[2] < kBlock) {
      config.fail("type", fmt::format("expects images of at least {0} x {0} "
                                      "pixels",
                                      kBlock));
    }
    // Row k of the orthogonal transform.
    const Tensor k = at::arange(kBlock, at::kDouble).unsqueeze(1),
                 n = at::arange(kBlock, at::kDouble);
    Tensor cosine =
        (k * (n + 0.5) * (M_PI / kBlock)).cos() * std::sqrt(2.0 / kBlock);
    cosine.select(0, 0).mul_(std::sqrt(0.5));
    const Tensor both =
        at::einsum("ai,bj->abij", {cosine, cosine}).flatten(0, 1).slice(0, 1);
    kernels_ = both.unsqueeze(1).to(data.examples.inputs.options());
  }

  static Schema schema() {
    return Schema("Images that compress well: small cosine coefficients.");
  }

  Tensor of(const Tensor& samples) const override {
    const Tensor pixels = samples.reshape({-1, 1, shape_[1], shape_[2]});
    const Tensor coefficients =
        at::conv2d(pixels, kernels_, {}, {kBlock, kBlock});
    return -coefficients.abs().reshape({samples.size(0), -1}).mean(-1);
  }

 private:
  static constexpr std::int64_t kBlock = 4;

  std::vector<std::int64_t> shape_;
  Tensor kernels_;  // [coefficients, 1, kBlock, kBlock]
};

NESTGRAD_REGISTER(RewardRegistry, "compressibility", Compressibility)

}  // namespace
}  // namespace nestgrad
