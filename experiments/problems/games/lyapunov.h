#pragma once

#include <functional>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// A map of a vector, [n] -> [m], on the tape of its argument.
using VectorMap = std::function<Tensor(const Tensor&)>;

/// A point of an orbit and directions that the map carries along.
struct Pushed {
  Tensor point;       ///< F(z)
  Tensor directions;  ///< orthonormal, [n, directions]
  Tensor growth;      ///< log of how much each has grown, [directions]
};

/// One step of the map F from z, with orthonormal directions D, [n,
/// directions]: by the decomposition J D = Q R of products with J = dF/dz the
/// new directions are Q, and log |R_ii| is how much direction i grows that the
/// ones before it do not account for. The means over an orbit are its Lyapunov
/// exponents, the largest first (Benettin et al. 1980). On the tape of z and D.
Pushed push(const VectorMap& map, const Tensor& z, const Tensor& directions);

/// J D without orthonormalisation, and F(z), off the tape.
std::pair<Tensor, Tensor> push_plainly(const VectorMap& map, const Tensor& z,
                                       const Tensor& directions);

}  // namespace nestgrad
