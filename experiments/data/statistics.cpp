#include "experiments/data/statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace nestgrad {
namespace {

constexpr std::int64_t kPiece = std::int64_t{16} << 20;  // bytes

/// The bytes of one example in memory.
std::int64_t example_bytes(const Dataset& data) {
  return std::max<std::int64_t>(data.inputs[0].numel(), 1) *
         static_cast<std::int64_t>(data.inputs.element_size());
}

std::pair<Tensor, Tensor> variance_and_mean(const Tensor& inputs) {
  std::vector<std::int64_t> others = {0};
  for (std::int64_t i = 2; i < inputs.dim(); ++i) others.push_back(i);
  const auto [variance, mean] =
      at::var_mean(inputs, others, /*unbiased=*/false, /*keepdim=*/true);
  return {variance, mean};
}

InputStatistics of_pieces(const Dataset& data) {
  Tensor mean, squares;  // the latter: sums of squared deviations
  double count = 0;
  each_piece(data, [&](const Tensor& inputs, const Tensor&) {
    const auto [variance, here] = variance_and_mean(inputs.to(at::kDouble));
    const auto n = static_cast<double>(inputs.size(0));
    if (count == 0) {
      mean = at::zeros_like(here);
      squares = at::zeros_like(here);
    }
    const Tensor step = here - mean;
    squares =
        squares + n * variance + step.square() * (count * n / (count + n));
    mean = mean + step * (n / (count + n));
    count += n;
  });
  const auto type = data.inputs.scalar_type();
  return {(squares / count).sqrt().to(type), mean.to(type)};
}

}  // namespace

void each_piece(const Dataset& data,
                const std::function<void(const Tensor&, const Tensor&)>& f) {
  if (!data.stored) {
    f(data.inputs, {});
    return;
  }
  const auto [rows, examples] = data.stored->order.sort();
  const std::int64_t n =
      std::max<std::int64_t>(kPiece / example_bytes(data), 1);
  for (std::int64_t first = 0; first < data.size(); first += n) {
    f(data.stored->read(rows.slice(0, first, first + n)),
      examples.slice(0, first, first + n));
  }
}

InputStatistics statistics(const Dataset& data, std::int64_t whole) {
  if (data.stored && data.size() * example_bytes(data) > whole) {
    return of_pieces(data);
  }
  const auto [variance, mean] = variance_and_mean(data.loaded().inputs);
  return {variance.sqrt(), mean};
}

}  // namespace nestgrad
