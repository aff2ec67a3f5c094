#pragma once

#include "faults.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad::testing {

/// - Zeros on the right give zeros, without a product.
/// - The solution is formula(), and in proportion to the right-hand side.
/// - Products are counted.
/// - A product that is not finite is reported.
/// - With `enough_products` and converges(): systems of one unknown, multiples
///   of the identity, clustered and spread-out spectra (condition 100, 10
///   unknowns) are solved to 1e-8, and the reported residual is right.
Faults inverse_hessian_faults(const InverseHessian& solver,
                              bool enough_products);
Faults inverse_hessian_faults(const Json& section, bool enough_products = true);

}  // namespace nestgrad::testing
