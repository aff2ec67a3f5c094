#pragma once

#include "experiments/problems/quadratic.h"
#include "tests/kit/bench.h"

namespace nestgrad {

/// d valid_loss(w*) / d log(weight_decay) of a ridge_bench(), in closed form.
inline Tensor ridge_hypergradient(const Bench& bench) {
  const Quadratic ridge(ridge_terms(RidgeOptions(), float64()));
  const Tensor decay = bench.problem->natural(bench.hyper).at("weight_decay");
  return decay *
         ridge.hypergradient({{"weight_decay", decay}}).at("weight_decay");
}

}  // namespace nestgrad
