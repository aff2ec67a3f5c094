#include "hypergrad/evolution/particle_group.h"

#include <ATen/ATen.h>

#include "core/particles.h"

namespace nestgrad {
namespace {

// Rows of particles, [2 M, ...], are those of every h + eps and then those of
// every h - eps.

/// The rows of some of M pairs.
Tensor rows_of_pairs(const Tensor& all, const Division& pairs) {
  const std::int64_t m = all.size(0) / 2;
  return at::cat({all.narrow(0, pairs.first, pairs.count),
                  all.narrow(0, m + pairs.first, pairs.count)});
}

/// Collective. The inverse: the rows of all pairs from those of each rank.
Tensor rows_of_all(World& world, const Tensor& own, std::int64_t pairs) {
  std::vector<std::int64_t> sizes = own.sizes().vec();
  sizes[0] /= 2;
  sizes.insert(sizes.begin(), 2);
  const Tensor all =
      gather_rows(world, own.reshape(sizes).transpose(0, 1), pairs);
  sizes.erase(sizes.begin());
  sizes[0] = 2 * pairs;
  return all.transpose(0, 1).reshape(sizes);
}

/// The state of other particles, whose tensors `f` makes.
template <class F>
TrainState particles_by(const TrainState& state, std::int64_t count, F&& f) {
  return {state.weights.map(f), state.slots.map(f), state.step, count};
}

}  // namespace

TrainingWindow Turn::window(const ParameterSet& hyper) const {
  const auto [start, key] = run.window_start(hyper);
  return {start, run.length(), key, draw};
}

void ParticleGroup::begin(const ParameterSet& hyper, std::int64_t pairs,
                          const Key& key) {
  base.begin(hyper, key);
  difference = at::zeros({pairs}, at::kDouble);
  particles.begin(repeated(hyper, own_particles()), key, own_particles());
  noise = repeated(hyper, pairs).zeros();
  reset(hyper);
  window_open = false;
}

void ParticleGroup::set_first_horizon(std::int64_t steps) {
  base.set_first_horizon(steps);
  particles.set_first_horizon(steps);
}

void ParticleGroup::reset(const ParameterSet& hyper) {
  age = 0;
  score = earlier_score = repeated(hyper, pairs()).zeros();
  difference = at::zeros({pairs()}, at::kDouble);
}

ParameterSet ParticleGroup::perturbed(const ParameterSet& hyper) const {
  const Division part = own();
  const ParameterSet centre = repeated(hyper, part.count);
  const ParameterSet eps = particles_of(noise, part.first, part.count);
  return concatenated({centre + eps, centre - eps});
}

Tensor ParticleGroup::losses_of_all(const Tensor& own) const {
  World& world = base.loop().world();
  return world.alone() ? own : rows_of_all(world, own, pairs());
}

void ParticleGroup::finish_turn(const TrainState& base_end,
                                const TrainState& particles_end,
                                const Tensor& difference) {
  const bool moved = base.finish_turn(base_end);
  particles.finish_turn(particles_end);
  if (!moved) return;
  window_open = false;
  ++age;
  earlier_score = score;
  this->difference = difference;
}

void ParticleGroup::persist(Archive& archive) {
  World& world = base.loop().world();
  archive("base", base);
  if (world.alone()) {
    archive("particles", particles);
  } else {
    const auto of_all = [&](const Tensor& own) {
      return rows_of_all(world, own, pairs());
    };
    InnerRun all = particles;
    if (!archive.restoring()) {
      all = particles.with_state(
          particles_by(particles.state(), 2 * pairs(), of_all));
    }
    archive("particles", all);
    if (archive.restoring()) {
      const Division part(all.state().particles / 2, world);
      particles = all.with_state(particles_by(
          all.state(), 2 * part.count,
          [&](const Tensor& rows) { return rows_of_pairs(rows, part); }));
    }
  }
  archive("noise", noise);
  archive("score", score);
  archive("earlier", earlier_score);
  ParameterSet window_before{{"difference", difference}};
  archive("last", window_before);
  difference = window_before.at("difference");
  archive("age", age);
  archive("open", window_open);
}

}  // namespace nestgrad
