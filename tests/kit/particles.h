#pragma once

#include <algorithm>
#include <cmath>

#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "core/optimizer.h"
#include "core/particles.h"
#include "core/tensor/autodiff.h"
#include "numbers.h"

namespace nestgrad::testing {

// How far particles that advance together are off from each by itself,
// relatively, for three of them with sets of their own.

constexpr std::int64_t kParticles = 3;

/// Sets around `one`, no number more than 0.1 away.
inline ParameterSet some_particles(const ParameterSet& one, const Key& key) {
  const ParameterSet all = repeated(one, kParticles);
  return all +
         key.normal(all).map([](const Tensor& t) { return 0.1 * t.tanh(); });
}

/// Settings a little below `one`.
inline ParameterSet some_settings(const ParameterSet& one, const Key& key) {
  return repeated(one, kParticles).map([&](const Tensor& t) {
    return t * (1 - 0.1 * key.uniform(t));
  });
}

/// |a - b| / (1 + |b|); infinite if shapes differ or numbers are not finite.
inline double difference(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return INFINITY;
  const auto out = ((a - b).norm() / (1 + b.norm())).item<double>();
  return std::isfinite(out) ? out : INFINITY;
}

/// Both losses and the gradient of the training loss.
inline double particle_error(const BilevelProblem& problem,
                             const ParameterSet& weights,
                             const ParameterSet& hyper, Draw draw) {
  const ParameterSet w = some_particles(weights, Key(31)).leaves();
  const ParameterSet h = some_particles(hyper, Key(32));
  draw.particles = kParticles;
  const Tensor train = train_losses(problem, w, h, draw);
  const Tensor valid = valid_losses(problem, w, h, draw);
  const ParameterSet slopes = gradient(train.sum(), w);
  if (train.dim() != 1 || valid.dim() != 1) return INFINITY;
  double worst = 0;
  if (problem.has_train_gradient()) {
    const ParameterSet own =
        train_gradient(problem, w.detach(), h, draw, Tape::kOff);
    worst = difference(own.flatten(), slopes.flatten());
  }
  draw.particles = 0;
  for (std::int64_t i = 0; i < kParticles; ++i) {
    const ParameterSet own = particle(w, i).leaves(), own_h = particle(h, i);
    const Tensor loss = problem.train_loss(own, own_h, draw);
    worst = std::max(
        {worst, difference(train[i], loss.reshape({})),
         difference(valid[i], problem.valid_loss(own, own_h, draw).reshape({})),
         difference(particle(slopes, i).flatten(),
                    gradient(loss, own).flatten())});
  }
  return worst;
}

/// Both losses and the gradient of the training loss, of two groups with draws
/// of their own against each group by itself.
inline double group_error(const BilevelProblem& problem,
                          const ParameterSet& weights,
                          const ParameterSet& hyper, Draw draw) {
  std::vector<Draw> groups{draw, {draw.step + 1, Key(41)}};
  groups[1].order = 17;
  for (Draw& group : groups) group.particles = kParticles;
  const ParameterSet w = concatenated(
      {some_particles(weights, Key(42)), some_particles(weights, Key(43))});
  const ParameterSet h = concatenated(
      {some_particles(hyper, Key(44)), some_particles(hyper, Key(45))});
  draw.particles = 2 * kParticles;
  draw.groups = std::make_shared<const std::vector<Draw>>(groups);
  const Tensor train = train_losses(problem, w, h, draw);
  const Tensor valid = valid_losses(problem, w, h, draw);
  const ParameterSet slopes = train_gradient(problem, w, h, draw, Tape::kOff);
  double worst = 0;
  for (std::int64_t g = 0; g < 2; ++g) {
    const auto own = [&](const ParameterSet& all) {
      return particles_of(all, g * kParticles, kParticles);
    };
    const auto own_losses = [&](const Tensor& all) {
      return all.narrow(0, g * kParticles, kParticles);
    };
    const Draw& alone = groups[static_cast<std::size_t>(g)];
    worst = std::max(
        {worst,
         difference(own_losses(train),
                    train_losses(problem, own(w), own(h), alone)),
         difference(own_losses(valid),
                    valid_losses(problem, own(w), own(h), alone)),
         difference(own(slopes).flatten(),
                    train_gradient(problem, own(w), own(h), alone, Tape::kOff)
                        .flatten())});
  }
  return worst;
}

/// Outputs, what is added to penalties, and the gradient of both.
inline double particle_error(const Model& model, const ParameterSet& weights,
                             const Tensor& input, Pass pass) {
  const ParameterSet w = some_particles(weights, Key(33)).leaves();
  const ParameterSet h = pass.hyper == nullptr
                             ? ParameterSet()
                             : some_settings(*pass.hyper, Key(34));
  std::vector<Tensor> together, alone, outputs;
  const Pass one = pass;
  pass.hyper = &h;
  pass.hyper_axis = HyperAxis::kParticles;
  pass.penalties = &together;
  const Tensor y = model.apply(ParticleWeights(w, kParticles), input, pass);
  for (std::int64_t i = 0; i < kParticles; ++i) {
    const ParameterSet own = particle(h, i);
    std::vector<Tensor> penalties;
    Pass by_itself = one;
    by_itself.hyper = &own;
    by_itself.penalties = &penalties;
    outputs.push_back(model.forward(particle(w, i), input, by_itself));
    if (penalties.size() != together.size()) return INFINITY;
    for (std::size_t j = 0; j < penalties.size(); ++j) {
      const Tensor stacked = penalties[j].reshape({1});
      if (i == 0) {
        alone.push_back(stacked);
      } else {
        alone[j] = at::cat({alone[j], stacked});
      }
    }
  }
  const Tensor expected = at::stack(outputs);
  if (y.sizes() != expected.sizes()) return INFINITY;
  const auto sum = [&](const Tensor& out, const std::vector<Tensor>& more) {
    Tensor all = (Key(35).normal(out.detach()) * out + out * out / 2).sum();
    for (const Tensor& t : more) all = all + (t * t).sum();
    return all;
  };
  double worst = difference(y, expected);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    worst = std::max(worst, difference(together[i], alone[i]));
  }
  if (w.empty()) return worst;
  return std::max(worst,
                  difference(gradient(sum(y, together), w).flatten(),
                             gradient(sum(expected, alone), w).flatten()));
}

/// A step from `state`, whose gradient is some function of the weights.
inline double particle_error(const Optimizer& rule, const TrainState& state,
                             const ParameterSet& natural) {
  const ParameterSet h = some_settings(natural, Key(36));
  const auto positive = [](const Tensor& t) { return t.abs(); };
  const TrainState all{some_particles(state.weights, Key(37)),
                       some_particles(state.slots, Key(38)).map(positive),
                       state.step, kParticles, state.noise};
  const ParameterSet g =
      all.weights.map([](const Tensor& t) { return (5 * t).sin() + 0.5; });
  const TrainState end = rule.step(all, g, h);
  double worst = 0;
  for (std::int64_t i = 0; i < kParticles; ++i) {
    const TrainState own =
        rule.step({particle(all.weights, i), particle(all.slots, i), state.step,
                   0, state.noise},
                  particle(g, i), particle(h, i));
    worst = std::max(
        {worst,
         difference(particle(end.weights, i).flatten(), own.weights.flatten()),
         difference(particle(end.slots, i).flatten(), own.slots.flatten())});
  }
  return worst;
}

}  // namespace nestgrad::testing
