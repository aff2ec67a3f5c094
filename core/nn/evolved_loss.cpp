#include "core/nn/evolved_loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// `value`, with the derivative of `surrogate`, and that only once.
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
    double deviation, std::int64_t perturbations, const Key& key,
    const std::function<Tensor(const Flips&, const Key&)>& losses) {
  Tensor surrogate, value;
  for (std::int64_t m = 0; m < perturbations; ++m) {
    const Key own = key.fold(static_cast<std::uint64_t>(m));
    std::vector<Tensor> scores;
    const Tensor up = losses({deviation, 1, &scores}, own).detach();
    const Tensor down = losses({deviation, -1, nullptr}, own).detach();
    Tensor score = scores.front();
    for (std::size_t i = 1; i < scores.size(); ++i) score = score + scores[i];
    const Tensor slope =
        at::dot(up - down, score) /
        (deviation * deviation * static_cast<double>(up.numel()));
    const Tensor mean = (up + down).mean();
    surrogate = m == 0 ? slope : surrogate + slope;
    value = m == 0 ? mean : value + mean;
  }
  const double half = 0.5 / static_cast<double>(perturbations);
  return WithSlopeOf::apply(half * surrogate, half * value);
}

}  // namespace nestgrad
