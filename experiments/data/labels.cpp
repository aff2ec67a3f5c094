#include "experiments/data/labels.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/warnings.h"

namespace nestgrad {
namespace {

constexpr const char* kClasses = "classes";

/// So few classes are plausible in a table of any length.
constexpr std::int64_t kFew = 5;

/// More classes than that, if they are numbers, look like a quantity.
constexpr std::int64_t kMany = 20;

/// The first numbers of a list: "0, 3, 4, ...".
std::string some(const std::vector<std::int64_t>& numbers) {
  constexpr std::size_t kShown = 5;
  const auto end = numbers.begin() + static_cast<std::ptrdiff_t>(
                                         std::min(kShown, numbers.size()));
  return fmt::format("{}{}", fmt::join(numbers.begin(), end, ", "),
                     numbers.size() > kShown ? ", ..." : "");
}

/// What to do if labels are a quantity: "set ... or choose another target".
std::string otherwise(const Labels& labels) {
  if (labels.numbers_key.empty()) return "choose another target";
  return fmt::format(
      "set \"{}\" to \"numbers\" and the \"loss\" of the problem to one of "
      "numbers, such as \"squared_error\"",
      labels.numbers_key);
}

void warn_of_missing(const Labels& labels, const Tensor& counts) {
  std::vector<std::int64_t> missing;
  for (std::int64_t c = 0; c < labels.classes; ++c) {
    if (counts[c].item<std::int64_t>() == 0) missing.push_back(c);
  }
  const bool from_one = missing.size() == 1 && missing[0] == 0;
  add_warning(fmt::format(
      "{}: no example has {} {}; {}", labels.where,
      missing.size() == 1 ? "the class" : "the classes", some(missing),
      from_one ? "classes are numbered from 0, so subtract 1 from all labels "
                 "if yours are numbered from 1"
               : fmt::format("\"classes\": {} in \"data\" says that this is "
                             "right",
                             labels.classes)));
}

}  // namespace

Schema with_classes_key(Schema schema) {
  return schema.integer(
      kClasses, kAbsent,
      "Number of classes. Left out: as many as the labels show. Labels that do "
      "not look like classes are refused unless this key is given.",
      at_least(1));
}

std::int64_t read_classes(const Config& config) {
  return config.has(kClasses) ? config.integer(kClasses) : 0;
}

std::int64_t number_of_classes(const Labels& labels) {
  if (labels.told > 0) {
    require(labels.told >= labels.classes,
            "{}: \"classes\" is {}, but the labels show {}", labels.where,
            labels.told, labels.classes);
    return labels.told;
  }
  const std::int64_t examples = labels.targets.size(0);
  const Tensor counts = at::bincount(labels.targets, {}, labels.classes);
  const auto met = counts.gt(0).sum().item<std::int64_t>();
  require(met > 1 || examples < 2,
          "{}: all {} examples have the same class, so there is nothing to "
          "tell apart; choose another target, or set \"classes\": {} if that "
          "is meant",
          labels.where, examples, labels.classes);
  require(
      met <= kFew || 2 * met <= examples,
      "{}: {} distinct values in {} examples look like a quantity or a "
      "name, not like classes; {}, group the values, or set \"classes\": {} if "
      "each of them is a class",
      labels.where, met, examples, otherwise(labels), labels.classes);
  require(
      met <= kMany || labels.fractions == 0,
      "{}: {} distinct values, {} of the labels with a fraction, look like "
      "a quantity, not like classes; {}, group the values, or set \"classes\": "
      "{} if each of them is a class",
      labels.where, met, labels.fractions, otherwise(labels), labels.classes);
  if (met > kMany && !labels.numbers.empty()) {
    add_warning(fmt::format(
        "{}: {} distinct numbers {} are taken for classes; if they are a "
        "quantity, {} or group the values (\"classes\": {} in \"data\" says "
        "that this is right)",
        labels.where, met, labels.numbers, otherwise(labels), labels.classes));
  }
  if (labels.distinct_values) return labels.classes;
  require(labels.classes <= kFew || 2 * met >= labels.classes,
          "{}: labels are {} different numbers from {} to {}, which makes {} "
          "classes, most of them without an example; number the classes from 0 "
          "on, or set \"classes\": {} if that is meant",
          labels.where, met, labels.targets.min().item<std::int64_t>(),
          labels.classes - 1, labels.classes, labels.classes);
  if (met < labels.classes) warn_of_missing(labels, counts);
  return labels.classes;
}

}  // namespace nestgrad
