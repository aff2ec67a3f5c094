#include "experiments/judge/compare_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"
#include "experiments/plot/chart.h"

namespace nestgrad {
namespace {

/// Curves of one panel that are told apart.
constexpr std::size_t kPerPanel = 8;

/// Smaller errors than this are drawn as this.
constexpr double kLeast = 1e-16;

/// NaN, which is printed without a sign, for a number that is not known.
double or_nan(const std::optional<double>& number) {
  return number && !std::isnan(*number) ? *number : NAN;
}

// The numbers of a row; NaN where one is not known.

double error(const ComparisonRow& row) {
  return row.distance ? or_nan(row.distance->error) : NAN;
}

double standard_error(const ComparisonRow& row) {
  return row.scatter ? or_nan(row.scatter->standard_error) : NAN;
}

double standard_deviation(const ComparisonRow& row) {
  return row.scatter ? or_nan(row.scatter->standard_deviation) : NAN;
}

double seconds(const ComparisonRow& row) { return or_nan(row.seconds); }

double peak_mib(const ComparisonRow& row) {
  return row.cost ? mebibytes(row.cost->peak_bytes) : NAN;
}

/// A count of the cost.
double count(const ComparisonRow& row, std::int64_t EstimateCost::*which) {
  return row.cost ? static_cast<double>((*row.cost).*which) : NAN;
}

/// What a panel shows of every row.
struct View {
  double (*y)(const ComparisonRow&);
  const char* title;
  double least;  ///< drawn in place of errors below kLeast; NaN: nothing
  double (*x)(const ComparisonRow&);
  const char* label;
};

std::vector<View> views(bool over_keys) {
  const char* const per_estimate = "seconds per estimate";
  if (over_keys) {
    // What is not random has no place on a logarithmic axis.
    return {{error, "relative bias", kLeast, seconds, per_estimate},
            {standard_deviation, "relative standard deviation", NAN, seconds,
             per_estimate}};
  }
  return {{error, "relative error", kLeast, seconds, per_estimate},
          {error, "relative error", kLeast, peak_mib,
           "MiB of tensors at the peak"}};
}

/// The panels of one view, of kPerPanel rows each.
void add_panels(const View& view, const std::vector<ComparisonRow>& rows,
                std::vector<Panel>& to) {
  std::vector<double> costs, errors;
  for (const ComparisonRow& row : rows) {
    costs.push_back(view.x(row));
    const double error = view.y(row);
    errors.push_back(error < kLeast ? view.least : error);
  }
  for (std::size_t first = 0; first < rows.size(); first += kPerPanel) {
    Panel panel;
    panel.title = view.title;
    panel.x_label = view.label;
    panel.logarithmic = panel.logarithmic_x = true;
    panel.reach_x = costs;
    panel.reach_y = errors;
    const std::size_t end = std::min(rows.size(), first + kPerPanel);
    for (std::size_t i = first; i < end; ++i) {
      if (std::isnan(errors[i])) continue;
      panel.curves.push_back(
          {rows[i].name, {costs[i]}, {errors[i]}, i - first});
    }
    to.push_back(std::move(panel));
  }
}

}  // namespace

Json ComparisonRow::to_json() const {
  Json out = {{"name", name}, {"estimator", estimator}};
  if (cost) {
    out["train_gradients"] = cost->train_gradients;
    out["valid_gradients"] = cost->valid_gradients;
    out["products"] = cost->products;
    out["peak_tensor_mib"] = mebibytes(cost->peak_bytes);
  }
  if (seconds) out["seconds"] = *seconds;
  out["status"] = status;
  if (!trouble.empty()) out["trouble"] = trouble;
  if (scatter) {
    out["standard_error"] = scatter->standard_error;
    out["standard_deviation"] = scatter->standard_deviation;
  }
  if (distance) {
    out["error"] = distance->error;
    out["cosine"] = distance->cosine;
    out["norm_ratio"] = distance->norm_ratio;
  }
  if (rounding) out["rounding"] = *rounding;
  return out;
}

std::string ComparisonResult::title() const {
  return fmt::format("After {} training steps, against {}{}", training_steps,
                     reference, known ? "" : ", which is NOT TO BE TRUSTED");
}

Json ComparisonResult::to_json() const {
  Json out = {{"target", to_string(target)},
              {"reference", reference},
              {"residual", residual},
              {"norm", norm},
              {"known", known},
              {"training_steps", training_steps},
              {"keys", keys},
              {"hyperparameters", hyperparameters},
              {"precision", precision},
              {"estimators", Json::array()}};
  for (const ComparisonRow& row : rows) {
    out["estimators"].push_back(row.to_json());
  }
  return out;
}

std::string ComparisonResult::text() const {
  std::string out =
      fmt::format("{}:\n{} hyperparameters, hypergradient of norm {:.3g}\n\n",
                  title(), hyperparameters, norm);
  std::size_t width = 9;
  for (const ComparisonRow& row : rows) {
    width = std::max(width, row.name.size());
  }
  const auto scatter = [&](const std::string& error,
                           const std::string& deviation) {
    return over_keys() ? fmt::format("  {:>9}  {:>9}", error, deviation) : "";
  };
  // That of float32 is no news.
  const bool rounds = precision != "float32" && precision != "float64";
  const auto rounding = [&](const std::string& text) {
    return rounds ? fmt::format("  {:>11}", text) : "";
  };
  out += fmt::format(
      "{:{}}  {:>9}{}{}  {:>8}  {:>10}  {:>8}  {:>15}  {:>15}  {:>8}  {:>8}\n",
      "estimator", width, over_keys() ? "bias" : "error",
      scatter("+-", "deviation"), rounding("in " + precision), "cosine",
      "norm ratio", "seconds", "train gradients", "valid gradients", "products",
      "MiB");
  for (const ComparisonRow& row : rows) {
    const Distance off = row.distance.value_or(Distance());
    out += fmt::format(
        "{:{}}  {:>9.2e}{}{}  {:>8.5f}  {:>10.4g}  {:>8.3g}  {:>15}  {:>15}  "
        "{:>8}  {:>8.4g}\n",
        row.name, width, error(row),
        scatter(fmt::format("{:.2e}", standard_error(row)),
                fmt::format("{:.2e}", standard_deviation(row))),
        rounding(fmt::format("{:.2e}", or_nan(row.rounding.value_or(NAN)))),
        or_nan(off.cosine), or_nan(off.norm_ratio), seconds(row),
        count(row, &EstimateCost::train_gradients),
        count(row, &EstimateCost::valid_gradients),
        count(row, &EstimateCost::products), peak_mib(row));
    if (!row.trouble.empty()) {
      out += fmt::format("  {}: {}\n", row.status, row.trouble);
    }
  }
  return out;
}

void ComparisonResult::draw(const std::string& path) const {
  std::vector<Panel> panels;
  for (const View& view : views(over_keys())) add_panels(view, rows, panels);
  draw_chart(path, title(), panels);
}

}  // namespace nestgrad
