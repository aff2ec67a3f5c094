#pragma once

#include "core/problem.h"

namespace nestgrad {

/// A problem that knows its own answers. With D = diag(weight_decay),
///
///   train_loss = w'A w / 2 - b'w + c + w'D w / 2
///   valid_loss = scale |V w - t|^2 / 2
///
/// so that  w* = (A + D)^-1 b  and, per weight i,
///
///   d valid_loss(w*) / d weight_decay_i = -w*_i ((A + D)^-1 V'(V w* - t))_i
///                                         scale.
///
/// The one hyperparameter is "weight_decay", one number for all weights or one
/// per weight; the one weight tensor is "w", [d], which starts at zero.
class Quadratic : public BilevelProblem {
 public:
  struct Terms {
    Tensor a;      ///< [d, d], symmetric, positive semi-definite
    Tensor b;      ///< [d]
    double c = 0;  ///< makes the training loss readable; no influence
    Tensor v;      ///< [m, d]
    Tensor t;      ///< [m]
    double scale = 1;
    double decay = 0.1;  ///< where weight_decay starts by default
  };

  explicit Quadratic(Terms terms);

  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// The weights themselves, of which the training loss without the decay is a
  /// convex function.
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override;
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override;
  ProblemAbilities abilities() const override;

  /// The losses, and how far the weights are from the optimum, |w - w*| / |w*|.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;

  /// w*, [d].
  Tensor solution(const ParameterSet& hyper) const;

  /// d valid_loss(w*(h)) / dh, alike to `hyper`, whose units are natural.
  ParameterSet hypergradient(const ParameterSet& hyper) const;

  const Terms& terms() const { return terms_; }

 private:
  Tensor decayed(const ParameterSet& hyper) const;  // A + D

  Terms terms_;
  Tensor half_a_, minus_b_;  // so that a loss takes few operations
};

/// Ridge regression on data drawn as LibTorch's own generator draws them from
/// `seed`, in double precision and in this order: X [n, d], the true weights
/// [d], the noise of y [n], the same for validation [m].
///
///   y = X w_true + noise e,   A = X'X / n,   b = X'y / n,   scale = 1 / m
struct RidgeOptions {
  std::int64_t examples = 50;
  std::int64_t valid_examples = 30;
  std::int64_t features = 12;
  double noise = 0.5;
  std::uint64_t seed = 0;  ///< below 2^32: LibTorch ignores higher bits
};
Quadratic::Terms ridge_terms(const RidgeOptions& options,
                             const at::TensorOptions& type);

}  // namespace nestgrad
