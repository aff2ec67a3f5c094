#pragma once

#include <ATen/ATen.h>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/tensor/parameter_set.h"
#include "hypergrad/resolution.h"

namespace nestgrad {

/// (dG/dw) v by central differences, for a gradient G as a function of the
/// weights w:
///
///   (G(w + e v) - G(w - e v)) / (2 e),   e = difference / |v|
///
/// A product with a second derivative for the price of two first ones. The
/// error falls with the square of `difference` until rounding takes over; where
/// G is quadratic in w (that of a weight decay), there is no other error.
template <class G>
ParameterSet gradient_difference(G&& gradient, const ParameterSet& weights,
                                 const ParameterSet& v, double difference) {
  const double length = norm(v).item<double>();
  if (length == 0) return gradient(weights).zeros();
  const double e = difference / length;
  return 1 / (2 * e) *
         (gradient(add(weights, e, v)) - gradient(add(weights, -e, v)));
}

/// The key "difference": how far the weights are moved.
inline Schema difference_schema() {
  return Schema("Products by central differences.")
      .number("difference", "auto",
              "How far the weights are moved (Euclidean length) for a product "
              "by central differences; auto: 0.01, the published length, in "
              "float32 and 1e-6 in float64.",
              above(0), {"auto"});
}

/// The value of that key, for weights of this floating-point type. Throws
/// ConfigError if rounding of the weights would drown it.
inline double read_difference(const Config& config,
                              const ParameterSet& weights) {
  const bool exact = weights.tensors().front().scalar_type() == at::kDouble;
  if (config.is_text("difference")) return exact ? 1e-6 : 0.01;
  require_resolved(config, "difference", length(weights), weights, "weights");
  return config.number("difference");
}

}  // namespace nestgrad
