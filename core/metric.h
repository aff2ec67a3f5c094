#pragma once

#include <string>

namespace nestgrad {

// What the name of a metric says: "valid_accuracy", "test_recall.malignant".
// What follows the first dot names a class or a target, and nothing else.

/// Accuracies are shares of right answers, which people read as percentages.
bool is_accuracy(const std::string& metric);

/// Accuracies, recall, F1, R2 and areas under curves (roc_auc) shall be large.
/// Of all other metrics, smaller values are better.
bool is_larger_better(const std::string& metric);

/// The value, negated where larger is better.
double to_minimize(const std::string& metric, double value);

}  // namespace nestgrad
