#pragma once

#include <functional>
#include <string>

#include "findings.h"

namespace nestgrad::testing {

using Scalar = std::function<Tensor(const ParameterSet&)>;

/// Judges the first and, if `second`, the second derivatives of f at x by
/// central differences along directions. `what` names f in the faults;
/// `tolerance` is relative to the length of the gradient or the product.
/// Without `has_values`, f declares its gradient as a field: the gradient is
/// not compared with values, and its derivative need not be symmetric.
void judge_derivatives(Findings& findings, const std::string& what,
                       const Scalar& f, const ParameterSet& x, bool second,
                       double tolerance, bool has_values = true);

}  // namespace nestgrad::testing
