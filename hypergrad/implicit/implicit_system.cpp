#include "hypergrad/implicit/implicit_system.h"

#include <cmath>

#include "core/tensor/autodiff.h"
#include "hypergrad/adjoint.h"
#include "hypergrad/gradient_difference.h"

namespace nestgrad {
namespace {

/// A scalar that is to be differentiated by weights and hyperparameters.
using Loss = std::function<Tensor(const ParameterSet& weights,
                                  const ParameterSet& hyper)>;

/// A gradient by the weights, off the tape or on those of both sets.
using Field = std::function<ParameterSet(const ParameterSet& weights,
                                         const ParameterSet& hyper, Tape)>;

Loss train_loss(const InnerRun& run) {
  return [problem = run.loop().problem(), draw = run.draw("implicit")](
             const ParameterSet& w, const ParameterSet& h) {
    return problem->train_loss(w, h, draw);
  };
}

Field train_gradient_of(const InnerRun& run) {
  return [problem = run.loop().problem(), draw = run.draw("implicit")](
             const ParameterSet& w, const ParameterSet& h, Tape tape) {
    return train_gradient(*problem, w, h, draw, tape);
  };
}

/// The gradient of f(w) - c'o(w) for c = df/do at these weights, which stays
/// constant.
Field without_model_curvature(const InnerRun& run, const ParameterSet& hyper) {
  const auto problem = run.loop().problem();
  const Draw draw = run.draw("implicit");
  const ParameterSet h = hyper.detach();
  const ParameterSet o = ParameterSet{
      {"outputs", problem->outputs(
                      run.state().weights.detach(), h,
                      draw)}}.leaves();
  const ParameterSet c =
      gradient(problem->output_loss(o.at("outputs"), h, draw), o);
  return [=](const ParameterSet& near, const ParameterSet& h, Tape tape) {
    const ParameterSet w = tape == Tape::kOn ? near : near.leaves();
    const Tensor loss = problem->train_loss(w, h, draw) -
                        dot(c, {{"outputs", problem->outputs(w, h, draw)}});
    return gradient(loss, w, tape);
  };
}

/// The same map, replayed if the loop replays.
LinearMap replayed(const InnerRun& run, const LinearMap& map) {
  const auto& replays = run.loop().replays();
  if (!replays) return map;
  return [map, one = std::make_shared<Replay>(replays->device())](
             const ParameterSet& v) {
    return (*one)(
        [&](const ParameterSets& x) -> ParameterSets { return {map(x[0])}; },
        {v})[0];
  };
}

/// v -> (g(w + e v) - g(w - e v)) / 2e, the derivative of g along v.
LinearMap central_differences(
    const ParameterSet& w, std::function<ParameterSet(const ParameterSet&)> g) {
  const double difference = std::cbrt(machine_epsilon(w)) * (1 + length(w));
  return [=](const ParameterSet& v) {
    return gradient_difference(g, w, v, difference);
  };
}

}  // namespace

ImplicitSystem ImplicitSystem::stationarity(const InnerRun& run,
                                            const ParameterSet& hyper,
                                            const HessianOptions& options) {
  const ParameterSet w = run.state().weights.leaves();
  const ParameterSet h = hyper.leaves();
  const Field map_at = train_gradient_of(run);
  const Field curved_at =
      options.gauss_newton ? without_model_curvature(run, hyper) : map_at;
  const ParameterSet w0 = w.detach(), h0 = h.detach();
  const auto residual = [=] { return map_at(w0, h0, Tape::kOff); };
  if (options.finite_difference) {
    require_values(*run.loop().problem());
    return {w, residual,
            central_differences(w0,
                                [=](const ParameterSet& near) {
                                  return curved_at(near, h0, Tape::kOff);
                                }),
            central_differences(
                w0, [=, f = train_loss(run)](const ParameterSet& near) {
                  const ParameterSet x = h0.leaves();
                  return gradient(f(near, x), x);
                })};
  }
  const ParameterSet map = without_numbers(map_at(w, h, Tape::kOn));
  const ParameterSet taped =
      options.gauss_newton ? without_numbers(curved_at(w, h, Tape::kOn)) : map;
  return {
      w, residual,
      replayed(run, [=](const ParameterSet& v) { return vjp(taped, w, v); }),
      [=](const ParameterSet& v) { return vjp(map, h, v); }};
}

ImplicitSystem ImplicitSystem::fixed_point(const InnerRun& run,
                                           const ParameterSet& hyper) {
  const TapedSteps step(run.loop(), run.state(), 1, hyper, run.run_key());
  const ParameterSet h = step.hyper;
  const ParameterSet x = step.start.joined(),
                     map = without_numbers(step.end.joined());
  const auto residual = [loop = run.loop(), key = run.run_key(),
                         start = step.start.detach(), h0 = hyper.detach()] {
    return start.joined() - loop.step(start, h0, key).joined();
  };
  return {
      x, residual,
      replayed(run, [=](const ParameterSet& v) { return v - vjp(map, x, v); }),
      [=](const ParameterSet& v) { return -1.0 * vjp(map, h, v); }};
}

ParameterSet ImplicitSystem::embed(const ParameterSet& weights) const {
  std::vector<Tensor> out = weights.tensors();
  for (std::size_t i = out.size(); i < like_.size(); ++i) {
    out.push_back(like_.tensors()[i].new_zeros(like_.tensors()[i].sizes()));
  }
  return like_.with(std::move(out)).detach();
}

Tensor ImplicitSystem::matrix() const {
  const Tensor like = like_.flatten();
  std::vector<Tensor> columns;
  for (const Tensor& unit : at::eye(like.numel(), like.options()).unbind()) {
    columns.push_back(transposed_(like_.unflatten(unit)).flatten());
  }
  return at::stack(columns, 1);
}

}  // namespace nestgrad
