#pragma once

#include "core/inner_run.h"
#include "hypergrad/inverse_hessian.h"

namespace nestgrad {

/// The equation F(x, h) = 0 that a trained x meets, taped at one point so that
/// many products with its two Jacobians are cheap. By the implicit function
/// theorem,
///
///   d L(x(h), h) / dh = dL/dh - (dF/dh)' q   where   (dF/dx)' q = dL/dx.
class ImplicitSystem {
 public:
  /// x is the weights, F the gradient of the training loss. dF/dx is a Hessian,
  /// so it is symmetric.
  static ImplicitSystem stationarity(const InnerRun& at,
                                     const ParameterSet& hyper);

  /// x is the weights and the rule's slots, F is x minus what one training step
  /// makes of it, so that the hyperparameters of the rule take part as well.
  static ImplicitSystem fixed_point(const InnerRun& at,
                                    const ParameterSet& hyper);

  /// A vector of weights as a vector of x: the slots, if any, are zero.
  ParameterSet embed(const ParameterSet& weights) const;

  /// v -> A v for A = (dF/dx)'
  LinearMap transposed() const;

  /// A written out, [n, n], from n products.
  Tensor matrix() const;

  /// F(x, h), off the tape.
  ParameterSet residual() const;

  /// (dF/dh)' v
  ParameterSet hyper_transposed(const ParameterSet& v) const;

 private:
  ImplicitSystem(ParameterSet unknowns, ParameterSet hyper, ParameterSet map,
                 bool minus_identity);

  ParameterSet unknowns_, hyper_;  // leaves
  ParameterSet map_;               // F, or what one step makes of x
  bool fixed_point_;               // F = x - map(x) rather than map(x)
};

}  // namespace nestgrad
