#include <ATen/ATen.h>

#include "experiments/problems/dynamics.h"

namespace nestgrad {
namespace {

/// Influence balancing (Tallec and Ollivier 2017, "Unbiasing truncated
/// backpropagation through time"; Vicol, Metz and Sohl-Dickstein 2021): a
/// linear system of n numbers with one hyperparameter theta,
///
///   s' = A s + theta (+1, ..., +1, -1, ..., -1),   L = (s_0 - 1)^2 / 2,
///
/// A has 1/2 on the diagonal and on the superdiagonal. The first p signs are
/// positive. s_0 is influenced by the near positive numbers at once and by the
/// more numerous negative ones later, so a truncated gradient has the wrong
/// sign. With n = 23, p = 10 the fixed point is s_0 = -6 theta, and theta* =
/// -1/6.
class InfluenceBalancing : public Dynamics {
 public:
  InfluenceBalancing(const Config& config, const ProblemContext& context) {
    const std::int64_t n = config.integer("numbers"),
                       positive = config.integer("positive");
    if (positive > n) {
      config.fail("positive", fmt::format("must be at most \"numbers\", {}; is "
                                          "{}",
                                          n, positive));
    }
    const at::TensorOptions options = context.options;
    a_ =
        0.5 * (at::eye(n, options) + at::ones({n, n}, options).triu(1).tril(1));
    signs_ = at::ones({n}, options);
    signs_.slice(0, positive).fill_(-1);
  }

  static Schema schema() {
    return Schema(
               "Influence balancing: a linear system whose truncated gradients "
               "have the wrong sign; theta* = -1/6.")
        .tunes("theta", kThetaMeaning)
        .integer("numbers", 23, "Number of elements of the state.", at_least(1))
        .integer("positive", 10, "Number of positive signs.", at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter theta;
    theta.name = "theta";
    theta.meaning = kThetaMeaning;
    theta.initial = at::scalar_tensor(0.5, at::kDouble);
    return {theta};
  }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{kState, at::ones_like(signs_)}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out = Dynamics::abilities();
    out.groups = true;
    return out;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return 0.5 * (weights.at(kState).select(-1, 0) - 1).square();
  }

 private:
  Tensor next(const Tensor& state, const ParameterSet& hyper,
              const Draw&) const override {
    return at::matmul(state, a_.t()) + hyper.at("theta").unsqueeze(-1) * signs_;
  }

  static constexpr const char* kThetaMeaning =
      "Added to each element, times its sign.";

  Tensor a_, signs_;
};

NESTGRAD_REGISTER(ProblemRegistry, "influence_balancing", InfluenceBalancing)

}  // namespace
}  // namespace nestgrad
