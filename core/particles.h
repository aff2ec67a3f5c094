#pragma once

#include "core/problem.h"

namespace nestgrad {

// Many particles in one set: runs of training that see the same minibatches
// and the same noise, under hyperparameters of their own. Each tensor of such a
// set has one more axis than that of one particle, its first; see
// Draw::particles.

/// So many copies of one tensor or set, without memory of their own: the stride
/// of the new axis is 0.
Tensor repeated(const Tensor& one, std::int64_t particles);
ParameterSet repeated(const ParameterSet& one, std::int64_t particles);

/// Number i of them.
ParameterSet particle(const ParameterSet& all, std::int64_t i);

/// The inverse: sets that are alike, as one.
ParameterSet stacked(const std::vector<ParameterSet>& particles);

/// The sets that f(i) gives for each of them, as one.
template <class F>
ParameterSet one_by_one(std::int64_t particles, F&& f) {
  std::vector<ParameterSet> each;
  for (std::int64_t i = 0; i < particles; ++i) each.push_back(f(i));
  return stacked(each);
}

/// `a` and then `b`.
ParameterSet concatenated(const ParameterSet& a, const ParameterSet& b);

/// sum_i factors_i all_i, a set for one particle. `factors`: [particles].
ParameterSet weighted_sum(const Tensor& factors, const ParameterSet& all);

/// The inner product of each particle's numbers with `one`, [particles].
Tensor dots(const ParameterSet& all, const ParameterSet& one);

/// `numbers`, one for each index of the first axis of `like`, so that they
/// broadcast against it.
Tensor along_first(const Tensor& numbers, const Tensor& like);

/// The losses of draw.particles particles, [particles]: in one call if the
/// problem has the ability, one after another if not.
Tensor train_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);
Tensor valid_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);

}  // namespace nestgrad
