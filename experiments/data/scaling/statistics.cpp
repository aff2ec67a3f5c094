#include "experiments/data/scaling/statistics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/tensor/numbers.h"

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

}  // namespace

bool every_piece(const Dataset& data,
                 const std::function<bool(const Tensor&, const Tensor&)>& f) {
  if (!data.stored) return f(data.inputs, {});
  const auto [rows, examples] = data.stored->order.sort();
  const std::int64_t n =
      std::max<std::int64_t>(kPiece / example_bytes(data), 1);
  for (std::int64_t first = 0; first < data.size(); first += n) {
    if (!f(data.stored->read(rows.slice(0, first, first + n)),
           examples.slice(0, first, first + n))) {
      return false;
    }
  }
  return true;
}

void each_piece(const Dataset& data,
                const std::function<void(const Tensor&, const Tensor&)>& f) {
  every_piece(data, [&](const Tensor& inputs, const Tensor& examples) {
    f(inputs, examples);
    return true;
  });
}

void Moments::add(const Tensor& inputs) {
  const auto [variance, here] = variance_and_mean(inputs.to(at::kDouble));
  const auto n = static_cast<double>(inputs.size(0));
  if (count_ == 0) {
    mean_ = at::zeros_like(here);
    squares_ = at::zeros_like(here);
  }
  const Tensor step = here - mean_;
  squares_ =
      squares_ + n * variance + step.square() * (count_ * n / (count_ + n));
  mean_ = mean_ + step * (n / (count_ + n));
  count_ += n;
}

InputStatistics Moments::statistics() const {
  return {(squares_ / count_).sqrt(), mean_};
}

InputStatistics statistics(const Dataset& data, std::int64_t whole) {
  if (data.stored && data.size() * example_bytes(data) > whole) {
    Moments moments;
    each_piece(data, [&](const Tensor& inputs, const Tensor&) {
      moments.add(inputs);
    });
    const InputStatistics of = moments.statistics();
    const auto type = data.inputs.scalar_type();
    return {of.deviation.to(type), of.mean.to(type)};
  }
  const auto [variance, mean] = variance_and_mean(data.loaded().inputs);
  return {variance.sqrt(), mean};
}

Tensor scaled(const Tensor& x, const Tensor& mean, const Tensor& deviation) {
  if (!mean.defined()) return x;
  return (x.to(mean.options()) - mean).div_(deviation);
}

Tensor unscaled(const Tensor& x, const Tensor& mean, const Tensor& deviation) {
  if (!mean.defined()) return x;
  return x.to(mean.options()) * deviation + mean;
}

Tensor usable_deviation(const InputStatistics& of, double rounding) {
  return at::where(of.deviation > rounding * of.mean.abs(), of.deviation,
                   at::ones_like(of.deviation));
}

std::string BadNumber::reason(at::ScalarType type, bool is_standardized) const {
  if (!std::isfinite(value)) return " is not a finite number";
  return fmt::format(
      " is {:.6g}{}, which {} cannot hold; take \"precision\": \"float64\" or "
      "other "
      "units",
      value, is_standardized ? " once it is standardized" : "",
      dtype_name(type));
}

std::optional<BadNumber> first_bad_number(const Tensor& x,
                                          at::ScalarType type) {
  // NaN is the least and the largest number if there is one.
  const auto [least, largest] = at::aminmax(x);
  if (least.to(type).isfinite().item<bool>() &&
      largest.to(type).isfinite().item<bool>()) {
    return {};
  }
  const Tensor first =
      x.to(type).isfinite().logical_not().flatten(1).nonzero()[0];
  const auto example = first[0].item<std::int64_t>();
  const auto number = first[1].item<std::int64_t>();
  return BadNumber{example, number,
                   x[example].flatten()[number].item<double>()};
}

}  // namespace nestgrad
