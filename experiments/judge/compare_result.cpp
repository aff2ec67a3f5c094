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

double window(const ComparisonRow& row) {
  return static_cast<double>(row.window);
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

std::vector<View> views(bool over_keys, bool over_windows) {
  const char* const per_estimate = "seconds per estimate";
  const char* const steps = "steps of a window";
  const View bias{error, "relative bias", NAN, window, steps};
  const View deviation{standard_deviation, "relative standard deviation", NAN,
                       window, steps};
  // What is exact would stretch the scale of all others.
  if (over_windows && over_keys) return {bias, deviation};
  if (over_windows) {
    return {{error, "relative error", kLeast, window, steps},
            {seconds, per_estimate, NAN, window, steps}};
  }
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

/// The panels of one view, of kPerPanel names each. Rows of one name, which
/// differ in their windows, are one curve.
void add_panels(const View& view, const std::vector<ComparisonRow>& rows,
                std::vector<Panel>& to) {
  std::vector<double> reach_x, reach_y;
  std::vector<Curve> curves;
  for (const ComparisonRow& row : rows) {
    const double x = view.x(row), y = view.y(row);
    reach_x.push_back(x);
    reach_y.push_back(y < kLeast ? view.least : y);
    auto curve =
        std::find_if(curves.begin(), curves.end(),
                     [&](const Curve& c) { return c.name == row.name; });
    if (curve == curves.end()) {
      curve = curves.insert(curves.end(), {row.name, {}, {}, {}});
      curve->color = (curves.size() - 1) % kPerPanel;
    }
    if (std::isnan(x) || std::isnan(reach_y.back())) continue;
    const auto place = std::upper_bound(curve->x.begin(), curve->x.end(), x);
    curve->y.insert(curve->y.begin() + (place - curve->x.begin()),
                    reach_y.back());
    curve->x.insert(place, x);
  }
  for (std::size_t first = 0; first < curves.size(); first += kPerPanel) {
    Panel panel;
    panel.title = view.title;
    panel.x_label = view.label;
    panel.logarithmic = panel.logarithmic_x = true;
    panel.reach_x = reach_x;
    panel.reach_y = reach_y;
    const std::size_t end = std::min(curves.size(), first + kPerPanel);
    for (std::size_t i = first; i < end; ++i) {
      if (!curves[i].x.empty()) panel.curves.push_back(curves[i]);
    }
    to.push_back(std::move(panel));
  }
}

/// The names of all rows, with their windows if these differ.
std::vector<std::string> labels(const ComparisonResult& result) {
  std::vector<std::string> out;
  for (const ComparisonRow& row : result.rows) {
    out.push_back(row.name);
    if (result.over_windows()) {
      out.back() += fmt::format(", window {}", row.window);
    }
  }
  return out;
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

bool ComparisonResult::over_windows() const {
  return std::any_of(rows.begin(), rows.end(), [&](const ComparisonRow& row) {
    return row.window != rows.front().window;
  });
}

std::string ComparisonResult::text() const {
  std::string out =
      fmt::format("{}:\n{} hyperparameters, hypergradient of norm {:.3g}\n\n",
                  title(), hyperparameters, norm);
  std::size_t width = 9;
  const std::vector<std::string> names = labels(*this);
  for (const std::string& name : names) width = std::max(width, name.size());
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
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ComparisonRow& row = rows[i];
    const Distance off = row.distance.value_or(Distance());
    out += fmt::format(
        "{:{}}  {:>9.2e}{}{}  {:>8.5f}  {:>10.4g}  {:>8.3g}  {:>15}  {:>15}  "
        "{:>8}  {:>8.4g}\n",
        names[i], width, error(row),
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
  for (const View& view : views(over_keys(), over_windows())) {
    add_panels(view, rows, panels);
  }
  draw_chart(path, title(), panels);
}

}  // namespace nestgrad
