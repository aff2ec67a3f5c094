#include "experiments/data/preparation.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/platform/warnings.h"
#include "core/tensor/numbers.h"

namespace nestgrad {
namespace {

/// A mean that is this much larger than the deviation leaves float32 few digits
/// of the latter.
constexpr double kFarFromZero = 1e3;

/// The share of a feature's deviation that rounding may change without a
/// warning.
constexpr double kRounding = 0.01;

struct Statistics {
  Tensor deviation, mean;  // one number for each index of dimension 1
};

Statistics statistics(const Tensor& inputs) {
  std::vector<std::int64_t> others = {0};
  for (std::int64_t i = 2; i < inputs.dim(); ++i) others.push_back(i);
  const auto [variance, mean] =
      at::var_mean(inputs, others, /*unbiased=*/false, /*keepdim=*/true);
  return {variance.sqrt(), mean};
}

const char* name_of(Part part) {
  return part == Part::kTrain   ? "training"
         : part == Part::kValid ? "validation"
                                : "test";
}

std::string place_of(const Place& place, Part part, std::int64_t example,
                     std::int64_t number) {
  const std::string known = place ? place(part, example, number) : "";
  if (!known.empty()) return known;
  return fmt::format("number {} of {} example {}, both counted from 0,", number,
                     name_of(part), example);
}

/// The greatest difference that rounding to `type` makes, and the deviation,
/// for each index of dimension 1.
std::pair<Tensor, Tensor> lost_and_kept(const Tensor& inputs,
                                        at::ScalarType type) {
  const Tensor lost =
      (inputs.to(type).to(inputs.scalar_type()) - inputs).abs().flatten(1);
  const std::int64_t features = inputs.size(1);
  return {lost.view({inputs.size(0), features, -1}).amax({0, 2}),
          statistics(inputs).deviation.flatten()};
}

void warn_of_lost_digits(const Config& data, const Splits& splits,
                         at::ScalarType type, const Place& place) {
  const Tensor& inputs = splits.train.inputs;
  if (inputs.scalar_type() == type || inputs.size(0) < 2) return;
  const auto [lost, kept] = lost_and_kept(inputs, type);
  const Tensor bad = (lost > kRounding * kept).logical_and(kept > 0);
  if (!bad.any().item<bool>()) return;
  const std::int64_t per_feature = inputs[0].numel() / inputs.size(1);
  const auto first = bad.nonzero()[0].item<std::int64_t>();
  const auto count = bad.sum().item<std::int64_t>();
  add_warning(fmt::format(
      "{} is {:.10g}, and the values of this feature{} differ so little from "
      "each other that {} rounds their differences; {}take \"dtype\": "
      "\"float64\" or other units",
      place_of(place, Part::kTrain, 0, first * per_feature),
      inputs[0].flatten()[first * per_feature].item<double>(),
      count > 1 ? fmt::format(" (and of {} more)", count - 1) : "",
      dtype_name(type),
      data.boolean("standardize") ? "" : "set \"standardize\" to true, "));
}

}  // namespace

Splits standardized(Splits splits) {
  Statistics of = statistics(splits.train.inputs);
  // In float32 the square of 1e20 is infinite, that of 1e-25 is zero.
  const bool is_double = splits.train.inputs.scalar_type() == at::kDouble;
  const Tensor lost = (of.deviation * kFarFromZero < of.mean.abs())
                          .logical_or(of.deviation.isfinite().logical_not());
  if (!is_double && lost.any().item<bool>()) {
    for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
      part->inputs = part->inputs.to(at::kDouble);
    }
    of = statistics(splits.train.inputs);
  }
  // The error of a mean is at most that of the sum behind it.
  const double rounding = std::numeric_limits<double>::epsilon() *
                          static_cast<double>(splits.train.inputs.numel()) /
                          static_cast<double>(of.mean.numel());
  const Tensor deviation =
      at::where(of.deviation > std::min(1e-6, rounding) * of.mean.abs(),
                of.deviation, at::ones_like(of.deviation));
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    part->inputs = (part->inputs - of.mean).div_(deviation);
  }
  splits.mean = of.mean;
  splits.deviation = deviation;
  return splits;
}

void warn_of_one_class(const Splits& splits) {
  const Dataset& train = splits.train;
  if (train.targets.dim() != 1 || train.classes < 2) return;
  if (!train.targets.eq(train.targets[0]).all().item<bool>()) return;
  add_warning(fmt::format(
      "the training part ({}) has the class {} only, of {}; take more examples "
      "or another seed",
      train.size() == 1 ? "one example"
                        : fmt::format("{} examples", train.size()),
      train.targets[0].item<std::int64_t>(), train.classes));
}

void require_differences(const Config& data, const Tensor& inputs) {
  if (inputs.size(0) < 2 || !at::equal(inputs[0], inputs[1])) return;
  if (!inputs.eq(inputs[0]).all().item<bool>()) return;
  throw ConfigError(
      data.pointer(),
      fmt::format("all {} examples have the same inputs", inputs.size(0)));
}

void require_representable(const Config& data, const Splits& splits,
                           at::ScalarType type, const Place& place) {
  if (!at::isFloatingType(splits.train.inputs.scalar_type())) return;
  for (const Part part : {Part::kTrain, Part::kValid, Part::kTest}) {
    const Dataset* const set = part == Part::kTrain   ? &splits.train
                               : part == Part::kValid ? &splits.valid
                                                      : &splits.test;
    // NaN is the least and the largest number if there is one.
    const auto [least, largest] = at::aminmax(set->inputs);
    if ((largest - least).to(type).isfinite().item<bool>() &&
        largest.to(type).isfinite().item<bool>()) {
      continue;
    }
    const Tensor bad = set->inputs.to(type).isfinite().logical_not();
    if (!bad.any().item<bool>()) continue;
    const Tensor first = bad.flatten(1).nonzero()[0];
    const auto example = first[0].item<std::int64_t>();
    const auto number = first[1].item<std::int64_t>();
    const auto value = set->inputs[example].flatten()[number].item<double>();
    throw ConfigError(
        data.pointer(),
        std::isfinite(value)
            ? fmt::format(
                  "{} is {:.6g}{}, which {} cannot hold; take "
                  "\"dtype\": \"float64\" or other units",
                  place_of(place, part, example, number), value,
                  splits.mean.defined() ? " once it is standardized" : "",
                  dtype_name(type))
            : fmt::format("{} is not a finite number",
                          place_of(place, part, example, number)));
  }
  warn_of_lost_digits(data, splits, type, place);
}

}  // namespace nestgrad
