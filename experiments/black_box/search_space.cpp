#include "experiments/black_box/search_space.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

using Kind = Coordinates::Kind;

/// What initial values are divided by and multiplied with.
constexpr double kReach = 1000;

/// The share of an open interval that is left out at each end.
constexpr double kMargin = 1e-6;

bool stays_positive(const Coordinates& coordinates) {
  return coordinates.kind == Kind::kLog || coordinates.kind == Kind::kSoftplus;
}

/// The interval that suits the coordinates of a hyperparameter.
std::pair<double, double> usual_interval(const HyperSpec& spec) {
  const Coordinates& coordinates = spec.coordinates;
  if (stays_positive(coordinates)) {
    return {spec.initial.min().item<double>() / kReach,
            spec.initial.max().item<double>() * kReach};
  }
  require(coordinates.kind == Kind::kLogit,
          "'{0}' may be any real number, so a search needs an interval: "
          "--range {0}=LOW:HIGH",
          spec.name);
  const double margin = kMargin * (coordinates.high - coordinates.low);
  return {coordinates.low + margin, coordinates.high - margin};
}

}  // namespace

SearchSpace::SearchSpace(const std::vector<HyperSpec>& space,
                         const Intervals& given) {
  std::vector<std::string> names;
  for (const HyperSpec& spec : space) {
    if (!spec.tuned) continue;
    names.push_back(spec.name);
    tuned_.push_back(spec);
    const auto found = given.find(spec.name);
    const auto [low, high] =
        found == given.end() ? usual_interval(spec) : found->second;
    require(low < high && spec.coordinates.contains(low) &&
                spec.coordinates.contains(high),
            "the interval of '{}' must have two ends, the lower one first, "
            "each {}; it is from {} to {}",
            spec.name, spec.coordinates.describe(), low, high);
    const std::int64_t count = spec.initial.numel();
    for (std::int64_t i = 0; i < count; ++i) {
      numbers_.push_back(
          {count == 1 ? spec.name : fmt::format("{}.{}", spec.name, i), low,
           high, stays_positive(spec.coordinates)});
    }
  }
  for (const auto& entry : given) {
    bool known = false;
    for (const std::string& name : names) known = known || name == entry.first;
    require(known, "there is no tuned hyperparameter '{}'; there are: {}",
            entry.first, fmt::join(names, ", "));
  }
}

ParameterSet SearchSpace::hyper(const std::vector<double>& values) const {
  require(values.size() == numbers_.size(), "{} values for {} numbers",
          values.size(), numbers_.size());
  const Tensor all = at::tensor(values, at::kDouble);
  ParameterSet out;
  std::int64_t first = 0;
  for (const HyperSpec& spec : tuned_) {
    const std::int64_t count = spec.initial.numel();
    const Tensor natural =
        all.narrow(0, first, count).view(spec.initial.sizes());
    out.insert(spec.name, spec.coordinates.unconstrained(natural).to(
                              spec.initial.options()));
    first += count;
  }
  return out;
}

}  // namespace nestgrad
