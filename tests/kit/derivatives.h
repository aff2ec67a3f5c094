#pragma once

#include <functional>
#include <string>

#include "findings.h"

namespace nestgrad::testing {

using Scalar = std::function<Tensor(const ParameterSet&)>;

/// Whether the gradient of a loss is that of its values, or a field that the
/// loss declares (Dynamics). In the second case the values tell nothing, and
/// the field's derivative need not be symmetric.
enum class GradientKind { kOfValues, kDeclared };

/// Judges the first and, if `second`, the second derivatives of f at x by
/// central differences along directions. `what` names f in the faults;
/// `tolerance` is relative to the length of the gradient or the product.
void judge_derivatives(Findings& findings, const std::string& what,
                       const Scalar& f, const ParameterSet& x, bool second,
                       double tolerance,
                       GradientKind kind = GradientKind::kOfValues);

}  // namespace nestgrad::testing
