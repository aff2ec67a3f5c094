#include "experiments/data/targets.h"

#include <ATen/ATen.h>

#include <limits>
#include <string>
#include <utility>

#include "experiments/data/scaling/statistics.h"

namespace nestgrad {
namespace {

std::string name_of(const Dataset& data, std::int64_t number) {
  if (data.target_names.empty()) return fmt::format("{}", number);
  return fmt::format("'{}'",
                     data.target_names[static_cast<std::size_t>(number)]);
}

void require_finite(const Config& data, const Dataset& examples,
                    const char* part, at::ScalarType type, bool standardized) {
  const auto bad = first_bad_number(examples.targets, type);
  if (!bad) return;
  throw ConfigError(data.pointer(),
                    fmt::format("target {} of {} example {}{}",
                                name_of(examples, bad->number), part,
                                bad->example, bad->reason(type, standardized)));
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
  splits.target_mean = mean;
  splits.target_deviation = usable_deviation({variance.sqrt(), mean}, rounding);
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    part->targets =
        scaled(part->targets, splits.target_mean, splits.target_deviation);
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
