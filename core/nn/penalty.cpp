#include "core/nn/penalty.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/hyperparameter.h"
#include "core/platform/error.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// sum_j d_j w_j^2 for d alike to w, whose Hessian is diagonal: a product with
/// it is one product of vectors, 2 d v. LibTorch's own derivative of w w forms
/// two products and adds them, and so does each derivative of that.
class WeightedSquares : public torch::autograd::Function<WeightedSquares> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& w,
                        const Tensor& d) {
    context->save_for_backward({w, d});
    return at::dot(w * d, w);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& gradient) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &w = saved[0], &d = saved[1], &g = gradient[0];
    variable_list out(2);
    // The scalar comes last: the tape keeps factors of what is on it.
    if (context->needs_input_grad(0)) out[0] = (d * w) * (2 * g);
    if (context->needs_input_grad(1)) out[1] = g * (w * w);
    return out;
  }
};

}  // namespace

Tensor l2_penalty(const ParameterSet& weights, const Tensor& decay,
                  std::int64_t particles) {
  if (particles > 0) {
    const std::vector<Tensor> factors = spread(decay, weights, particles);
    Tensor sum;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Tensor part = (factors[i] * weights.tensors()[i].square())
                              .reshape({particles, -1})
                              .sum(1);
      add_to(sum, part);
    }
    return 0.5 * sum;
  }
  if (decay.numel() == 1) {
    const Tensor& whole = weights.whole();
    const Tensor squares =
        whole.defined() ? at::dot(whole, whole) : dot(weights, weights);
    return (0.5 * as_scalar(decay)) * squares;
  }
  const std::vector<Tensor> factors = spread(decay, weights);
  Tensor sum;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor w = weights.tensors()[i].reshape(-1);
    const Tensor& d = factors[i];
    const Tensor part = d.dim() == 0 ? d * at::dot(w, w)
                                     : WeightedSquares::apply(w, d.reshape(-1));
    add_to(sum, part);
  }
  return 0.5 * sum;
}

Tensor l2_penalty(const ParameterSet& weights, const RowResponse& response,
                  const Tensor& decay) {
  const Tensor decays = decay.reshape({decay.size(0), -1});
  const std::int64_t numbers = decays.size(1);
  require(numbers == 1 || numbers < weights.numel(),
          "one decay per weight cannot differ from example to example");
  // Which of them belongs to each weight tensor.
  const std::vector<Tensor> which = spread(at::arange(numbers), weights);
  Tensor sum;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto rows = [](const Tensor& t) {
      return t.reshape({t.size(0), -1});
    };
    const Tensor w = rows(weights.tensors()[i]), r = rows(response.slopes[i]);
    const Tensor s = at::mm(response.displacement, response.gates[i].t());
    // |w + diag(s_b) r|^2 for every example b.
    const Tensor squares = at::dot(w.reshape(-1), w.reshape(-1)) +
                           2 * at::mv(s, (w * r).sum(1)) +
                           at::mv(s * s, (r * r).sum(1));
    const Tensor part =
        (decays.select(1, which[i].item<std::int64_t>()) * squares).mean();
    add_to(sum, part);
  }
  return 0.5 * sum;
}

}  // namespace nestgrad
