#include "experiments/data/array_examples.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "experiments/data/arrays/number_type.h"
#include "experiments/data/labels.h"

namespace nestgrad {
namespace {

/// Images whose pixels are all below this are too dark to be images.
constexpr int kDark = 32;

/// So many examples of a file are looked at for dark pixels.
constexpr std::int64_t kSome = 1000;

void require_axes(at::IntArrayRef sizes, const std::string& place) {
  require(sizes.size() >= 2,
          "{}: expected 2 or more dimensions, the first of which counts the "
          "examples, found {}",
          place, sizes.size());
  require(sizes[0] > 0, "{}: has no examples", place);
}

void warn_of_dark(const Tensor& inputs, const std::string& place) {
  const auto largest = inputs.max().item<int>();
  if (largest >= kDark) return;
  add_warning(fmt::format(
      "{}: bytes (u1) are taken for pixels and divided by 255, but the largest "
      "is {}; save numbers as f4",
      place, largest));
}

/// In the type that inputs of this type are used in. Not float32 for whole
/// numbers, of which it has too few.
Tensor as_inputs(const Tensor& t) {
  switch (t.scalar_type()) {
    case at::kByte:
    case at::kFloat:
    case at::kDouble:
      return t;
    case at::kHalf:
    case at::kBFloat16:
    case at::kBool:
      return t.to(at::kFloat);
    default:
      return t.to(at::kDouble);
  }
}

/// Of inputs or targets: in their own words.
std::string dimensions(const Tensor& t) {
  return fmt::format("{} of {}", t.dim(), c10::toString(t.scalar_type()));
}

Tensor classes_in(const ArrayPart& part, const TargetKeys& keys) {
  const Tensor& t = part.targets;
  require(t.dim() == 1 && !t.is_floating_point(),
          "{}: expected one dimension of whole numbers, the classes, found {}; "
          "set \"{}\" to \"numbers\" if the targets are quantities or "
          "probabilities",
          part.targets_place, dimensions(t), keys.name);
  const Tensor classes = t.to(at::kLong);
  const auto least = classes.min().item<std::int64_t>();
  const auto largest = classes.max().item<std::int64_t>();
  require(least >= 0 && largest < kMostClasses,
          "{}: expected classes from 0 to at most {}, found {}",
          part.targets_place, kMostClasses - 1, least < 0 ? least : largest);
  return classes;
}

Tensor numbers_in(const ArrayPart& part) {
  const Tensor& t = part.targets;
  require(t.dim() == 1 || t.dim() == 2,
          "{}: expected numbers [examples] or [examples, numbers], found {}",
          part.targets_place, dimensions(t));
  Tensor numbers =
      t.scalar_type() == at::kByte ? t.to(at::kDouble) : as_inputs(t);
  if (numbers.dim() == 1) numbers = numbers.unsqueeze(1);
  require(numbers.isfinite().all().item<bool>(),
          "{}: expected finite numbers, found NaN or infinity",
          part.targets_place);
  return numbers;
}

Dataset targeted(const ArrayPart& part, const TargetKeys& keys) {
  Dataset data = part.inputs;
  data.targets = keys.are_numbers ? numbers_in(part) : classes_in(part, keys);
  require(data.targets.size(0) == data.size(),
          "{}: expected {} {}, one for every example in {}, found {}",
          part.targets_place, data.size(),
          keys.are_numbers ? "targets" : "classes", part.place,
          data.targets.size(0));
  return data;
}

void require_alike(const ArrayPart& a, const Dataset& first, const ArrayPart& b,
                   const Dataset& second) {
  const Tensor &x = first.inputs, &y = second.inputs;
  require(x.sizes().slice(1) == y.sizes().slice(1),
          "{}: examples have the shape ({}), those in {} have ({})", b.place,
          fmt::join(y.sizes().slice(1), ", "), a.place,
          fmt::join(x.sizes().slice(1), ", "));
  require((x.scalar_type() == at::kByte) == (y.scalar_type() == at::kByte),
          "{}: inputs are {}, those in {} are {}; bytes are divided by 255, so "
          "either all of them must be bytes or none",
          b.place, c10::toString(y.scalar_type()), a.place,
          c10::toString(x.scalar_type()));
  const auto targets = [](const Dataset& data) {
    return data.targets.dim() == 1 ? 1 : data.targets.size(1);
  };
  require(targets(first) == targets(second),
          "{}: the number of targets of an example is {}, in {} it is {}",
          b.targets_place, targets(second), a.targets_place, targets(first));
}

}  // namespace

Schema TargetKeys::with(Schema schema, const char* name) {
  return with_classes_key(schema.choice(
      name, "classes",
      "What the targets are: the numbers of classes, [examples]; or "
      "quantities, [examples] or [examples, numbers], for losses of numbers.",
      {"classes", "numbers"}));
}

TargetKeys TargetKeys::read(const Config& config, const char* name) {
  const bool numbers = config.text(name) == "numbers";
  if (numbers && config.has("classes")) {
    config.fail("classes", "must be left out where targets are numbers");
  }
  return {name, numbers, read_classes(config)};
}

Dataset array_inputs(const Tensor& array, const std::string& place) {
  require_axes(array.sizes(), place);
  Dataset out;
  out.inputs = as_inputs(array);
  if (out.inputs.scalar_type() == at::kByte) warn_of_dark(out.inputs, place);
  require(!out.inputs.is_floating_point() ||
              at::isfinite(out.inputs).all().item<bool>(),
          "{}: expected finite numbers, found NaN or infinity", place);
  return out;
}

Dataset array_inputs(const StoredRows& rows, const std::string& place) {
  require_axes(rows.shape(), place);
  const at::ScalarType type =
      as_inputs(at::empty({0}, rows.type())).scalar_type();
  if (type == at::kByte) {
    const std::int64_t n = std::min(kSome, rows.shape()[0]);
    warn_of_dark(rows.rows(at::arange(n, at::kLong)), place);
  }
  return Dataset::in_file(
      [rows](const Tensor& wanted) { return as_inputs(rows.rows(wanted)); },
      rows.shape(), type, !at::isFloatingType(rows.type()));
}

Examples examples_of(const ArrayParts& parts, const TargetKeys& keys) {
  Examples out;
  std::vector<Tensor> targets;
  std::vector<std::pair<std::string, std::int64_t>> places;
  for (const auto& [part, data] : {std::pair(&parts.training, &out.training),
                                   std::pair(&parts.valid, &out.valid),
                                   std::pair(&parts.test, &out.test)}) {
    if (!part->inputs.inputs.defined()) continue;
    *data = targeted(*part, keys);
    require_alike(parts.training, out.training, *part, *data);
    targets.push_back(data->targets);
    places.emplace_back(part->place, data->size());
  }
  if (!keys.are_numbers) {
    Labels labels;
    labels.where = parts.training.targets_place;
    labels.targets = at::cat(targets);
    labels.classes = labels.targets.max().item<std::int64_t>() + 1;
    labels.told = keys.told_classes;
    labels.numbers_key = keys.name;
    out.training.classes = number_of_classes(labels);
    out.valid.classes = out.test.classes = out.training.classes;
  }
  out.place = [places](std::int64_t example, std::int64_t number) {
    std::size_t part = 0;
    while (example >= places[part].second) example -= places[part++].second;
    return fmt::format("{}: number {} of example {}, both counted from 0,",
                       places[part].first, number, example);
  };
  return out;
}

std::optional<std::pair<std::string, std::string>> paired_paths(
    const Config& config, const char* first, const char* second) {
  const bool has_first = config.has(first), has_second = config.has(second);
  if (!has_first && !has_second) return {};
  const auto together = [](const char* key) {
    return fmt::format("must come together with '{}'", key);
  };
  if (!has_first) config.fail(second, together(first));
  if (!has_second) config.fail(first, together(second));
  return std::pair(config.path(first), config.path(second));
}

}  // namespace nestgrad
