#pragma once

#include "core/problem.h"

namespace nestgrad {

// Particles are training runs that see the same minibatches and noise (those of
// a group, if there are several; see Draw::groups), each
// with its own hyperparameters. A set of particles holds, for each tensor of
// one particle, a tensor with one more axis, the first; see Draw::particles.

/// Copies of one tensor or set that share its memory: the new axis has stride
/// 0.
Tensor repeated(const Tensor& one, std::int64_t particles);
ParameterSet repeated(const ParameterSet& one, std::int64_t particles);

/// Particle number i.
ParameterSet particle(const ParameterSet& all, std::int64_t i);

/// The `count` particles from number `first` on.
ParameterSet particles_of(const ParameterSet& all, std::int64_t first,
                          std::int64_t count);

/// The inverse of particle(): joins the sets of single particles, which are
/// alike.
ParameterSet stacked(const std::vector<ParameterSet>& particles);

/// Joins the sets f(0), ..., f(particles - 1).
template <class F>
ParameterSet one_by_one(std::int64_t particles, F&& f) {
  std::vector<ParameterSet> each;
  for (std::int64_t i = 0; i < particles; ++i) each.push_back(f(i));
  return stacked(each);
}

/// The particles of several sets, one set after the other.
ParameterSet concatenated(const std::vector<ParameterSet>& sets);

/// sum_i factors_i all_i, the set of one particle. `factors`: [particles].
ParameterSet weighted_sum(const Tensor& factors, const ParameterSet& all);

/// The inner product of each particle with `one`, [particles].
Tensor dots(const ParameterSet& all, const ParameterSet& one);

/// Reshapes `numbers`, one per index of the first axis of `like`, to broadcast
/// against `like`.
Tensor along_first(const Tensor& numbers, const Tensor& like);

/// The losses of draw.particles particles, [particles], in one call if the
/// problem evaluates them together, otherwise one by one; without, the loss.
Tensor train_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);
Tensor valid_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);

}  // namespace nestgrad
