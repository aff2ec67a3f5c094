#include "hypergrad/evolution/particle_group.h"

#include <ATen/ATen.h>

#include "core/particles.h"

namespace nestgrad {

TrainingWindow Turn::window(const ParameterSet& hyper) const {
  const auto [start, key] = run.window_start(hyper);
  return {start, run.length(), key, draw};
}

void ParticleGroup::begin(const ParameterSet& hyper, std::int64_t pairs,
                          const Key& key) {
  base.begin(hyper, key);
  particles.begin(repeated(hyper, 2 * pairs), key, 2 * pairs);
  difference = at::zeros({pairs}, at::kDouble);
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
  const ParameterSet centre = repeated(hyper, pairs());
  return concatenated({centre + noise, centre - noise});
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
  archive("base", base);
  archive("particles", particles);
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
