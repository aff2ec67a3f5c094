#include "experiments/black_box/equal_time_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/platform/text.h"
#include "experiments/plot/chart.h"
#include "experiments/record/run_folder.h"
#include "experiments/record/table.h"

namespace nestgrad {
namespace {

/// The 0.975 quantiles of Student's t distribution with 1, 2, ... degrees of
/// freedom.
constexpr double kQuantiles[] = {
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060,
    2.2622,  2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199,
    2.1098,  2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
    2.0595,  2.0555, 2.0518, 2.0484, 2.0452, 2.0423};

/// The same metric of the test examples; "" if it is not one of validation
/// examples.
std::string test_metric(const std::string& metric) {
  const std::string valid = "valid_";
  return metric.rfind(valid, 0) == 0 ? "test_" + metric.substr(valid.size())
                                     : "";
}

double metric_of(const SearchArm& arm, std::size_t point,
                 const std::string& metric) {
  if (point >= arm.points.size()) return NAN;
  const Metrics& metrics = arm.points[point].metrics;
  const auto found = metrics.find(metric);
  return found == metrics.end() ? NAN : found->second;
}

Json number_or_null(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json json_of(const MeanOverSeeds& mean) {
  return {{"mean", number_or_null(mean.mean)},
          {"low", number_or_null(mean.low)},
          {"high", number_or_null(mean.high)}};
}

/// "0.5538 (0.54 to 0.57)"
std::string in_words(const MeanOverSeeds& mean) {
  const std::string value = fmt::format("{:.4g}", mean.mean);
  if (!std::isfinite(mean.low) || !std::isfinite(mean.high)) return value;
  return fmt::format("{} ({:.3g} to {:.3g})", value, mean.low, mean.high);
}

}  // namespace

MeanOverSeeds MeanOverSeeds::of(const std::vector<double>& values,
                                bool geometric) {
  const auto n = static_cast<double>(values.size());
  std::vector<double> scaled = values;
  if (geometric) {
    for (double& value : scaled) value = std::log(value);
  }
  double mean = 0, squares = 0;
  for (const double value : scaled) mean += value / n;
  for (const double value : scaled) squares += std::pow(value - mean, 2);
  const auto back = [&](double x) { return geometric ? std::exp(x) : x; };
  if (values.size() < 2) return {back(mean), -INFINITY, INFINITY};
  const std::size_t freedom =
      std::min(values.size() - 1, std::size(kQuantiles));
  const double half =
      kQuantiles[freedom - 1] * std::sqrt(squares / (n - 1) / n);
  return {back(mean), back(mean - half), back(mean + half)};
}

EqualTimeResults::EqualTimeResults(const Json& settings,
                                   const std::vector<Json>& lines)
    : budget_(settings.at("budget").get<double>()),
      numbers_(settings.at("numbers").get<std::int64_t>()),
      metric_(settings.at("metric").get<std::string>()),
      shown_{metric_} {
  std::vector<std::string> names{SearchArm::kHypergradients};
  for (const Json& search : settings.at("searches")) {
    names.push_back(search.at("type").get<std::string>());
  }
  const auto first = settings.at("config").at("seed").get<std::int64_t>();
  bool tested = false;
  for (const std::string& name : names) {
    Way way{name, {}};
    for (std::int64_t i = 0; i < settings.at("seeds"); ++i) {
      way.arms.push_back(SearchArm::in(lines, name, first + i));
      for (const ArmPoint& point : way.arms.back().points) {
        tested = tested || point.metrics.count(test_metric(metric_)) > 0;
      }
    }
    ways_.push_back(std::move(way));
  }
  if (tested) shown_.push_back(test_metric(metric_));
}

std::size_t EqualTimeResults::chosen(const SearchArm& arm,
                                     double seconds) const {
  std::size_t out = 0;
  for (std::size_t i = 1; i < arm.points.size(); ++i) {
    if (arm.points[i].seconds > seconds) break;
    if (arm.name == SearchArm::kHypergradients) {
      out = i;
      continue;
    }
    const double best = metric_of(arm, out, metric_);
    const double value = metric_of(arm, i, metric_);
    if (std::isnan(value)) continue;
    if (std::isnan(best) ||
        to_minimize(metric_, value) < to_minimize(metric_, best)) {
      out = i;
    }
  }
  return out;
}

std::vector<double> EqualTimeResults::values(const Way& way,
                                             const std::string& metric,
                                             double seconds) const {
  std::vector<double> out;
  for (const SearchArm& arm : way.arms) {
    out.push_back(metric_of(arm, chosen(arm, seconds), metric));
  }
  return out;
}

bool EqualTimeResults::geometric(const std::string& metric) const {
  if (is_larger_better(metric)) return false;
  for (const Way& way : ways_) {
    for (const double value : values(way, metric, budget_)) {
      if (value <= 0) return false;
    }
  }
  return true;
}

MeanOverSeeds EqualTimeResults::comparison(const Way& other,
                                           const std::string& metric) const {
  const bool ratios = geometric(metric);
  std::vector<double> ours = values(ways_.front(), metric, budget_);
  const std::vector<double> theirs = values(other, metric, budget_);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ours[i] = ratios ? ours[i] / theirs[i] : ours[i] - theirs[i];
  }
  return MeanOverSeeds::of(ours, ratios);
}

EqualTimeResults::Course EqualTimeResults::course(
    const Way& way, const std::string& metric) const {
  constexpr int kPoints = 200;
  double first = 0;
  for (const SearchArm& arm : way.arms) {
    if (arm.points.empty()) return {};
    first = std::max(first, arm.points.front().seconds);
  }
  const double last = std::max(budget_, first);
  Course out;
  for (int i = 0; i <= kPoints; ++i) {
    const double x = first * std::pow(last / first, i / double{kPoints});
    out.seconds.push_back(x);
    out.means.push_back(mean(way, metric, x).mean);
  }
  return out;
}

std::string EqualTimeResults::ahead(const Way& other,
                                    const std::string& metric) const {
  const MeanOverSeeds by = comparison(other, metric);
  const double same = geometric(metric) ? 1 : 0;
  const bool below = by.high < same;
  if (!below && !(by.low > same)) return "undecided";
  return below == !is_larger_better(metric) ? ways_.front().name : other.name;
}

Json EqualTimeResults::json() const {
  Json out = {{"metric", metric_},
              {"numbers", numbers_},
              {"budget", budget_},
              {"ways", Json::array()},
              {"comparisons", Json::array()}};
  for (const Way& way : ways_) {
    Json entry = {{"name", way.name}, {"seeds", Json::array()}};
    for (const SearchArm& arm : way.arms) {
      const std::size_t point = chosen(arm, budget_);
      Json seed = {{"seed", arm.seed},
                   {"networks", arm.points.size()},
                   {"ended", arm.ended}};
      for (const std::string& metric : shown_) {
        seed[metric] = number_or_null(metric_of(arm, point, metric));
      }
      entry["seeds"].push_back(std::move(seed));
    }
    for (const std::string& metric : shown_) {
      entry[metric] = json_of(mean(way, metric, budget_));
      const Course course = this->course(way, metric);
      entry["course"]["seconds"] = course.seconds;
      Json means = Json::array();
      for (const double value : course.means) {
        means.push_back(number_or_null(value));
      }
      entry["course"][metric] = means;
    }
    out["ways"].push_back(std::move(entry));
  }
  for (std::size_t i = 1; i < ways_.size(); ++i) {
    for (const std::string& metric : shown_) {
      Json entry = {{"with", ways_[i].name},
                    {"metric", metric},
                    {"kind", geometric(metric) ? "ratio" : "difference"}};
      entry.update(json_of(comparison(ways_[i], metric)));
      entry["ahead"] = ahead(ways_[i], metric);
      out["comparisons"].push_back(std::move(entry));
    }
  }
  return out;
}

std::string EqualTimeResults::csv() const {
  std::string out = "way,seed,network,processor_seconds,outer_steps";
  for (const std::string& metric : shown_) out += "," + csv_field(metric);
  out += "\n";
  for (const Way& way : ways_) {
    for (const SearchArm& arm : way.arms) {
      for (std::size_t i = 0; i < arm.points.size(); ++i) {
        const ArmPoint& point = arm.points[i];
        out += fmt::format("{},{},{},{},{}", way.name, arm.seed, i,
                           point.seconds, point.outer_steps);
        for (const std::string& metric : shown_) {
          const double value = metric_of(arm, i, metric);
          out += std::isnan(value) ? "," : fmt::format(",{}", value);
        }
        out += "\n";
      }
    }
  }
  return out;
}

std::string EqualTimeResults::text() const {
  std::string out = fmt::format(
      "\n{} numbers, {} s of processor time, {} seeds: means with 95 % "
      "intervals{}\n\n{:24}",
      numbers_, budget_, ways_.front().arms.size(),
      geometric(metric_) ? ", geometric for losses" : "", "");
  for (const std::string& metric : shown_) {
    out += fmt::format("  {:28}", title_of(metric));
  }
  out += "\n";
  for (const Way& way : ways_) {
    std::size_t networks = 0;
    for (const SearchArm& arm : way.arms) networks += arm.points.size();
    out += fmt::format("{:24}", fmt::format("{}, {} networks", way.name,
                                            (networks + way.arms.size() / 2) /
                                                way.arms.size()));
    for (const std::string& metric : shown_) {
      out += fmt::format("  {:28}", in_words(mean(way, metric, budget_)));
    }
    out += "\n";
  }
  for (std::size_t i = 1; i < ways_.size(); ++i) {
    for (const std::string& metric : shown_) {
      const std::string who = ahead(ways_[i], metric);
      out += fmt::format("\n{} of hypergradients {} that of {}: {}: {}",
                         title_of(metric),
                         geometric(metric) ? "divided by" : "less",
                         ways_[i].name, in_words(comparison(ways_[i], metric)),
                         who == "undecided" ? who : who + " ahead");
    }
  }
  return out + "\n";
}

void EqualTimeResults::write(const std::string& folder) const {
  write_file(folder + "/results.json", json().dump(2) + "\n");
  write_file(folder + "/results.csv", csv());
  std::vector<Panel> panels;
  for (const std::string& metric : shown_) {
    Panel panel;
    panel.title = title_of(metric) + ", mean over seeds";
    panel.x_label = "seconds of processor time";
    panel.logarithmic_x = true;
    for (const Way& way : ways_) {
      Course course = this->course(way, metric);
      panel.curves.push_back(
          {way.name, std::move(course.seconds), std::move(course.means)});
    }
    panels.push_back(std::move(panel));
  }
  draw_chart(
      folder + "/comparison.png",
      fmt::format("{}: {} numbers to tune", folder_name(folder), numbers_),
      panels);
}

}  // namespace nestgrad
