#include "experiments/judge/compare.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/movable.h"
#include "experiments/setup/precision.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {
namespace {

/// Whether this key of an estimator's section holds a solver.
bool holds_solver(const std::string& estimator, const std::string& key) {
  const EstimatorRegistry& registry = EstimatorRegistry::instance();
  if (!registry.contains(estimator)) return false;
  const Schema schema = registry.schema(estimator);
  return std::any_of(
      schema.keys().begin(), schema.keys().end(), [&](const KeySpec& spec) {
        return spec.name == key &&
               spec.registry == &InverseHessianRegistry::instance();
      });
}

/// "ift, neumann, terms 3": a section as it stands in the file, without the
/// keys that cut training into windows.
std::string name_of(const Json& section) {
  if (section.is_string()) return section.get<std::string>();
  const std::string type = section.value("type", "");
  std::string out = type;
  for (const auto& [key, value] : section.items()) {
    if (key == "type" || key == "window" || key == "horizon") continue;
    if (!out.empty()) out += ", ";
    if (value.is_object()) {
      out += value.contains("type")
                 ? name_of(value)
                 : fmt::format("{} ({})", key, name_of(value));
    } else if (value.is_string() && holds_solver(type, key)) {
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

/// The estimator at `pointer` of a file. Keys of `defaults` that its section
/// leaves out are added. Throws Error for mistakes, with their lines.
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
  return {name_of(json), Config(std::move(section), pointer, file.folders()),
          &file};
}

/// Adds all estimators of a file, which holds one section or a list of them.
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
        config_(config),
        estimator_(config.object("estimator")),
        cost_(std::make_shared<Experiment>(config)),
        exact_(cost_) {
    require_tuning(*cost_);
    if (number_type(config) != at::kDouble) {
      exact_ = std::make_shared<Experiment>(in_float64(config));
    }
    steps_ = options_.windows * Truncation::read(estimator_).window;
    weights_ = trained(estimator_);
  }

  ComparisonResult result(const std::vector<Contestant>& contestants) const {
    for (const Contestant& contestant : contestants) {
      try {
        require_same_weights(contestant.section);
      } catch (const ConfigError& error) {
        throw Error(described(*contestant.file, error));
      }
    }
    tell("the reference");
    ComparisonResult out;
    out.target = options_.target.value_or(cost_->estimator().target());
    const Reference reference =
        make_reference(*exact_, estimator_, exact_->initial_hyper(), out.target,
                       turns(estimator_));
    require(!reference.gradient.empty(), "there is nothing to compare with: {}",
            reference.how);
    out.reference = reference.how;
    out.residual = reference.residual;
    out.norm = norm(reference.gradient).item<double>();
    out.known = reference.good();
    out.training_steps = steps_;
    out.keys = options_.keys;
    out.precision = config_.text("precision");
    out.hyperparameters = reference.gradient.numel();
    for (const Contestant& contestant : contestants) {
      tell(fmt::format("{} of {}: {}", out.rows.size() + 1, contestants.size(),
                       contestant.name));
      out.rows.push_back(row(contestant, reference.gradient.flatten()));
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

  /// The weights after the given number of turns.
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

  ComparisonRow row(const Contestant& contestant,
                    const Tensor& reference) const {
    ComparisonRow out;
    out.name = contestant.name;
    out.estimator = contestant.section.json();
    out.window = contestant.section.integer("window");
    const auto failed = [&](const std::string& trouble) {
      out.status = "failed";
      out.trouble = trouble;
    };
    try {
      require_movable(config_, contestant.section,
                      *cost_->make_estimator(contestant.section),
                      cost_->loop());
      const Tensor as_configured = measure_cost(contestant.section, out);
      measure_distance(contestant.section, reference, as_configured, out);
    } catch (const ConfigError& error) {
      // It is no mistake of its file if a method does not suit this problem.
      failed(error.complaints().front().what);
    } catch (const Error& error) {
      failed(error.what());
    } catch (const c10::Error& error) {
      // An error of LibTorch, for instance a missing second derivative.
      const std::string what = error.what_without_backtrace();
      failed(what.substr(0, what.find('\n')));
    }
    return out;
  }

  /// How far the estimate is from the reference, or the mean of several, and
  /// how far from the same estimate in the configured precision.
  void measure_distance(const Config& section, const Tensor& reference,
                        const Tensor& as_configured, ComparisonRow& out) const {
    const auto estimator = asked(*exact_, section, turns(section) - 1);
    const Estimate estimate = estimator->estimate(exact_->initial_hyper());
    out.status = to_string(estimate.status);
    out.trouble = estimate.trouble;
    Tensor judged = estimate.gradient.flatten();
    if (exact_ != cost_) {
      out.rounding = distance(as_configured.to(at::kDouble), judged).error;
    }
    const bool random = estimator->reseed(Key());
    if (options_.keys > 1) {
      Draws draws{estimate.gradient};
      if (random) draws = drawn(section);
      const double size = reference.norm().item<double>();
      out.scatter = {draws.standard_error / size,
                     draws.standard_deviation / size};
      judged = draws.mean.flatten();
    }
    out.distance = distance(judged, reference);
  }

  /// Estimates after the same training under several keys.
  Draws drawn(const Config& section) const {
    return draw_estimates(options_.keys, [&](const Key& key) {
      return asked(*exact_, section, turns(section) - 1, key)
          ->estimate(exact_->initial_hyper())
          .gradient;
    });
  }

  /// The cost of the estimate that is judged, which is returned. Its seconds
  /// are the median of those of the estimates that follow, so that work which
  /// only the first estimate does is left out.
  Tensor measure_cost(const Config& section, ComparisonRow& out) const {
    const Counted& problem = cost_->problem();
    const ParameterSet hyper = cost_->initial_hyper();
    const MemoryMeter memory;
    const auto estimator = asked(*cost_, section, turns(section) - 1);
    const std::int64_t train = problem.train_losses();
    const std::int64_t valid = problem.valid_losses();
    const Estimate estimate = estimator->estimate(hyper);
    EstimateCost cost;
    cost.train_gradients = problem.train_losses() - train;
    cost.valid_gradients = problem.valid_losses() - valid;
    const auto products = estimate.metrics.find("products");
    if (products != estimate.metrics.end()) {
      cost.products = std::llround(products->second);
    }
    cost.peak_bytes = memory.peak();
    out.cost = cost;
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < options_.repeats; ++i) {
      const Stopwatch watch;
      estimator->estimate(hyper);
      seconds.push_back(watch.seconds());
    }
    const auto middle = seconds.begin() + options_.repeats / 2;
    std::nth_element(seconds.begin(), middle, seconds.end());
    out.seconds = *middle;
    return estimate.gradient.flatten();
  }

  CompareOptions options_;
  Config config_;
  Config estimator_;
  std::shared_ptr<const Experiment> cost_;   // as configured
  std::shared_ptr<const Experiment> exact_;  // in double precision
  std::int64_t steps_ = 0;                   // of training before the estimates
  Tensor weights_;                           // after these steps
};

}  // namespace

ComparisonResult compare_estimators(const JsonFile& config,
                                    const std::vector<JsonFile>& others,
                                    const CompareOptions& options) {
  const Config whole = experiment_config(config);
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
  return Comparison(whole, options).result(contestants);
}

}  // namespace nestgrad
