#include "experiments/data/preparation.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/platform/warnings.h"
#include "core/tensor/numbers.h"
#include "experiments/data/statistics.h"

namespace nestgrad {
namespace {

/// A mean that is this much larger than the deviation leaves float32 few digits
/// of the latter.
constexpr double kFarFromZero = 1e3;

/// The share of a feature's deviation that rounding may change without a
/// warning.
constexpr double kRounding = 0.01;

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
std::pair<Tensor, Tensor> lost_and_kept(const Dataset& data,
                                        at::ScalarType type) {
  const std::int64_t features = data.inputs.size(1);
  Tensor greatest = at::zeros({features}, data.inputs.options());
  each_piece(data, [&](const Tensor& inputs, const Tensor&) {
    const Tensor lost =
        (inputs.to(type).to(inputs.scalar_type()) - inputs).abs().flatten(1);
    greatest = at::maximum(
        greatest, lost.view({inputs.size(0), features, -1}).amax({0, 2}));
  });
  return {greatest, statistics(data).deviation.flatten()};
}

void warn_of_lost_digits(const Config& data, const Splits& splits,
                         at::ScalarType type, const Place& place) {
  const Tensor& inputs = splits.train.inputs;
  if (inputs.scalar_type() == type || inputs.size(0) < 2) return;
  const auto [lost, kept] = lost_and_kept(splits.train, type);
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
      splits.train.loaded(0, 1)
          .inputs.flatten()[first * per_feature]
          .item<double>(),
      count > 1 ? fmt::format(" (and of {} more)", count - 1) : "",
      dtype_name(type),
      data.boolean("standardize") ? "" : "set \"standardize\" to true, "));
}

}  // namespace

Splits standardized(Splits splits) {
  InputStatistics of = statistics(splits.train);
  // In float32 the square of 1e20 is infinite, that of 1e-25 is zero.
  const bool is_double = splits.train.inputs.scalar_type() == at::kDouble;
  const Tensor lost = (of.deviation * kFarFromZero < of.mean.abs())
                          .logical_or(of.deviation.isfinite().logical_not());
  if (!is_double && lost.any().item<bool>()) {
    for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
      *part =
          part->converted([](const Tensor& x) { return x.to(at::kDouble); });
    }
    of = statistics(splits.train);
  }
  // The error of a mean is at most that of the sum behind it.
  const double rounding = std::numeric_limits<double>::epsilon() *
                          static_cast<double>(splits.train.inputs.numel()) /
                          static_cast<double>(of.mean.numel());
  const Tensor deviation =
      at::where(of.deviation > std::min(1e-6, rounding) * of.mean.abs(),
                of.deviation, at::ones_like(of.deviation));
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    *part = part->converted([mean = of.mean, deviation](const Tensor& x) {
      return (x - mean).div_(deviation);
    });
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

void require_differences(const Config& data, const Dataset& examples) {
  if (examples.size() < 2) return;
  const Tensor two = examples.loaded(0, 2).inputs;
  if (!at::equal(two[0], two[1])) return;
  bool same = true;
  each_piece(examples, [&](const Tensor& inputs, const Tensor&) {
    same = same && inputs.eq(two[0]).all().item<bool>();
  });
  if (!same) return;
  throw ConfigError(
      data.pointer(),
      fmt::format("all {} examples have the same inputs", examples.size()));
}

namespace {

/// Refuses the first number of these inputs that is not finite in the type.
void require_finite(
    const Config& data, const Tensor& inputs, at::ScalarType type,
    bool is_standardized,
    const std::function<std::string(std::int64_t example, std::int64_t number)>&
        place) {
  // NaN is the least and the largest number if there is one.
  const auto [least, largest] = at::aminmax(inputs);
  if ((largest - least).to(type).isfinite().item<bool>() &&
      largest.to(type).isfinite().item<bool>()) {
    return;
  }
  const Tensor bad = inputs.to(type).isfinite().logical_not();
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.flatten(1).nonzero()[0];
  const auto example = first[0].item<std::int64_t>();
  const auto number = first[1].item<std::int64_t>();
  const auto value = inputs[example].flatten()[number].item<double>();
  throw ConfigError(
      data.pointer(),
      std::isfinite(value)
          ? fmt::format("{} is {:.6g}{}, which {} cannot hold; take "
                        "\"dtype\": \"float64\" or other units",
                        place(example, number), value,
                        is_standardized ? " once it is standardized" : "",
                        dtype_name(type))
          : fmt::format("{} is not a finite number", place(example, number)));
}

}  // namespace

void require_representable(const Config& data, const Splits& splits,
                           at::ScalarType type, const Place& place) {
  if (!at::isFloatingType(splits.train.inputs.scalar_type())) return;
  for (const Part part : {Part::kTrain, Part::kValid, Part::kTest}) {
    const Dataset* const set = part == Part::kTrain   ? &splits.train
                               : part == Part::kValid ? &splits.valid
                                                      : &splits.test;
    if (set->stored && set->stored->finite) continue;
    each_piece(*set, [&](const Tensor& inputs, const Tensor& examples) {
      require_finite(data, inputs, type, splits.mean.defined(),
                     [&](std::int64_t example, std::int64_t number) {
                       return place_of(
                           place, part,
                           examples.defined()
                               ? examples[example].item<std::int64_t>()
                               : example,
                           number);
                     });
    });
  }
  warn_of_lost_digits(data, splits, type, place);
}

}  // namespace nestgrad
