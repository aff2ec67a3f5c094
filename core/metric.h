#pragma once

#include <string>

namespace nestgrad {

/// A larger accuracy is better; for all other metrics, smaller is better.
inline bool is_accuracy(const std::string& metric) {
  return metric.find("accuracy") != std::string::npos;
}

/// The value, negated where larger is better.
inline double to_minimize(const std::string& metric, double value) {
  return is_accuracy(metric) ? -value : value;
}

}  // namespace nestgrad
