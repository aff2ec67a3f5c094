#include "experiments/data/targets.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/tensor/numbers.h"

namespace nestgrad {
namespace {

std::string name_of(const Dataset& data, std::int64_t number) {
  if (data.target_names.empty()) return fmt::format("{}", number);
  return fmt::format("'{}'",
                     data.target_names[static_cast<std::size_t>(number)]);
}

void require_finite(const Config& data, const Dataset& examples,
                    const char* part, at::ScalarType type, bool standardized) {
  const Tensor bad = examples.targets.to(type).isfinite().logical_not();
  if (!bad.any().item<bool>()) return;
  const Tensor first = bad.flatten(1).nonzero()[0];
  const auto example = first[0].item<std::int64_t>();
  const auto number = first[1].item<std::int64_t>();
  const auto value = examples.targets[example].flatten()[number].item<double>();
  const std::string what = fmt::format(
      "target {} of {} example {}", name_of(examples, number), part, example);
  throw ConfigError(
      data.pointer(),
      std::isfinite(value)
          ? fmt::format("{} is {:.6g}{}, which {} cannot hold; take \"dtype\": "
                        "\"float64\" or other units",
                        what, value,
                        standardized ? " once it is standardized" : "",
                        dtype_name(type))
          : fmt::format("{} is not a finite number", what));
}

}  // namespace

Splits with_standardized_targets(Splits splits, const Config& data) {
  if (!at::isFloatingType(splits.train.targets.scalar_type())) {
    data.fail("standardize_targets", "must be false for classes");
  }
  const auto [variance, mean] =
      at::var_mean(splits.train.targets.to(at::kDouble), at::IntArrayRef{0},
                   /*unbiased=*/false, /*keepdim=*/false);
  // The error of a mean is at most that of the sum behind it.
  const double rounding = std::numeric_limits<double>::epsilon() *
                          static_cast<double>(splits.train.size());
  const Tensor deviation = variance.sqrt();
  splits.target_mean = mean;
  splits.target_deviation = at::where(deviation > rounding * mean.abs(),
                                      deviation, at::ones_like(deviation));
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    part->targets =
        (part->targets.to(at::kDouble) - mean).div_(splits.target_deviation);
  }
  return splits;
}

void require_representable_targets(const Config& data, const Splits& splits,
                                   at::ScalarType type) {
  if (!at::isFloatingType(splits.train.targets.scalar_type())) return;
  for (const auto& [part, name] : {std::pair(&splits.train, "training"),
                                   std::pair(&splits.valid, "validation"),
                                   std::pair(&splits.test, "test")}) {
    require_finite(data, *part, name, type, splits.target_mean.defined());
  }
}

}  // namespace nestgrad
