#include "experiments/problems/games/lyapunov.h"

#include <ATen/ATen.h>

#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// F(z) and J D. Forward mode as two backward passes: v'J is linear in v.
std::pair<Tensor, Tensor> value_and_product(const VectorMap& map,
                                            const Tensor& z,
                                            const Tensor& directions,
                                            Tape tape) {
  const Tensor at = z.requires_grad() ? z : z.detach().requires_grad_();
  const Tensor value = map(at);
  const Tensor v = at::zeros_like(value).requires_grad_();
  const std::vector<Tensor> pulled =
      vjp(std::vector<Tensor>{value}, {at}, {v}, Tape::kOn);
  std::vector<Tensor> columns;
  for (const Tensor& d : directions.unbind(1)) {
    columns.push_back(vjp(pulled, {v}, {d}, tape).front());
  }
  return {value, at::stack(columns, 1)};
}

}  // namespace

Pushed push(const VectorMap& map, const Tensor& z, const Tensor& directions) {
  const auto [value, product] =
      value_and_product(map, z, directions, Tape::kOn);
  if (product.size(1) == 1) {
    const Tensor length = product.norm();
    return {value, product / length, length.log().view({1})};
  }
  const auto [q, r] = at::linalg_qr(product);
  return {value, q, r.diagonal().abs().log()};
}

std::pair<Tensor, Tensor> push_plainly(const VectorMap& map, const Tensor& z,
                                       const Tensor& directions) {
  const auto [value, product] =
      value_and_product(map, z.detach(), directions.detach(), Tape::kOff);
  return {value.detach(), product.detach()};
}

}  // namespace nestgrad
