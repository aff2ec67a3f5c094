#include "core/tensor/kernels.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <vector>

#include "core/platform/warnings.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

using Tensors = std::vector<Tensor>;

/// A computation in a floating-point type. Its inputs are the same numbers in
/// every type.
using Computation = std::function<Tensors(at::ScalarType)>;

/// Numbers from -1 to 1 that bfloat16 has as well.
Tensor numbers(at::IntArrayRef shape, double frequency, at::ScalarType type) {
  const std::int64_t count = c10::multiply_integers(shape);
  return at::arange(count, at::kFloat)
      .mul(frequency)
      .sin()
      .to(at::kBFloat16)
      .to(type)
      .view(shape);
}

/// A convolution, and its derivatives in the direction of some numbers by
/// inputs, weights and bias.
Computation convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                        std::int64_t stride) {
  return [=](at::ScalarType type) -> Tensors {
    constexpr std::int64_t kBatch = 4, kSize = 8;
    const ParameterSet x = ParameterSet{
        {"x", numbers({kBatch, in, kSize, kSize}, 0.7, type)},
        {"w", numbers({out, in, kernel, kernel}, 1.1, type)},
        {"b", numbers({out}, 1.3,
                      type)}}.leaves();
    const ParameterSet y{
        {"y", at::conv2d(x.at("x"), x.at("w"), x.at("b"), stride, kernel / 2)}};
    const ParameterSet v{{"y", numbers(y.at("y").sizes(), 1.7, type)}};
    Tensors all = vjp(y, x, v, Tape::kOff, Graph::kConsume).tensors();
    all.push_back(y.at("y").detach());
    return all;
  };
}

Tensors lstm(at::ScalarType type) {
  const at::NoGradGuard no_tape;
  constexpr std::int64_t kIn = 5, kOut = 7;
  const Tensor state = at::zeros({1, 4, kOut}, type);
  const auto [y, h, c] = at::lstm(
      numbers({4, 6, kIn}, 0.7, type), {state, state},
      {numbers({4 * kOut, kIn}, 1.1, type),
       numbers({4 * kOut, kOut}, 1.3, type), numbers({4 * kOut}, 1.7, type),
       numbers({4 * kOut}, 1.9, type)},
      /*has_biases=*/true, /*num_layers=*/1, /*dropout=*/0, /*train=*/false,
      /*bidirectional=*/false, /*batch_first=*/true);
  return {y, h, c};
}

double relative_difference(const Tensor& found, const Tensor& right) {
  const Tensor r = right.to(at::kDouble);
  return ((found.to(at::kDouble) - r).norm() / r.norm()).item<double>();
}

/// Whether a computation in one of the types differs from that in float32
/// without oneDNN by more than rounding. Warns if so.
bool differs(const char* name, const Computation& computation,
             std::initializer_list<at::ScalarType> types) {
  at::Context& context = at::globalContext();
  context.setUserEnabledMkldnn(false);
  const Tensors right = computation(at::kFloat);
  context.setUserEnabledMkldnn(true);
  for (const at::ScalarType type : types) {
    const double limit = type == at::kFloat ? 1e-4 : 0.05;
    const Tensors found = computation(type);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double difference = relative_difference(found[i], right[i]);
      if (difference < limit) continue;  // not if it is NaN
      add_warning(fmt::format(
          "oneDNN, which LibTorch takes on this processor, computes wrong "
          "numbers ({} in {} is off by {:.2g}, relative to it); LibTorch does "
          "without it, which is slower and right",
          name, type == at::kFloat ? "float32" : "bfloat16", difference));
      return true;
    }
  }
  return false;
}

}  // namespace

void leave_wrong_kernels() {
  at::Context& context = at::globalContext();
  if (!at::hasMKLDNN() || !context.userEnabledMkldnn()) return;
  const auto both = {at::kFloat, at::kBFloat16};
  const bool wrong = differs("a convolution", convolution(1, 4, 3, 1), both) ||
                     differs("a convolution", convolution(8, 16, 3, 2), both) ||
                     differs("an LSTM", lstm, {at::kFloat});
  context.setUserEnabledMkldnn(!wrong);
}

}  // namespace nestgrad
