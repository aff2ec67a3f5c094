#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/nn/model.h"

namespace nestgrad {

/// How well a network F can be undone at some inputs.
struct Inversion {
  std::string name;           ///< of the inputs
  std::int64_t examples = 0;  ///< how many

  /// |F^-1(F(x)) - x| / |x|, the largest and the mean over the inputs. Infinite
  /// if the inverse gave no numbers.
  double largest_error = 0, mean_error = 0;

  /// The largest singular value of dF/dx at any of the inputs, and of its
  /// inverse: lower bounds of the two Lipschitz constants.
  double stretch = 0, inverse_stretch = 0;
};

/// Errors in the type of the weights, singular values in float64. `inputs`:
/// [examples, shape...]; `hyper`: what layers name.
Inversion inversion_at(const std::string& name, const Model& model,
                       const ParameterSet& weights, const ParameterSet& hyper,
                       const Tensor& inputs);

struct InversionReport {
  std::vector<Inversion> rows;
  double tolerance = 0;

  /// Whether every error is at most the tolerance.
  bool accurate() const;
  std::string text() const;
  Json to_json() const;
};

/// How well the network of a run can be undone: at examples of its validation
/// data, at most `examples` of them, and at normal noise with the same mean and
/// `spread` times their standard deviation, which it has not seen the like of.
/// Throws Error if it cannot be undone at all.
InversionReport report_inversion(const std::string& run, std::int64_t examples,
                                 double spread, double tolerance);

}  // namespace nestgrad
