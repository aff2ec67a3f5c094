#include "experiments/record/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/metric.h"
#include "core/platform/text.h"
#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

constexpr const char* kOrder[] = {"train_loss", "train_accuracy",
                                  "valid_loss", "valid_accuracy",
                                  "test_loss",  "test_accuracy"};

std::size_t rank(const std::string& metric) {
  return static_cast<std::size_t>(
      std::find(std::begin(kOrder), std::end(kOrder), metric) -
      std::begin(kOrder));
}

/// Whether a metric judges a part of the data otherwise than by its loss or
/// accuracy.
bool is_score(const std::string& metric) {
  for (const char* part : {"train_", "valid_", "test_"}) {
    if (metric.rfind(part, 0) != 0) continue;
    return std::find(std::begin(kOrder), std::end(kOrder), metric) ==
           std::end(kOrder);
  }
  return false;
}

std::string cell(const std::string& metric, const Row& row) {
  const auto found = row.metrics.find(metric);
  if (found == row.metrics.end()) return "-";
  const auto spread = row.deviation.find(metric);
  return spread == row.deviation.end()
             ? format_metric(metric, found->second)
             : format_metric(metric, found->second, spread->second);
}

/// A score in all rows, after its title.
std::vector<std::string> score_line(const std::string& metric,
                                    const std::vector<Row>& rows) {
  std::vector<std::string> out = {title_of(metric)};
  for (const Row& row : rows) out.push_back(cell(metric, row));
  return out;
}

/// Lines of equally many cells: the first column on the left, the others on the
/// right of at least 14 characters.
std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths(lines.front().size(), 14);
  widths.front() = 0;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], character_count(line[i]));
    }
  }
  std::string text;
  for (const auto& line : lines) {
    text += line.front() +
            std::string(widths.front() - character_count(line.front()), ' ');
    for (std::size_t i = 1; i < line.size(); ++i) {
      text +=
          std::string(2 + widths[i] - character_count(line[i]), ' ') + line[i];
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string title_of(const std::string& metric) {
  const std::size_t dot = std::min(metric.find('.'), metric.size());
  std::string title = metric;
  std::replace(title.begin(), title.begin() + static_cast<std::ptrdiff_t>(dot),
               '_', ' ');
  return title;
}

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
  std::vector<std::vector<std::string>> scores = {{""}};
  for (const Row& row : rows) {
    scores.front().push_back(row.name);
    for (const auto& [metric, value] : row.metrics) {
      if (!is_score(metric)) {
        if (std::count(columns.begin(), columns.end(), metric) == 0) {
          columns.push_back(metric);
        }
      } else if (metric.rfind("train_", 0) != 0) {
        const bool known =
            std::any_of(scores.begin(), scores.end(),
                        [metric = title_of(metric)](const auto& line) {
                          return line.front() == metric;
                        });
        if (!known) scores.push_back(score_line(metric, rows));
      }
    }
  }
  std::stable_sort(columns.begin(), columns.end(),
                   [](const std::string& a, const std::string& b) {
                     return rank(a) < rank(b);
                   });
  std::vector<std::vector<std::string>> lines(1 + rows.size());
  lines.front().emplace_back();
  for (const std::string& metric : columns) {
    lines.front().push_back(title_of(metric));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lines[i + 1].push_back(rows[i].name);
    for (const std::string& metric : columns) {
      lines[i + 1].push_back(cell(metric, rows[i]));
    }
  }
  std::string text = aligned(lines);
  if (scores.size() > 1) text += "\n" + aligned(scores);
  return text;
}

std::string format_hyperparameters(const ParameterSet& start,
                                   const ParameterSet& found,
                                   const NumberNames& names) {
  const auto before = summary_of(start, names);
  const auto after = summary_of(found, names);
  std::string text;
  for (std::size_t i = 0; i < after.size(); ++i) {
    text += fmt::format("{}  {:.3g} -> {:.3g}\n", after[i].first,
                        before[i].second, after[i].second);
  }
  return text;
}

}  // namespace nestgrad
