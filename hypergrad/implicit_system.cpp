#include "hypergrad/implicit_system.h"

#include "core/autodiff.h"

namespace nestgrad {

ImplicitSystem::ImplicitSystem(ParameterSet unknowns, ParameterSet hyper,
                               ParameterSet map, bool fixed_point)
    : unknowns_(std::move(unknowns)),
      hyper_(std::move(hyper)),
      map_(std::move(map)),
      fixed_point_(fixed_point) {}

ImplicitSystem ImplicitSystem::stationarity(const InnerRun& at,
                                            const ParameterSet& hyper) {
  const ParameterSet w = at.state().weights.leaves();
  const ParameterSet h = hyper.leaves();
  const Tensor loss =
      at.loop().problem()->train_loss(w, h, at.draw("implicit"));
  return {w, h, gradient(loss, w, Tape::kOn), /*fixed_point=*/false};
}

ImplicitSystem ImplicitSystem::fixed_point(const InnerRun& at,
                                           const ParameterSet& hyper) {
  const ParameterSet w = at.state().weights.leaves();
  const ParameterSet slots = at.state().slots.leaves();
  const ParameterSet h = hyper.leaves();
  const TrainState next =
      at.loop().step({w, slots, at.state().step}, h, at.run_key(), Tape::kOn);
  const auto joined = [](const ParameterSet& a, const ParameterSet& b) {
    ParameterSet both = a;
    both.append("slots/", b);
    return both;
  };
  return {joined(w, slots), h, joined(next.weights, next.slots),
          /*fixed_point=*/true};
}

ParameterSet ImplicitSystem::embed(const ParameterSet& weights) const {
  std::vector<Tensor> out = weights.tensors();
  for (std::size_t i = out.size(); i < unknowns_.size(); ++i) {
    out.push_back(at::zeros_like(unknowns_.tensors()[i]));
  }
  return unknowns_.with(std::move(out)).detach();
}

LinearMap ImplicitSystem::transposed() const {
  // The sets are handles: the map owns its share of the tape.
  return [map = map_, x = unknowns_,
          fixed_point = fixed_point_](const ParameterSet& v) {
    const ParameterSet product = vjp(map, x, v);
    return fixed_point ? v - product : product;
  };
}

Tensor ImplicitSystem::matrix() const {
  const LinearMap a = transposed();
  const Tensor eye =
      at::eye(unknowns_.numel(), unknowns_.tensors().front().options());
  std::vector<Tensor> columns;
  for (const Tensor& unit : eye.unbind()) {
    columns.push_back(a(unknowns_.detach().unflatten(unit)).flatten());
  }
  return at::stack(columns, 1);
}

ParameterSet ImplicitSystem::residual() const {
  const ParameterSet map = map_.detach();
  return fixed_point_ ? unknowns_.detach() - map : map;
}

ParameterSet ImplicitSystem::hyper_transposed(const ParameterSet& v) const {
  const ParameterSet product = vjp(map_, hyper_, v);
  return fixed_point_ ? -1.0 * product : product;
}

}  // namespace nestgrad
