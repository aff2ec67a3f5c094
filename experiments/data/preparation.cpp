#include "experiments/data/preparation.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/platform/warnings.h"
#include "core/tensor/numbers.h"
#include "experiments/data/scaling/statistics.h"

namespace nestgrad {
namespace {

/// A mean that is this much larger than the deviation leaves float32 few digits
/// of the latter.
constexpr double kFarFromZero = 1e3;

/// The most numbers of an example that are whitened: their matrix has a
/// gigabyte in double precision.
constexpr std::int64_t kMostWhitened = 11000;

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

/// Looks for features whose differences rounding takes away.
class LostDigits {
 public:
  explicit LostDigits(at::ScalarType type) : type_(type) {}

  void add(const Tensor& inputs) {
    const Tensor lost = (inputs.to(type_).to(inputs.scalar_type()) - inputs)
                            .abs()
                            .reshape({inputs.size(0), inputs.size(1), -1})
                            .amax({0, 2});
    greatest_ = greatest_.defined() ? at::maximum(greatest_, lost) : lost;
    moments_.add(inputs);
  }

  void warn(const Config& data, const Dataset& train,
            const Place& place) const {
    const Tensor kept = moments_.statistics().deviation.flatten();
    const Tensor bad = (greatest_ > kRounding * kept).logical_and(kept > 0);
    if (!bad.any().item<bool>()) return;
    const std::int64_t per_feature =
        train.inputs[0].numel() / train.inputs.size(1);
    const auto first = bad.nonzero()[0].item<std::int64_t>();
    const auto count = bad.sum().item<std::int64_t>();
    add_warning(fmt::format(
        "{} is {:.10g}, and the values of this feature{} differ so little from "
        "each other that {} rounds their differences; {}take \"precision\": "
        "\"float64\" or other units",
        place_of(place, Part::kTrain, 0, first * per_feature),
        train.loaded(0, 1).inputs.flatten()[first * per_feature].item<double>(),
        count > 1 ? fmt::format(" (and of {} more)", count - 1) : "",
        dtype_name(type_),
        data.boolean("standardize") ? "" : "set \"standardize\" to true, "));
  }

 private:
  at::ScalarType type_;
  Tensor greatest_;  // difference, for each index of dimension 1
  Moments moments_;
};

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
  const Tensor deviation = usable_deviation(of, std::min(1e-6, rounding));
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    *part = part->converted([mean = of.mean, deviation](const Tensor& x) {
      return scaled(x, mean, deviation);
    });
  }
  splits.scaling.mean = of.mean;
  splits.scaling.deviation = deviation;
  return splits;
}

Splits whitened(Splits splits, const Config& data) {
  const Tensor& inputs = splits.train.inputs;
  if (!at::isFloatingType(inputs.scalar_type())) {
    data.fail("whiten", "must be 0 for tokens, which have no variance");
  }
  const auto d = inputs.numel() / inputs.size(0);
  if (d > kMostWhitened) {
    data.fail("whiten", fmt::format("must be 0 for inputs of more than {} "
                                    "numbers; these have {}",
                                    kMostWhitened, d));
  }
  if (splits.train.stored) {
    data.fail("whiten", "must be 0 for inputs that stay in a file");
  }
  Covariance covariance;
  covariance.add(inputs);
  InputScaling scaling;
  try {
    scaling = covariance.whitening(data.number("whiten"));
  } catch (const Error&) {
    data.fail("whiten", "must be 0 where the training inputs do not differ");
  }
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    *part = part->converted(
        [scaling](const Tensor& x) { return scaling.applied(x); });
  }
  splits.scaling.center = scaling.center;
  splits.scaling.whitening = scaling.whitening;
  splits.scaling.coloring = scaling.coloring;
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
  const bool same =
      every_piece(examples, [&](const Tensor& inputs, const Tensor&) {
        return inputs.eq(two[0]).all().item<bool>();
      });
  if (!same) return;
  throw ConfigError(
      data.pointer(),
      fmt::format("all {} examples have the same inputs", examples.size()));
}

void require_representable(const Config& data, const Splits& splits,
                           at::ScalarType type, const Place& place) {
  const Tensor& inputs = splits.train.inputs;
  if (!at::isFloatingType(inputs.scalar_type())) return;
  const bool rounds = inputs.scalar_type() != type && inputs.size(0) > 1;
  LostDigits digits(type);
  for (const Part part : {Part::kTrain, Part::kValid, Part::kTest}) {
    const Dataset* const set = part == Part::kTrain   ? &splits.train
                               : part == Part::kValid ? &splits.valid
                                                      : &splits.test;
    const bool is_finite = set->stored && set->stored->finite;
    const bool is_rounded = rounds && part == Part::kTrain;
    if (is_finite && !is_rounded) continue;
    each_piece(*set, [&](const Tensor& piece, const Tensor& examples) {
      if (is_rounded) digits.add(piece);
      if (is_finite) return;
      const auto bad = first_bad_number(piece, type);
      if (!bad) return;
      const std::int64_t example =
          examples.defined() ? examples[bad->example].item<std::int64_t>()
                             : bad->example;
      throw ConfigError(data.pointer(),
                        place_of(place, part, example, bad->number) +
                            bad->reason(type, splits.scaling.standardizes()));
    });
  }
  if (rounds) digits.warn(data, splits.train, place);
}

}  // namespace nestgrad
