#pragma once

#include "core/problem.h"

namespace nestgrad {

/// A problem with known solution and hypergradient. With D =
/// diag(weight_decay),
///
///   train_loss = w'A w / 2 - b'w + c + w'D w / 2
///   valid_loss = scale |V w - t|^2 / 2
///
/// so that  w* = (A + D)^-1 b  and, per weight i,
///
///   d valid_loss(w*) / d weight_decay_i = -w*_i ((A + D)^-1 V'(V w* - t))_i
///                                         scale.
///
/// The only hyperparameter is "weight_decay", one number for all weights or one
/// per weight. The only weight tensor is "w", [d], which starts at zero.
class Quadratic : public BilevelProblem {
 public:
  struct Terms {
    Tensor a;      ///< [d, d], symmetric, positive semi-definite
    Tensor b;      ///< [d]
    double c = 0;  ///< an offset for readability, without influence
    Tensor v;      ///< [m, d]
    Tensor t;      ///< [m]
    double scale = 1;
    double decay = 0.1;  ///< default start of weight_decay
  };

  explicit Quadratic(Terms terms);

  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const final;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// A w - b + D w.
  bool has_train_gradient() const final { return true; }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const final;

  /// The weights themselves. The training loss without the decay is a convex
  /// function of them.
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override;
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override;
  ProblemAbilities abilities() const override;

  /// The losses, and the relative distance from the optimum, |w - w*| / |w*|.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;

  /// w*, [d].
  Tensor solution(const ParameterSet& hyper) const;

  /// d valid_loss(w*(h)) / dh, alike to `hyper`, which is in natural units.
  ParameterSet hypergradient(const ParameterSet& hyper) const;

  const Terms& terms() const { return terms_; }

 private:
  Tensor decayed(const ParameterSet& hyper) const;  // A + D

  Terms terms_;
  Tensor half_a_, minus_b_;  // precomputed: fewer operators per loss
};

/// Ridge regression on random data. LibTorch's own generator with `seed` draws
/// them in double precision and in this order: X [n, d], the true weights [d],
/// the noise of y [n], the same for validation [m].
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
