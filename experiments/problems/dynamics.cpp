#include "experiments/problems/dynamics.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "core/particles.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A scalar, or one per particle, whose derivative with respect to x is
/// declared to be `field`. The field stays on its own tape, for second
/// derivatives.
class WithGradient : public torch::autograd::Function<WithGradient> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& field) {
    context->save_for_backward({field});
    return at::zeros(x.sizes().slice(0, x.dim() - 1), x.options());
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradient) {
    return {gradient[0].unsqueeze(-1) * context->get_saved_variables()[0],
            Tensor()};
  }
};

}  // namespace

Tensor Dynamics::train_loss(const ParameterSet& weights,
                            const ParameterSet& hyper, const Draw& draw) const {
  return WithGradient::apply(weights.at(kState),
                             train_gradient(weights, hyper, draw).at(kState));
}

ParameterSet Dynamics::train_gradient(const ParameterSet& weights,
                                      const ParameterSet& hyper,
                                      const Draw& draw) const {
  const Tensor& state = weights.at(kState);
  const bool one_step =
      !draw.groups ||
      std::all_of(draw.groups->begin(), draw.groups->end(),
                  [&](const Draw& group) { return group.step == draw.step; });
  return weights.with(
      {state - (one_step ? next(state, hyper, draw)
                         : next_of_groups(state, hyper, *draw.groups))});
}

Tensor Dynamics::next_of_groups(const Tensor& state, const ParameterSet& hyper,
                                const std::vector<Draw>& groups) const {
  std::vector<Tensor> out;
  std::int64_t first = 0;
  for (const Draw& group : groups) {
    out.push_back(next(state.narrow(0, first, group.particles),
                       particles_of(hyper, first, group.particles), group));
    first += group.particles;
  }
  return at::cat(out);
}

ProblemAbilities Dynamics::abilities() const {
  ProblemAbilities out;
  out.particles = true;
  out.train_loss_has_values = false;
  return out;
}

Metrics Dynamics::evaluate(const ParameterSet& weights,
                           const ParameterSet& hyper) const {
  return {{"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()}};
}

}  // namespace nestgrad
