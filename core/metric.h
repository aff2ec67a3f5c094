#pragma once

#include <string>

namespace nestgrad {

/// Accuracies are better when they are larger, all other metrics when they are
/// smaller.
inline bool is_accuracy(const std::string& metric) {
  return metric.find("accuracy") != std::string::npos;
}

/// The value as something that is better when it is smaller.
inline double to_minimize(const std::string& metric, double value) {
  return is_accuracy(metric) ? -value : value;
}

}  // namespace nestgrad
