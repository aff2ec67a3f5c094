#include <ATen/ATen.h>

#include <cmath>

#include "core/problem.h"

namespace nestgrad {
namespace {

/// The two-dimensional toy regression of Vicol, Metz and Sohl-Dickstein 2021
/// ("Unbiased gradient estimation in unrolled computation graphs with
/// persistent evolution strategies", section 5):
///
///   f(x) = sqrt(x_0^2 + 5) - sqrt(5) + sin(x_1)^2 exp(-5 x_0^2)
///          + |x_1 - 100| / 4
///
/// It is both the training and the validation loss, and training starts at x =
/// (1, 1). The hyperparameters are those of the rule: a changing learning rate.
/// Small rates help at once. Reaching x_1 = 100 takes large rates, whose
/// benefit shows late, so truncated methods do not see it.
class ToyRegression : public BilevelProblem {
 public:
  ToyRegression(const Config&, const ProblemContext& context)
      : options_(context.options) {}

  static Schema schema() {
    return Schema(
        "A function of two numbers for which the best learning rates look bad "
        "at first.");
  }

  std::vector<Hyperparameter> hyperparameters() const override { return {}; }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"x", at::ones({2}, options_)}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    const Tensor x = weights.at("x").select(-1, 0),
                 y = weights.at("x").select(-1, 1);
    return (x.square() + 5).sqrt() - std::sqrt(5.0) +
           y.sin().square() * (-5 * x.square()).exp() + 0.25 * (y - 100).abs();
  }

  bool has_train_gradient() const override { return true; }
  ParameterSet train_gradient(const ParameterSet& weights, const ParameterSet&,
                              const Draw&) const override {
    const Tensor x = weights.at("x").select(-1, 0),
                 y = weights.at("x").select(-1, 1);
    // Integers would be converted to floating-point numbers in each operator.
    const Tensor square = x.square(), bell = (-5.0 * square).exp();
    const Tensor by_x =
        x * at::sub((square + 5.0).rsqrt(), y.sin().square() * bell, 10);
    const Tensor by_y =
        at::add((2.0 * y).sin() * bell, (y - 100.0).sign(), 0.25);
    return weights.with({at::stack({by_x, by_y}, -1)});
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return train_loss(weights, hyper, draw);
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.particles = out.groups = out.gradient_by_formula = true;
    return out;
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    return {{"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()}};
  }

 private:
  at::TensorOptions options_;
};

NESTGRAD_REGISTER(ProblemRegistry, "toy_regression", ToyRegression)

}  // namespace
}  // namespace nestgrad
