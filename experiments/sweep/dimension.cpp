#include "experiments/sweep/dimension.h"

#include <algorithm>
#include <cmath>

namespace nestgrad {

Schema Dimension::schema() {
  return Schema("The values of a key: a list, or an interval of numbers.")
      .json("values", kAbsent, "A list of values.")
      .number("low", kAbsent, "The least number of an interval.")
      .number("high", kAbsent, "The largest number of an interval.")
      .choice("scale", "linear",
              "Whether numbers or their logarithms are uniformly distributed.",
              {"linear", "log"})
      .boolean("whole", false, "Whether only whole numbers are taken.")
      .integer("points", 5, "Number of values of an interval in a grid.",
               from_to(2, 10000))
      .integer("count", 0,
               "If positive, the value is a list of this many independent "
               "numbers. 0: one number.",
               from_to(0, 1000000));
}

Dimension::Dimension(std::string key, const Config& config)
    : key_(std::move(key)),
      pointer_(config.pointer()),
      logarithmic_(config.text("scale") == "log"),
      whole_(config.boolean("whole")),
      points_(config.integer("points")),
      count_(config.integer("count")) {
  const bool range = config.has("low") && config.has("high");
  if (config.has("values") == (config.has("low") || config.has("high")) ||
      (!config.has("values") && !range)) {
    throw ConfigError(
        config.pointer(),
        "must have either \"values\" or both \"low\" and \"high\"");
  }
  if (range) {
    low_ = config.number("low");
    high_ = config.number("high");
    if (whole_) {
      low_ = std::ceil(low_);
      high_ = std::floor(high_);
    }
    const bool empty = whole_ ? low_ > high_ : !(low_ < high_);
    if (empty) config.fail("high", "must be above \"low\"");
    if (logarithmic_ && low_ <= 0) {
      config.fail("low", "must be above 0 for a logarithmic scale");
    }
    return;
  }
  const Json& values = config.value("values");
  if (!values.is_array() || values.empty()) {
    config.fail("values", "must be a list with at least one value");
  }
  values_.assign(values.begin(), values.end());
}

Json Dimension::between(double u) const {
  if (!values_.empty()) {
    const auto n = static_cast<double>(values_.size());
    const auto i = static_cast<std::size_t>(std::floor(u * n));
    return values_[std::min(i, values_.size() - 1)];
  }
  if (whole_ && !logarithmic_) {
    // Equal probability for each number, including both ends.
    return static_cast<std::int64_t>(
        std::min(high_, low_ + std::floor(u * (high_ - low_ + 1))));
  }
  const double value = logarithmic_ ? low_ * std::pow(high_ / low_, u)
                                    : low_ + u * (high_ - low_);
  if (whole_) {
    return static_cast<std::int64_t>(
        std::clamp(std::round(value), low_, high_));
  }
  return value;
}

Json Dimension::value_at(const double* coordinates) const {
  if (count_ == 0) return between(coordinates[0]);
  Json list = Json::array();
  for (std::int64_t i = 0; i < count_; ++i) {
    list.push_back(between(coordinates[i]));
  }
  return list;
}

std::vector<Json> Dimension::grid() const {
  if (count_ > 1) {
    throw ConfigError(pointer_ + "/count", "must be 0 or 1 in a grid");
  }
  if (!values_.empty()) return values_;
  std::vector<Json> out;
  for (std::int64_t i = 0; i < points_; ++i) {
    const double u = static_cast<double>(i) / static_cast<double>(points_ - 1);
    double value = logarithmic_ ? low_ * std::pow(high_ / low_, u)
                                : low_ + u * (high_ - low_);
    if (i + 1 == points_) value = high_;
    Json number = value;
    if (whole_) number = static_cast<std::int64_t>(std::round(value));
    if (count_ == 1) number = Json::array({number});
    if (out.empty() || out.back() != number) out.push_back(number);
  }
  return out;
}

}  // namespace nestgrad
