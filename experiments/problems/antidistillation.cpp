#include <ATen/ATen.h>

#include <cmath>

#include "core/problem.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

constexpr double kPi = 3.14159265358979323846;

/// More training targets than validation data (Vicol, Lorraine, Pedregosa,
/// Duvenaud and Grosse 2022, "On implicit bias in overparameterized bilevel
/// optimization"). The only validation datum is `value` at x = 0. It is
/// predicted by a linear model with the features
///
///   phi(x) = 1, cos(n x) / n, sin(n x) / n,   n = 1 ... harmonics,
///
/// The model is trained on learned targets u at fixed points x_i, evenly spaced
/// from -0.9 pi to 0.9 pi:
///
///   train_loss = |Phi w - u|^2 / 2,   valid_loss = (phi(0)'w - value)^2 / 2.
///
/// Many u predict the datum. Which one is found, and its norm, depend on the
/// approximation of the inverse Hessian. The shortest has norm `value` if 0 is
/// among the points (their number is odd).
class Antidistillation : public BilevelProblem {
 public:
  Antidistillation(const Config& config, const ProblemContext& context)
      : value_(config.number("value")) {
    const std::int64_t points = config.integer("targets");
    const std::int64_t harmonics = config.integer("harmonics");
    const auto options = at::TensorOptions().dtype(at::kDouble);
    const auto features = [&](const Tensor& x) {
      const Tensor n = at::arange(1, harmonics + 1, options);
      const Tensor nx = x.unsqueeze(1) * n;
      return at::cat({at::ones({x.numel(), 1}, options), nx.cos() / n,
                      nx.sin() / n},
                     1)
          .to(context.options);
    };
    phi_ = features(0.9 * kPi * at::linspace(-1, 1, points, options));
    phi0_ = features(at::zeros({1}, options)).squeeze(0);
  }

  static Schema schema() {
    return Schema(
               "A linear model of Fourier features, trained on learned targets "
               "to predict one datum.")
        .tunes("targets", kTargetsMeaning)
        .integer("targets", 13, "Number of learned targets.", at_least(2))
        .integer("harmonics", 30,
                 "Number of frequencies, with two features each.", at_least(1))
        .number("value", 2, "The datum at x = 0.");
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter targets;
    targets.name = "targets";
    targets.meaning = kTargetsMeaning;
    targets.initial = at::zeros({phi_.size(0)}, phi_.options());
    return {targets};
  }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"w", at::zeros({phi_.size(1)}, phi_.options())}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return output_loss(outputs(weights, hyper, draw), hyper, draw);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return 0.5 * (at::dot(phi0_, weights.at("w")) - value_).square();
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.outputs = true;
    return out;
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet&,
                 const Draw&) const override {
    return at::mv(phi_, weights.at("w"));
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw&) const override {
    const Tensor error = to_first_order(outputs) - hyper.at("targets");
    return 0.5 * at::dot(error, error);
  }

  /// Includes the two norms that distinguish the solutions.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    return {{"train_loss", train_loss(weights, hyper, Draw()).item<double>()},
            {"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()},
            {"target_norm", hyper.at("targets").norm().item<double>()},
            {"weight_norm", weights.at("w").norm().item<double>()}};
  }

 private:
  static constexpr const char* kTargetsMeaning =
      "The learned targets, from left to right.";

  double value_;
  Tensor phi_;   // [targets, 1 + 2 harmonics]
  Tensor phi0_;  // [1 + 2 harmonics], at x = 0
};

NESTGRAD_REGISTER(ProblemRegistry, "antidistillation", Antidistillation)

}  // namespace
}  // namespace nestgrad
