#include "core/nn/pass.h"

#include <ATen/ATen.h>

#include "core/nn/operators.h"

namespace nestgrad {
namespace {

HyperAxis hyper_axis_of(const Draw& draw) {
  if (draw.particles > 0) return HyperAxis::kParticles;
  return draw.response != nullptr ? HyperAxis::kExamples : HyperAxis::kNone;
}

}  // namespace

Pass Pass::training_as(const Draw& draw, const ParameterSet& hyper,
                       std::vector<Tensor>* penalties) {
  return {true,      draw.key, &hyper, draw.step, hyper_axis_of(draw),
          draw.part, penalties};
}

Pass Pass::evaluation_as(const Draw& draw, const ParameterSet& hyper) {
  return {false, Key(), &hyper, 0, hyper_axis_of(draw), draw.part, nullptr};
}

Pass Pass::of_layer(std::size_t i) const {
  Pass out = *this;
  out.key = key.fold(i);
  return out;
}

Tensor Pass::uniform(const Tensor& x) const {
  const Tensor one = of_one_particle(x);
  return key.uniform(at_least_float32(one), part.first_number(one.numel()));
}

Tensor Pass::normal(const Tensor& x) const {
  const Tensor one = of_one_particle(x);
  return key.normal(at_least_float32(one), part.first_number(one.numel()));
}

Tensor Pass::of_one_particle(const Tensor& x) const {
  return hyper_axis == HyperAxis::kParticles ? x.select(0, 0) : x;
}

void Pass::penalize(const Tensor& penalty) const {
  if (penalties != nullptr) penalties->push_back(penalty.mean(-1));
}

}  // namespace nestgrad
