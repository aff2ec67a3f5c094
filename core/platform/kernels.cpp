#include "core/platform/kernels.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "core/platform/warnings.h"

namespace nestgrad {
namespace {

using at::Tensor;
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
    const std::int64_t padding = kernel / 2;
    const Tensor x = numbers({kBatch, in, kSize, kSize}, 0.7, type);
    const Tensor w = numbers({out, in, kernel, kernel}, 1.1, type);
    const Tensor y =
        at::conv2d(x, w, numbers({out}, 1.3, type), stride, padding);
    const auto [gx, gw, gb] = at::convolution_backward(
        numbers(y.sizes(), 1.7, type), x, w, at::IntArrayRef(out),
        {stride, stride}, {padding, padding}, {1, 1}, /*transposed=*/false,
        {0, 0}, /*groups=*/1, {true, true, true});
    return {y, gx, gw, gb};
  };
}

Tensors lstm(at::ScalarType type) {
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

/// What a computation differs from itself without oneDNN in float32, if that is
/// more than rounding; else 0.
double fault_of(const Computation& computation, at::ScalarType type) {
  at::Context& context = at::globalContext();
  const Tensors found = computation(type);
  context.setUserEnabledMkldnn(false);
  const Tensors right = computation(at::kFloat);
  context.setUserEnabledMkldnn(true);
  const double limit = type == at::kFloat ? 1e-4 : 0.05;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double difference = relative_difference(found[i], right[i]);
    if (!(difference < limit)) return difference;
  }
  return 0;
}

}  // namespace

void leave_wrong_kernels() {
  at::Context& context = at::globalContext();
  if (!at::hasMKLDNN() || !context.userEnabledMkldnn()) return;
  const at::NoGradGuard no_tape;
  const auto leave = [&](const char* what, double difference) {
    context.setUserEnabledMkldnn(false);
    add_warning(fmt::format(
        "oneDNN, which LibTorch takes on this processor, computes wrong "
        "numbers ({} is off by {:.2g}, relative to it); LibTorch does without "
        "it, which is slower and right",
        what, difference));
  };
  const Computation convolutions[] = {convolution(1, 4, 3, 1),
                                      convolution(8, 16, 3, 2)};
  for (const Computation& one : convolutions) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      const double fault = fault_of(one, type);
      if (fault == 0) continue;
      return leave(type == at::kFloat ? "a convolution in float32"
                                      : "a convolution in bfloat16",
                   fault);
    }
  }
  const double fault = fault_of(lstm, at::kFloat);
  if (fault != 0) leave("an LSTM", fault);
}

}  // namespace nestgrad
