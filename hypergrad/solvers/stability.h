#pragma once

#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// How far small errors of products with A move a solver's answer `x` to A x =
/// b, as the length of a vector: the largest |x' - x| for answers x' to
/// products that are off by 1e-14, 1e-12, ..., 1e-6 of themselves, at random.
///
/// Large where a recurrence amplifies errors: conjugate gradients lose the
/// orthogonality of their directions once an eigenvector has converged, and are
/// from then on some iterations behind what they would be without rounding
/// (Paige 1980, "Accuracy and effectiveness of the Lanczos algorithm for the
/// symmetric eigenproblem"). How many depends on the logarithm of the errors
/// only, so that errors above rounding are needed to see it.
double movement_by_errors(const InverseHessian& solver, const LinearMap& a,
                          const ParameterSet& b, const ParameterSet* guess,
                          const Key& key, const ParameterSet& x);

}  // namespace nestgrad
