#include <ATen/ATen.h>

#include "experiments/problems/dynamics.h"

namespace nestgrad {
namespace {

/// Two parameters of the Lorenz system, found from a trajectory (Li et al.
/// 2023, "Noise-reuse in online evolution strategies", their first experiment).
/// The state follows Euler steps of
///
///   x' = a (y - x),  y' = x (r - z) - y,  z' = x y - b z
///
/// from a fixed start. The loss is the mean of (z - z_true)^2 over all steps
/// that a run has made, where z_true is the trajectory of a = 10, r = 28,
/// b = 8/3. The system is chaotic: true gradients over long horizons explode,
/// and are useless.
class Lorenz : public Dynamics {
 public:
  Lorenz(const Config& config, const ProblemContext& context)
      : step_(config.number("step")), options_(context.options) {
    const std::int64_t length = config.integer("length");
    std::vector<Tensor> truth;
    const Tensor a = number(10), r = number(28);
    Tensor s = start();
    for (std::int64_t t = 0; t < length; ++t) {
      truth.push_back(s[2]);
      s = moved(s, a, r);
    }
    truth.push_back(s[2]);
    truth_ = at::stack(truth);
  }

  static Schema schema() {
    return Schema(
               "Two parameters of the chaotic Lorenz system, found from a "
               "trajectory.")
        .tunes("a", kPrandtl)
        .tunes("r", kRayleigh)
        .number("step", 0.005, "Euler step, in units of time.", above(0))
        .integer("length", 2000, "Number of steps of the known trajectory.",
                 at_least(1));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter a, r;
    a.name = "a";
    a.meaning = kPrandtl;
    a.initial = at::scalar_tensor(std::exp(3.116), at::kDouble);
    r.name = "r";
    r.meaning = kRayleigh;
    r.initial = at::scalar_tensor(std::exp(3.7), at::kDouble);
    a.coordinates = r.coordinates = Coordinates::log();
    return {a, r};
  }

  /// x, y, z, the number of steps and the sum of squared errors.
  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{kState, at::cat({start(), at::zeros({2}, options_)})}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out = Dynamics::abilities();
    out.groups = out.gradient_by_formula = true;
    return out;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    const Tensor& s = weights.at(kState);
    return s.select(-1, 4) / s.select(-1, 3).clamp_min(1);
  }

 private:
  Tensor number(double value) const {
    return at::scalar_tensor(value, options_);
  }

  Tensor start() const { return at::tensor({1.2, 1.3, 1.6}, options_); }

  Tensor moved(const Tensor& s, const Tensor& a, const Tensor& r) const {
    const Tensor x = s.select(-1, 0), y = s.select(-1, 1), z = s.select(-1, 2);
    const Tensor speed =
        at::stack({a * (y - x), x * (r - z) - y, x * y - (8.0 / 3.0) * z}, -1);
    return s + step_ * speed;
  }

  Tensor next(const Tensor& state, const ParameterSet& hyper,
              const Draw& draw) const override {
    return compared(state, hyper, truth_[known(draw.step + 1)]);
  }

  Tensor next_of_groups(const Tensor& state, const ParameterSet& hyper,
                        const std::vector<Draw>& groups) const override {
    std::vector<std::int64_t> steps;
    for (const Draw& group : groups) steps.push_back(known(group.step + 1));
    const Tensor each = truth_.index_select(
        0, at::tensor(steps, at::device(truth_.device()).dtype(at::kLong)));
    return compared(
        state, hyper,
        each.unsqueeze(1).expand({-1, groups.front().particles}).reshape(-1));
  }

  /// The state after a step, where the truth is `z`.
  Tensor compared(const Tensor& state, const ParameterSet& hyper,
                  const Tensor& z) const {
    const Tensor there =
        moved(state.narrow(-1, 0, 3), hyper.at("a"), hyper.at("r"));
    const Tensor error = (there.select(-1, 2) - z).square();
    return at::cat(
        {there,
         at::stack({state.select(-1, 3) + 1, state.select(-1, 4) + error}, -1)},
        -1);
  }

  std::int64_t known(std::int64_t step) const {
    require(step < truth_.numel(),
            "the trajectory is known for {} steps; set a horizon or a larger "
            "\"length\"",
            truth_.numel() - 1);
    return step;
  }

  static constexpr const char* kPrandtl =
      "Prandtl number; the true value is 10.";
  static constexpr const char* kRayleigh =
      "Rayleigh number; the true value is 28.";

  double step_;
  at::TensorOptions options_;
  Tensor truth_;  // [length + 1], z at each step
};

NESTGRAD_REGISTER(ProblemRegistry, "lorenz", Lorenz)

}  // namespace
}  // namespace nestgrad
