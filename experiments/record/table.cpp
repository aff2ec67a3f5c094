#include "experiments/record/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/metric.h"
#include "core/platform/text.h"
#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

std::size_t rank(const std::string& metric) {
  const char* const order[] = {"train_loss", "train_accuracy",
                               "valid_loss", "valid_accuracy",
                               "test_loss",  "test_accuracy"};
  return static_cast<std::size_t>(
      std::find(std::begin(order), std::end(order), metric) -
      std::begin(order));
}

std::string cell(const std::string& metric, const Row& row) {
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) return "-";
  const auto spread = row.deviation.find(metric);
  return spread == row.deviation.end()
             ? format_metric(metric, found->second)
             : format_metric(metric, found->second, spread->second);
}

}  // namespace

std::string format_metric(const std::string& metric, double value,
                          std::optional<double> deviation) {
  if (is_accuracy(metric)) {
    return deviation
               ? fmt::format("{:.2f} ± {:.2f} %", 100 * value, 100 * *deviation)
               : fmt::format("{:.2f} %", 100 * value);
  }
  return deviation ? fmt::format("{:.4g} ± {:.2g}", value, *deviation)
                   : fmt::format("{:.4g}", value);
}

std::string format_table(const std::vector<Row>& rows) {
  std::vector<std::string> columns;
  std::size_t first = 0;
  for (const Row& row : rows) {
    first = std::max(first, row.name.size());
    for (const auto& [metric, value] : row.metrics) {
      if (std::count(columns.begin(), columns.end(), metric) == 0) {
        columns.push_back(metric);
      }
    }
  }
  std::stable_sort(columns.begin(), columns.end(),
                   [](const std::string& a, const std::string& b) {
                     return rank(a) < rank(b);
                   });
  std::string text = fmt::format("{:{}}", "", first);
  std::vector<std::size_t> widths;
  for (const std::string& metric : columns) {
    widths.push_back(std::max<std::size_t>(14, metric.size()));
    for (const Row& row : rows) {
      widths.back() =
          std::max(widths.back(), character_count(cell(metric, row)));
    }
    std::string title = metric;
    std::replace(title.begin(), title.end(), '_', ' ');
    text += fmt::format("  {:>{}}", title, widths.back());
  }
  text += "\n";
  for (const Row& row : rows) {
    text += fmt::format("{:{}}", row.name, first);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      text += fmt::format("  {:>{}}", cell(columns[i], row), widths[i]);
    }
    text += "\n";
  }
  return text;
}

std::string format_hyperparameters(const ParameterSet& start,
                                   const ParameterSet& found) {
  const auto before = summary_of(start), after = summary_of(found);
  std::string text;
  for (std::size_t i = 0; i < after.size(); ++i) {
    text += fmt::format("{}  {:.3g} -> {:.3g}\n", after[i].first,
                        before[i].second, after[i].second);
  }
  return text;
}

}  // namespace nestgrad
