#include <ATen/ATen.h>

#include <cmath>

#include "core/hyperparameter.h"
#include "core/optimizer.h"

namespace nestgrad {
namespace {

/// Gradient descent with a preconditioner for each weight tensor that is itself
/// tuned (Bae, Vicol, HaoChen and Grosse 2022, "Amortized proximal
/// optimization"). A weight tensor W and its gradient G are taken as matrices
/// of m rows and n columns:
///
///   W <- W - A (S^2 (*) (A' G B)) B'
///
/// The step is P vec(G) with P = (B (x) A) diag(vec S)^2 (B (x) A)', for A [m,
/// m], B [n, n] and S [m, n]. P is symmetric and positive semidefinite for any
/// A, B and S, block-diagonal over tensors, and needs no inverse. At the start
/// A and B are the identity and S^2 is `lr`, which gives gradient descent at
/// that rate.
///
/// `preconditioner` names the hyperparameter: one vector with the A, B and S of
/// each weight tensor in turn.
class Kronecker : public Optimizer {
 public:
  explicit Kronecker(const Config& config)
      : lr_(config.number("lr")),
        name_(Setting::read(config, "preconditioner").name()) {
    if (name_.empty()) {
      config.fail("preconditioner",
                  "must name a hyperparameter, such as \"$preconditioner\"");
    }
  }

  static Schema schema() {
    return Schema(
               "Gradient descent with a Kronecker-factored preconditioner for "
               "each weight tensor. The preconditioner is a hyperparameter.")
        .number(
            "lr", 0.01,
            "Learning rate at the start, before the preconditioner is tuned.",
            above(0))
        .setting("preconditioner", kRequired,
                 "Name of the hyperparameter, such as \"$preconditioner\".");
  }

  ParameterSet slots(const ParameterSet&) const override { return {}; }

  bool sees_tensors() const override { return true; }

  std::vector<Hyperparameter> hyperparameters(
      const ParameterSet& weights) const override {
    std::vector<Tensor> factors;
    for (const Tensor& w : weights.tensors()) {
      const auto [m, n] = matrix(w);
      const auto options = w.options().dtype(at::kDouble);
      factors.push_back(at::eye(m, options).flatten());
      factors.push_back(at::eye(n, options).flatten());
      factors.push_back(at::full({m * n}, std::sqrt(lr_), options));
    }
    Hyperparameter h;
    h.name = name_;
    h.meaning = "Factors A, B and S of the preconditioner of each tensor.";
    h.initial = at::cat(factors);
    return {h};
  }

 private:
  /// The shape of a weight tensor as a matrix.
  static std::pair<std::int64_t, std::int64_t> matrix(const Tensor& w) {
    const std::int64_t m = w.dim() == 0 ? 1 : w.size(0);
    return {m, w.numel() / m};
  }

  TrainState update(const TrainState& state, const ParameterSet& gradient,
                    const ParameterSet& natural) const override {
    const Tensor factors =
        natural.at(name_).to(gradient.tensors().front().scalar_type());
    std::int64_t first = 0;
    const auto next = [&](std::int64_t rows, std::int64_t columns) {
      first += rows * columns;
      require(first <= factors.numel(),
              "'{}' has {} numbers, fewer than these weights need", name_,
              factors.numel());
      return factors.narrow(0, first - rows * columns, rows * columns)
          .view({rows, columns});
    };
    const ParameterSet step = gradient.map([&](const Tensor& g) {
      const auto [m, n] = matrix(g);
      const Tensor a = next(m, m), b = next(n, n), s = next(m, n);
      const Tensor inner = a.t().mm(g.reshape({m, n})).mm(b);
      return a.mm(s.square() * inner).mm(b.t()).view(g.sizes());
    });
    return {state.weights - step, state.slots, state.step + 1};
  }

  double lr_;
  std::string name_;
};

NESTGRAD_REGISTER(OptimizerRegistry, "kronecker", Kronecker)

}  // namespace
}  // namespace nestgrad
