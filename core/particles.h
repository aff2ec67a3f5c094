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

/// `a` and then `b`.
ParameterSet concatenated(const ParameterSet& a, const ParameterSet& b);

/// sum_i factors_i all_i, a set for one particle. `factors`: [particles].
ParameterSet weighted_sum(const Tensor& factors, const ParameterSet& all);

/// The inner product of each particle's numbers with `one`, [particles].
Tensor dots(const ParameterSet& all, const ParameterSet& one);

/// `numbers`, one per particle, so that they broadcast against `like`, whose
/// first axis is that of particles.
Tensor along_particles(const Tensor& numbers, const Tensor& like);

/// The losses of draw.particles particles, [particles]: in one call if the
/// problem vectorizes, one after another if it does not.
Tensor train_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);
Tensor valid_losses(const BilevelProblem& problem, const ParameterSet& weights,
                    const ParameterSet& hyper, const Draw& draw);

}  // namespace nestgrad
