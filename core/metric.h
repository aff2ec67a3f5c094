#pragma once

#include <string>

namespace nestgrad {

// What the name of a metric says: "valid_accuracy", "test_recall.malignant".
// What follows the first dot names a class or a target, and nothing else.

/// Accuracies are shares of right answers, which people read as percentages.
inline bool is_accuracy(const std::string& metric) {
  return metric.substr(0, metric.find('.')).find("accuracy") !=
         std::string::npos;
}

/// Accuracies, recall, F1, R2 and areas under curves (roc_auc) shall be large.
/// Of all other metrics, smaller values are better.
inline bool is_larger_better(const std::string& metric) {
  if (is_accuracy(metric)) return true;
  const std::string name = metric.substr(0, metric.find('.'));
  const std::string last = name.substr(name.rfind('_') + 1);
  for (const char* score : {"recall", "f1", "r2", "auc"}) {
    if (last == score) return true;
  }
  return false;
}

/// The value, negated where larger is better.
inline double to_minimize(const std::string& metric, double value) {
  return is_larger_better(metric) ? -value : value;
}

}  // namespace nestgrad
