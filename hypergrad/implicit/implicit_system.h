#pragma once

#include "core/inner_run.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// The equation F(x, h) = 0 that holds for a trained x, at one point (x, h):
/// F and products with its two Jacobians. By the implicit function theorem,
///
///   d L(x(h), h) / dh = dL/dh - (dF/dh)' q   where   (dF/dx)' q = dL/dx.
///
/// F is taped once, so that each product is one walk along its tape.
class ImplicitSystem {
 public:
  /// x is the weights, F the gradient of the training loss f. dF/dx is a
  /// Hessian, so it is symmetric.
  ///
  /// With options.gauss_newton, the Gauss-Newton matrix takes the place of the
  /// Hessian in transposed(). For outputs o and c = df/do held constant it is
  /// the Jacobian of
  ///
  ///   grad_w [f(w) - c'o(w)],   which is   H - sum_k c_k (d2 o_k / dw2),
  ///
  /// and F and dF/dh stay what they are.
  ///
  /// With options.finite_difference nothing is differentiated twice, and each
  /// product takes two gradients of f at points nearby: with |e v| =
  /// cbrt(machine epsilon) (1 + |w|),
  ///
  ///   A v     = (grad_w f(w + e v) - grad_w f(w - e v)) / 2e
  ///   F_h' q  = (grad_h f(w + e q) - grad_h f(w - e q)) / 2e.
  static ImplicitSystem stationarity(const InnerRun& run,
                                     const ParameterSet& hyper,
                                     const HessianOptions& options = {});

  /// x is the weights and the rule's slots, F = x - step(x) for one training
  /// step, so that F depends on the hyperparameters of the rule as well.
  static ImplicitSystem fixed_point(const InnerRun& run,
                                    const ParameterSet& hyper);

  /// A vector of weights as a vector of x: the slots, if any, are zero.
  ParameterSet embed(const ParameterSet& weights) const;

  /// v -> A v for A = (dF/dx)'
  LinearMap transposed() const { return transposed_; }

  /// A written out, [n, n], from n products.
  Tensor matrix() const;

  /// F(x, h), off the tape. It is computed when asked for.
  ParameterSet residual() const { return residual_(); }

  /// (dF/dh)' v
  ParameterSet hyper_transposed(const ParameterSet& v) const {
    return hyper_transposed_(v);
  }

 private:
  ImplicitSystem(const ParameterSet& x, std::function<ParameterSet()> residual,
                 LinearMap transposed, LinearMap hyper_transposed)
      : like_(without_numbers(x.detach())),
        residual_(std::move(residual)),
        transposed_(std::move(transposed)),
        hyper_transposed_(std::move(hyper_transposed)) {}

  ParameterSet like_;  // alike to x
  std::function<ParameterSet()> residual_;
  // Each keeps the part of the tape that it walks alive.
  LinearMap transposed_, hyper_transposed_;
};

}  // namespace nestgrad
