#include "core/nn/evolved_loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/nn/row_wise_weights.h"
#include "core/platform/error.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// `value`, with the first derivative of `surrogate` and no second one.
class WithSlopeOf : public torch::autograd::Function<WithSlopeOf> {
 public:
  static Tensor forward(AutogradContext*, const Tensor& /*surrogate*/,
                        const Tensor& value) {
    return value.clone();
  }

  static variable_list backward(AutogradContext*,
                                const variable_list& gradient) {
    if (at::GradMode::is_enabled()) {
      throw Unsupported(
          "weights that are trained by evolution strategies have no derivative "
          "of their training");
    }
    return {gradient[0], Tensor()};
  }
};

}  // namespace

Tensor evolved_loss(
    const ParameterSet& weights, std::int64_t examples, double deviation,
    std::int64_t perturbations, const Key& key,
    const std::function<Tensor(const Weights&, const Key&)>& losses,
    const BatchPart& part) {
  const SharedWeights shared(weights.detach());
  const Tensor scale = at::scalar_tensor(deviation, shared.like(0).options());
  Tensor surrogate, value;
  for (std::int64_t m = 0; m < perturbations; ++m) {
    const Key key_m = key.fold(static_cast<std::uint64_t>(m));
    const FlippedWeights plus(shared, examples, scale, key_m, part);
    const FlippedWeights minus(shared, examples, -scale, key_m, part);
    const Tensor up = losses(plus, key_m).detach();
    const Tensor down = losses(minus, key_m).detach();
    const Tensor slope =
        at::dot(up - down, plus.inner_products(weights.tensors())) /
        (deviation * deviation * static_cast<double>(up.numel()));
    const Tensor mean = (up + down).mean();
    add_to(surrogate, slope);
    add_to(value, mean);
  }
  const double half = 0.5 / static_cast<double>(perturbations);
  return WithSlopeOf::apply(half * surrogate, half * value);
}

}  // namespace nestgrad
