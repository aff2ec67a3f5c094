#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/platform/text.h"
#include "experiments/record/console.h"
#include "experiments/record/table.h"
#include "experiments/sweep/sweep_results.h"

namespace nestgrad {
namespace {

constexpr std::size_t kWidth = 100;        // of a table
constexpr std::size_t kLongestValue = 24;  // of a varied key, in characters
constexpr std::size_t kShortestValue = 8;
constexpr const char* kGap = "  ";

/// At most `most` characters of a text, with a mark if it is longer.
std::string cut(const std::string& text, std::size_t most) {
  return character_count(text) <= most ? text
                                       : first_characters(text, most - 1) + "…";
}

struct Column {
  std::string title;
  std::vector<std::string> cells;
  bool on_the_left = false;

  std::size_t width() const {
    std::size_t out = character_count(title);
    for (const std::string& cell : cells) {
      out = std::max(out, character_count(cell));
    }
    return out;
  }
};

std::size_t width_of(const std::vector<Column>& columns) {
  std::size_t out = 0;
  for (const Column& column : columns) out += column.width() + 2;
  return out == 0 ? 0 : out - 2;
}

std::string table_of(const std::vector<Column>& columns) {
  std::string out;
  const std::size_t rows = columns.front().cells.size();
  for (std::size_t row = 0; row <= rows; ++row) {
    std::string line;
    for (const Column& column : columns) {
      const std::string& cell = row == 0 ? column.title : column.cells[row - 1];
      const std::string space(column.width() - character_count(cell), ' ');
      if (!line.empty()) line += kGap;
      line += column.on_the_left ? cell + space : space + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string title_of(std::string metric) {
  std::replace(metric.begin(), metric.end(), '_', ' ');
  return metric;
}

/// A column of a metric, for rows of statistics. `otherwise`: what rows have
/// that lack it.
Column metric_column(const std::string& metric,
                     const std::vector<const Statistics*>& rows,
                     const std::vector<const Metrics*>& otherwise = {}) {
  Column out{title_of(metric), {}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Metrics& mean = rows[i]->mean;
    const auto found = mean.find(metric);
    if (found != mean.end()) {
      const auto error = rows[i]->standard_error.find(metric);
      out.cells.push_back(
          error == rows[i]->standard_error.end()
              ? format_metric(metric, found->second)
              : format_metric(metric, found->second, error->second));
    } else if (i < otherwise.size() && otherwise[i]->count(metric) > 0) {
      out.cells.push_back(format_metric(metric, otherwise[i]->at(metric)));
    } else {
      out.cells.push_back("-");
    }
  }
  return out;
}

/// The metrics of these rows, the most telling ones first.
std::vector<std::string> metrics_of(const std::vector<const Statistics*>& rows,
                                    const std::string& first) {
  std::vector<std::string> out{first, "test_loss", "test_accuracy",
                               "valid_loss", "valid_accuracy"};
  for (const Statistics* row : rows) {
    for (const auto& entry : row->mean) out.push_back(entry.first);
  }
  std::vector<std::string> unique;
  for (const std::string& name : out) {
    const bool somewhere = std::any_of(
        rows.begin(), rows.end(),
        [&](const Statistics* row) { return row->mean.count(name) > 0; });
    if (name != first && !somewhere) continue;
    if (std::count(unique.begin(), unique.end(), name) == 0) {
      unique.push_back(name);
    }
  }
  return unique;
}

/// Puts columns before the last `after` ones, as long as they fit.
void add_metrics(const std::vector<std::string>& names,
                 const std::vector<const Statistics*>& rows, std::size_t after,
                 std::vector<Column>& to) {
  for (const std::string& name : names) {
    const Column column = metric_column(name, rows);
    if (width_of(to) + 2 + column.width() > kWidth) continue;
    to.insert(to.end() - static_cast<std::ptrdiff_t>(after), column);
  }
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

}  // namespace

std::string SweepResults::text() const {
  return "\n" + trials_text() + comparison_text() + found_text();
}

std::string SweepResults::trials_text() const {
  constexpr std::size_t kShown = 20;
  const std::size_t shown = std::min(kShown, trials_.size());
  std::vector<const Statistics*> rows;
  std::vector<const Metrics*> given_up;
  Column names{"trial", {}, true}, notes{"", {}, true};
  for (std::size_t i = 0; i < shown; ++i) {
    const Outcome& outcome = trials_[i].outcome;
    rows.push_back(&outcome.statistics);
    given_up.push_back(&outcome.given_up);
    names.cells.push_back(trials_[i].record->name);
    std::string note;
    if (outcome.failed > 0) note = fmt::format("{} failed", outcome.failed);
    if (outcome.statistics.count == 0 && outcome.outer_steps > 0) {
      note += fmt::format("{}given up at {}", note.empty() ? "" : ", ",
                          outcome.outer_steps);
    }
    notes.cells.push_back(note);
  }
  const std::vector<std::string> titles = short_keys();
  std::vector<std::string> metrics = metrics_of(rows, record_.metric);
  std::vector<Column> columns;
  const auto build = [&](std::size_t longest, std::size_t values) {
    columns = {names};
    for (std::size_t i = 0; i < values; ++i) {
      Column value{cut(titles[i], longest), {}};
      for (std::size_t row = 0; row < shown; ++row) {
        value.cells.push_back(
            cut(describe(trials_[row].record->values[i].second), longest));
      }
      columns.push_back(std::move(value));
    }
    columns.push_back(metric_column(record_.metric, rows, given_up));
    columns.push_back(notes);
    return width_of(columns) <= kWidth;
  };
  std::size_t longest = kLongestValue, values = titles.size();
  while (!build(longest, values)) {
    if (longest > kShortestValue) {
      --longest;
    } else if (values > 0) {
      --values;
    } else {
      break;
    }
  }
  metrics.erase(metrics.begin());
  add_metrics(metrics, rows, 1, columns);
  std::string out = table_of(columns);
  if (trials_.size() > shown) {
    out += fmt::format("and {} more in results.csv\n", trials_.size() - shown);
  } else if (values < titles.size()) {
    out += "other values and metrics are in results.csv\n";
  }
  return out;
}

std::string SweepResults::comparison_text() const {
  if (comparison_.trials.empty()) return "";
  const std::vector<double> trials(comparison_.trials.begin(),
                                   comparison_.trials.end());
  const std::vector<const Statistics*> rows{&comparison_.best_trial,
                                            &comparison_.random};
  std::vector<Column> columns{
      {"",
       {fmt::format("{}, {}", trials_.front().record->name,
                    duration(mean(comparison_.budgets))),
        fmt::format("random search, {:.3g} trials, {}", mean(trials),
                    duration(mean(comparison_.seconds)))},
       true}};
  add_metrics(metrics_of(rows, record_.metric), rows, 0, columns);
  return "\n" + table_of(columns);
}

std::string SweepResults::found_text() const {
  constexpr std::size_t kShown = 12;
  if (!any() || best_run().found.empty()) return "";
  const SweepEntry& best = best_run();
  std::string out = fmt::format("\nfound by {}\n", best.run);
  std::size_t shown = 0, width = 0;
  for (const auto& entry : best.found) {
    width = std::max(width, character_count(entry.first));
  }
  for (const auto& [name, value] : best.found) {
    if (shown++ == kShown) {
      return out + fmt::format("and {} more in {}/hyperparameters.json\n",
                               best.found.size() - kShown, best.run);
    }
    out += fmt::format("{:{}}  {:.3g}\n", name, width, value);
  }
  return out;
}

}  // namespace nestgrad
