#include "core/metric.h"

#include <algorithm>
#include <array>

namespace nestgrad {
namespace {

std::string without_class(const std::string& metric) {
  return metric.substr(0, metric.find('.'));
}

}  // namespace

bool is_accuracy(const std::string& metric) {
  return without_class(metric).find("accuracy") != std::string::npos;
}

bool is_larger_better(const std::string& metric) {
  if (is_accuracy(metric)) return true;
  const std::string name = without_class(metric);
  const std::string last = name.substr(name.rfind('_') + 1);
  constexpr std::array<const char*, 4> kScores = {"recall", "f1", "r2", "auc"};
  return std::find(kScores.begin(), kScores.end(), last) != kScores.end();
}

double to_minimize(const std::string& metric, double value) {
  return is_larger_better(metric) ? -value : value;
}

}  // namespace nestgrad
