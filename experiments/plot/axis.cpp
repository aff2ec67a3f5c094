#include "experiments/plot/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nestgrad {
namespace {

constexpr double kLargest = 1e250;
constexpr double kSmallest = 1e-250;
constexpr double kRounding = 1e-9;
constexpr int kMantissas[] = {1, 2, 5};

/// count 10^exponent, rounded once: 6 10^-1 is exactly the number written 0.6.
double decimal(double count, int exponent) {
  return exponent < 0 ? count / std::pow(10.0, -exponent)
                      : count * std::pow(10.0, exponent);
}

int floor_log10(double value) {
  return static_cast<int>(std::floor(std::log10(value) + kRounding));
}

/// A unit for large numbers: thousands or millions.
struct Unit {
  int exponent;
  const char* suffix;
};

Unit unit_of(int exponent) {
  if (exponent >= 6) return {6, "M"};
  if (exponent >= 4) return {3, "k"};
  return {0, ""};
}

/// Whether numbers of this magnitude are written without an exponent.
bool reads_well(int exponent) { return exponent >= -3 && exponent < 9; }

std::string without_trailing_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

/// Multiples of mantissa 10^exponent, all with equally many decimals.
std::vector<Tick> multiples(double first, double last, int mantissa,
                            int exponent) {
  const double step = decimal(mantissa, exponent);
  const int largest =
      floor_log10(std::max({std::abs(first), std::abs(last), 1.0}) * step);
  const Unit unit = unit_of(largest);
  const int decimals = std::max(0, unit.exponent - exponent);
  std::vector<Tick> result;
  for (double i = first; i <= last; ++i) {
    const double value = decimal(i * mantissa, exponent);
    std::string label = "0";
    if (i != 0) {
      label = reads_well(largest)
                  ? fmt::format("{:.{}f}{}", decimal(value, -unit.exponent),
                                decimals, unit.suffix)
                  : brief(value, largest - exponent + 1);
    }
    result.push_back({value, label});
  }
  return result;
}

std::vector<Tick> linear_ticks(const Axis& axis, int most) {
  const double smallest = (axis.high - axis.low) / most;
  for (int exponent = axis.whole ? std::max(0, floor_log10(smallest))
                                 : floor_log10(smallest);
       ; ++exponent) {
    for (const int mantissa : kMantissas) {
      const double step = decimal(mantissa, exponent);
      const double first = std::ceil(axis.low / step - kRounding);
      const double last = std::floor(axis.high / step + kRounding);
      if (last - first < most) {
        return multiples(first, last, mantissa, exponent);
      }
    }
  }
}

/// Every stride-th power of ten, with a stride of 1, 2, 5, 10, ...
std::vector<Tick> powers(int first, int last, int most) {
  const Axis exponents{static_cast<double>(first), static_cast<double>(last),
                       false, true};
  std::vector<Tick> result;
  for (const Tick& tick : linear_ticks(exponents, most)) {
    const double value = decimal(1, static_cast<int>(tick.value));
    result.push_back({value, brief(value)});
  }
  return result;
}

std::vector<Tick> logarithmic_ticks(const Axis& axis, int most) {
  const int first =
      static_cast<int>(std::ceil(std::log10(axis.low) - kRounding));
  const int last = floor_log10(axis.high);
  if (last - first >= 2) return powers(first, last, most);
  std::vector<Tick> result;
  for (int exponent = first - 1; exponent <= last; ++exponent) {
    for (const int mantissa : kMantissas) {
      const double value = decimal(mantissa, exponent);
      if (value >= axis.low * (1 - kRounding) &&
          value <= axis.high * (1 + kRounding)) {
        result.push_back({value, brief(value)});
      }
    }
  }
  return result.size() < 3 ? linear_ticks(axis, most) : result;
}

}  // namespace

double Axis::fraction(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  const double start = std::log(low);
  return (std::log(value) - start) / (std::log(high) - start);
}

bool has_place(double value, bool logarithmic) {
  return std::abs(value) <= kLargest && (!logarithmic || value >= kSmallest);
}

bool suits_logarithm(const std::vector<double>& values) {
  double low = INFINITY, high = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return low > 0 && high > 10 * low;
}

Axis axis_around(const std::vector<double>& values, bool logarithmic) {
  const auto [least, greatest] =
      std::minmax_element(values.begin(), values.end());
  Axis axis{*least, *greatest, logarithmic, true};
  for (const double value : values) {
    axis.whole = axis.whole && value == std::floor(value);
  }
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (axis.high - axis.low > std::max(1e-6 * size, kSmallest)) return axis;
  if (logarithmic) {
    axis.low /= 3;
    axis.high *= 3;
  } else {
    const double margin = size > kSmallest ? size / 2 : 1;
    axis.low -= margin;
    axis.high += margin;
  }
  return axis;
}

Axis widened(const Axis& axis, double share) {
  Axis result = axis;
  if (axis.logarithmic) {
    const double factor =
        std::pow(axis.high, share) / std::pow(axis.low, share);
    result.low /= factor;
    result.high *= factor;
    return result;
  }
  const double margin = share * (axis.high - axis.low);
  result.low -= margin;
  result.high += margin;
  if (axis.low >= 0) result.low = std::max(0.0, result.low);
  if (axis.high <= 0) result.high = std::min(0.0, result.high);
  return result;
}

std::vector<Tick> ticks(const Axis& axis, int most) {
  return axis.logarithmic ? logarithmic_ticks(axis, most)
                          : linear_ticks(axis, most);
}

std::string brief(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  if (value == 0) return "0";
  // Round first: 9999.9 becomes ten thousand.
  const std::string rounded = fmt::format("{:.{}e}", value, digits - 1);
  const std::size_t e = rounded.find('e');
  const int exponent = std::stoi(rounded.substr(e + 1));
  if (!reads_well(exponent)) {
    return without_trailing_zeros(rounded.substr(0, e)) + "e" +
           std::to_string(exponent);
  }
  const Unit unit = unit_of(exponent);
  const int decimals = std::max(0, digits - 1 - exponent + unit.exponent);
  return without_trailing_zeros(
             fmt::format("{:.{}f}", decimal(value, -unit.exponent), decimals)) +
         unit.suffix;
}

}  // namespace nestgrad
