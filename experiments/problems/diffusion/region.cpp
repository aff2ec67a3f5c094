#include <ATen/ATen.h>
#include <fmt/format.h>

#include "experiments/problems/diffusion/reward.h"

namespace nestgrad {
namespace {

/// Minus the square of the distance to a ball: 0 inside of it,
///
///   r(x) = -max(|x - center| - radius, 0)^2.
class Region : public Reward {
 public:
  Region(const Config& config, const SampledData& data, const Key&)
      : radius_(config.number("radius")) {
    const std::vector<double> center = config.numbers("center");
    if (static_cast<std::int64_t>(center.size()) != data.numbers()) {
      config.fail("center",
                  fmt::format("must have {} numbers, as examples have; has {}",
                              data.numbers(), center.size()));
    }
    center_ =
        at::tensor(center, at::kDouble).to(data.examples.inputs.options());
  }

  static Schema schema() {
    return Schema("Samples in a ball: minus the square of the distance to it.")
        .numbers("center", kRequired, "The middle of the ball.")
        .number("radius", 0.5, "Its radius, in units of the examples.",
                at_least(0));
  }

  Tensor of(const Tensor& samples) const override {
    // Inside, a root is taken of something that is not 0.
    const Tensor square = (samples - center_).square().sum(-1);
    const Tensor outside = square > radius_ * radius_;
    const Tensor distance =
        at::where(outside, square, at::ones_like(square)).sqrt() - radius_;
    return at::where(outside, -distance.square(), at::zeros_like(square));
  }

 private:
  double radius_;
  Tensor center_;
};

NESTGRAD_REGISTER(RewardRegistry, "region", Region)

}  // namespace
}  // namespace nestgrad
