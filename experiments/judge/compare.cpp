#include "experiments/judge/compare.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"
#include "experiments/judge/judge.h"
#include "experiments/plot/chart.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

/// Curves of one panel that are told apart.
constexpr std::size_t kPerPanel = 8;

/// Smaller errors than this are drawn as this.
constexpr double kLeast = 1e-16;

/// "ift, neumann, terms 3": what stands in the file, but for the windows.
std::string name_of(const Json& section) {
  if (section.is_string()) return section.get<std::string>();
  std::string out = section.value("type", "");
  for (const auto& [key, value] : section.items()) {
    if (key == "type" || key == "window" || key == "horizon") continue;
    if (!out.empty()) out += ", ";
    if (value.is_object()) {
      out += value.contains("type")
                 ? name_of(value)
                 : fmt::format("{} ({})", key, name_of(value));
    } else if (key == "solver") {
      out += value.get<std::string>();
    } else {
      out += key + " " +
             (value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return out;
}

std::string described(const JsonFile& file, const ConfigError& error) {
  std::vector<std::string> lines;
  for (const Complaint& complaint : error.complaints()) {
    lines.push_back(file.describe(complaint));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

/// An estimator that takes part.
struct Contestant {
  std::string name;
  Config section;
  const JsonFile* file;  // that the section is in
};

/// Of the JSON at `pointer` of a file; what it leaves out of `defaults` is
/// added. Throws Error for mistakes, with their lines.
Contestant contestant(const JsonFile& file, const std::string& pointer,
                      const Json& defaults) {
  const Json& json = file.json().at(Json::json_pointer(pointer));
  Json section = json.is_string() ? Json{{"type", json}} : json;
  if (section.is_object()) {
    for (const auto& [key, value] : defaults.items()) {
      if (!section.contains(key)) section[key] = value;
    }
  }
  try {
    section = complete(EstimatorRegistry::instance(), section);
  } catch (const ConfigError& error) {
    std::vector<Complaint> complaints = error.complaints();
    for (Complaint& complaint : complaints) {
      complaint.where = pointer + complaint.where;
    }
    throw Error(described(file, ConfigError(std::move(complaints))));
  }
  return {name_of(json), Config(std::move(section), pointer), &file};
}

/// All of a file: it is one section, or a list of them.
void add_contestants(const JsonFile& file, const Json& defaults,
                     std::vector<Contestant>& to) {
  if (!file.json().is_array()) {
    to.push_back(contestant(file, "", defaults));
    return;
  }
  require(!file.json().empty(), "{}: the list of estimators is empty",
          file.name());
  for (std::size_t i = 0; i < file.json().size(); ++i) {
    to.push_back(
        contestant(file, join_pointer("", std::to_string(i)), defaults));
  }
}

class Comparison {
 public:
  Comparison(const Config& config, const CompareOptions& options)
      : options_(options),
        estimator_(config.object("estimator")),
        cost_(std::make_shared<Experiment>(config)),
        exact_(cost_) {
    require_tuning(*cost_);
    if (config.text("dtype") != "float64") {
      Json exact = config.json();
      exact["dtype"] = "float64";
      exact_ = std::make_shared<Experiment>(Config(std::move(exact)));
    }
    steps_ = options_.windows * Truncation::read(estimator_).window;
    weights_ = trained(estimator_);
  }

  Json json(const std::vector<Contestant>& contestants) const {
    for (const Contestant& contestant : contestants) {
      try {
        require_same_weights(contestant.section);
      } catch (const ConfigError& error) {
        throw Error(described(*contestant.file, error));
      }
    }
    tell("the reference");
    const Target target = options_.target.value_or(cost_->estimator().target());
    const Reference reference =
        make_reference(*exact_, estimator_, exact_->initial_hyper(), target,
                       turns(estimator_));
    require(!reference.gradient.empty(), "there is nothing to compare with: {}",
            reference.how);
    Json out = {{"target", to_string(target)},
                {"reference", reference.how},
                {"residual", reference.residual},
                {"norm", norm(reference.gradient).item<double>()},
                {"known", reference.good()},
                {"training_steps", steps_},
                {"keys", options_.keys},
                {"hyperparameters", reference.gradient.numel()},
                {"estimators", Json::array()}};
    for (const Contestant& contestant : contestants) {
      tell(fmt::format("{} of {}: {}", out["estimators"].size() + 1,
                       contestants.size(), contestant.name));
      out["estimators"].push_back(
          row(contestant, reference.gradient.flatten()));
    }
    return out;
  }

 private:
  void tell(const std::string& what) const {
    if (options_.progress) options_.progress(what);
  }

  /// How often an estimator is asked until it has trained for these steps.
  std::int64_t turns(const Config& section) const {
    const Truncation cut = Truncation::read(section);
    return (steps_ / cut.window - 1) * cut.outer_steps_per_window + 1;
  }

  /// The weights after so many turns.
  Tensor trained(const Config& section) const {
    const ParameterSet hyper = cost_->initial_hyper();
    InnerRun run(cost_->loop(), Truncation::read(section));
    run.begin(hyper, cost_->tuning_key());
    for (std::int64_t i = turns(section); i > 0; --i) run.advance(hyper);
    return run.state().weights.flatten();
  }

  void require_same_weights(const Config& section) const {
    const std::int64_t window = section.integer("window");
    if (steps_ % window != 0) {
      section.fail("window",
                   fmt::format("must divide the {} training steps after which "
                               "all estimators are asked; is {}",
                               steps_, window));
    }
    if (!at::equal(trained(section), weights_)) {
      section.fail("horizon", fmt::format("leads to other weights than the "
                                          "configuration's after {} training "
                                          "steps",
                                          steps_));
    }
  }

  Json row(const Contestant& contestant, const Tensor& reference) const {
    const Config& section = contestant.section;
    Json out = {{"name", contestant.name}, {"estimator", section.json()}};
    try {
      measure_cost(section, out);
      const auto estimator = asked(*exact_, section, turns(section) - 1);
      const Estimate estimate = estimator->estimate(exact_->initial_hyper());
      out["status"] = to_string(estimate.status);
      if (!estimate.trouble.empty()) out["trouble"] = estimate.trouble;
      Tensor judged = estimate.gradient.flatten();
      const bool random = estimator->reseed(Key());
      if (options_.keys > 1) {
        Draws draws{estimate.gradient};
        if (random) draws = drawn(section);
        const double size = reference.norm().item<double>();
        out["standard_error"] = draws.standard_error / size;
        out["standard_deviation"] = draws.standard_deviation / size;
        judged = draws.mean.flatten();
      }
      const Distance off = distance(judged, reference);
      out["error"] = off.error;
      out["cosine"] = off.cosine;
      out["norm_ratio"] = off.norm_ratio;
    } catch (const ConfigError& error) {
      // It is no mistake of its file if a method does not suit this problem.
      out["status"] = "failed";
      out["trouble"] = error.complaints().front().what;
    } catch (const Error& error) {
      out["status"] = "failed";
      out["trouble"] = error.what();
    } catch (const c10::Error& error) {
      // LibTorch's: no second derivative, say.
      const std::string what = error.what_without_backtrace();
      out["status"] = "failed";
      out["trouble"] = what.substr(0, what.find('\n'));
    }
    return out;
  }

  /// Estimates after the same training under several keys.
  Draws drawn(const Config& section) const {
    return draw_estimates(options_.keys, [&](const Key& key) {
      return asked(*exact_, section, turns(section) - 1, key)
          ->estimate(exact_->initial_hyper())
          .gradient;
    });
  }

  /// What the estimate costs that is judged: losses, products and memory. Its
  /// seconds are the median of those of the estimates that follow; what the
  /// first does once only is not in them.
  void measure_cost(const Config& section, Json& out) const {
    const Counted& problem = cost_->problem();
    const ParameterSet hyper = cost_->initial_hyper();
    const MemoryMeter memory;
    const auto estimator = asked(*cost_, section, turns(section) - 1);
    const std::int64_t train = problem.train_losses();
    const std::int64_t valid = problem.valid_losses();
    const Estimate estimate = estimator->estimate(hyper);
    out["train_gradients"] = problem.train_losses() - train;
    out["valid_gradients"] = problem.valid_losses() - valid;
    const auto products = estimate.metrics.find("products");
    out["products"] =
        products == estimate.metrics.end() ? 0 : std::llround(products->second);
    out["peak_tensor_mib"] = mebibytes(memory.peak());
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < options_.repeats; ++i) {
      const Stopwatch watch;
      estimator->estimate(hyper);
      seconds.push_back(watch.seconds());
    }
    const auto middle = seconds.begin() + options_.repeats / 2;
    std::nth_element(seconds.begin(), middle, seconds.end());
    out["seconds"] = *middle;
  }

  CompareOptions options_;
  Config estimator_;
  std::shared_ptr<const Experiment> cost_;   // as configured
  std::shared_ptr<const Experiment> exact_;  // in double precision
  std::int64_t steps_ = 0;                   // of training before the estimates
  Tensor weights_;                           // after these
};

/// A number of a row, NaN (which is printed without a sign) if there is none.
double number(const Json& row, const char* key) {
  if (!row.contains(key) || !row[key].is_number()) return NAN;
  const auto value = row[key].get<double>();
  return std::isnan(value) ? NAN : value;
}

/// Whether the mean of several draws was judged.
bool over_keys(const Json& comparison) {
  return comparison["keys"].get<std::int64_t>() > 1;
}

/// What was compared, and with what.
std::string title_of(const Json& comparison) {
  return fmt::format("After {} training steps, against {}{}",
                     comparison["training_steps"].get<std::int64_t>(),
                     comparison["reference"].get<std::string>(),
                     comparison["known"] ? "" : ", which is NOT TO BE TRUSTED");
}

}  // namespace

Json compare_estimators(const JsonFile& config,
                        const std::vector<JsonFile>& others,
                        const CompareOptions& options) {
  const Config whole = experiment_config(config.json());
  const Config own = whole.object("estimator");
  const Json& given = config.json().contains("estimator")
                          ? config.json()["estimator"]
                          : own.json();
  std::vector<Contestant> contestants{{name_of(given), own, &config}};
  const Schema cut = Truncation::schema();
  Json defaults = Json::object();
  for (const KeySpec& key : cut.keys()) {
    defaults[key.name] = own.value(key.name);
  }
  for (const JsonFile& file : others) {
    add_contestants(file, defaults, contestants);
  }
  // A list may well hold the configured estimator.
  contestants.erase(std::remove_if(contestants.begin() + 1, contestants.end(),
                                   [&](const Contestant& other) {
                                     return other.section.json() == own.json();
                                   }),
                    contestants.end());
  return Comparison(whole, options).json(contestants);
}

std::string format_comparison(const Json& comparison) {
  std::string out = fmt::format(
      "{}:\n{} hyperparameters, hypergradient of norm {:.3g}\n\n",
      title_of(comparison), comparison["hyperparameters"].get<std::int64_t>(),
      comparison["norm"].get<double>());
  std::size_t width = 9;
  for (const Json& row : comparison["estimators"]) {
    width = std::max(width, row["name"].get_ref<const std::string&>().size());
  }
  const bool keys = over_keys(comparison);
  const auto scatter = [&](const std::string& error,
                           const std::string& deviation) {
    return keys ? fmt::format("  {:>9}  {:>9}", error, deviation) : "";
  };
  out += fmt::format(
      "{:{}}  {:>9}{}  {:>8}  {:>10}  {:>8}  {:>15}  {:>15}  {:>8}  {:>8}\n",
      "estimator", width, keys ? "bias" : "error", scatter("+-", "deviation"),
      "cosine", "norm ratio", "seconds", "train gradients", "valid gradients",
      "products", "MiB");
  for (const Json& row : comparison["estimators"]) {
    out += fmt::format(
        "{:{}}  {:>9.2e}{}  {:>8.5f}  {:>10.4g}  {:>8.3g}  {:>15}  {:>15}  "
        "{:>8}  {:>8.4g}\n",
        row["name"].get<std::string>(), width, number(row, "error"),
        scatter(fmt::format("{:.2e}", number(row, "standard_error")),
                fmt::format("{:.2e}", number(row, "standard_deviation"))),
        number(row, "cosine"), number(row, "norm_ratio"),
        number(row, "seconds"), number(row, "train_gradients"),
        number(row, "valid_gradients"), number(row, "products"),
        number(row, "peak_tensor_mib"));
    if (row.contains("trouble")) {
      out += fmt::format("  {}: {}\n", row["status"].get<std::string>(),
                         row["trouble"].get<std::string>());
    }
  }
  return out;
}

void draw_comparison(const std::string& path, const Json& comparison) {
  const Json& rows = comparison["estimators"];
  const auto column = [&](const char* key) {
    std::vector<double> out;
    for (const Json& row : rows) out.push_back(number(row, key));
    return out;
  };
  struct View {
    const char *y, *title;
    double least;  ///< what is drawn for less; NaN: nothing
    const char *x, *label;
  };
  const char* const seconds = "seconds per estimate";
  const View by_time{"error", "relative error", kLeast, "seconds", seconds},
      by_memory{"error", "relative error", kLeast, "peak_tensor_mib",
                "MiB of tensors at the peak"},
      bias{"error", "relative bias", kLeast, "seconds", seconds},
      // What is not random has no place on a logarithmic axis.
      scatter{"standard_deviation", "relative standard deviation", NAN,
              "seconds", seconds};
  const std::vector<View> views = over_keys(comparison)
                                      ? std::vector<View>{bias, scatter}
                                      : std::vector<View>{by_time, by_memory};
  std::vector<Panel> panels;
  for (const View& view : views) {
    const std::vector<double> costs = column(view.x);
    std::vector<double> errors = column(view.y);
    for (double& error : errors) {
      if (error < kLeast) error = view.least;
    }
    for (std::size_t first = 0; first < rows.size(); first += kPerPanel) {
      Panel panel;
      panel.title = view.title;
      panel.x_label = view.label;
      panel.logarithmic = panel.logarithmic_x = true;
      panel.reach_x = costs;
      panel.reach_y = errors;
      for (std::size_t i = first; i < std::min(rows.size(), first + kPerPanel);
           ++i) {
        if (std::isnan(errors[i])) continue;
        panel.curves.push_back(
            {rows[i]["name"].get<std::string>(), {costs[i]}, {errors[i]}});
      }
      panels.push_back(std::move(panel));
    }
  }
  draw_chart(path, title_of(comparison), panels);
}

}  // namespace nestgrad
