#include "experiments/setup/movable.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/config/alternatives.h"
#include "core/hyper_space.h"
#include "core/platform/warnings.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// What depends on a hyperparameter.
enum class Place {
  kLosses,  ///< a loss, at given weights
  kRule,    ///< the training rule, and no loss
  kStart    ///< the initial weights, and nothing else
};

/// The target does not depend on what has this place.
bool misses(Target target, Place place) {
  switch (place) {
    case Place::kLosses:
      return false;
    case Place::kRule:
      return target == Target::kStationarity;
    case Place::kStart:
      return target == Target::kStationarity || target == Target::kFixedPoint;
  }
  return false;
}

/// The names of the hyperparameters on which nothing but the initial weights
/// depends.
std::set<std::string> of_start(const BilevelProblem& problem) {
  const ParameterSet h = problem.initial_hyper().leaves();
  const ParameterSet start = problem.initial_weights(h, Key());
  std::vector<Tensor> learned;
  for (const Tensor& w : start.tensors()) {
    if (w.requires_grad()) learned.push_back(w);
  }
  if (learned.empty()) return {};
  const ParameterSet w = start.leaves();
  const std::vector<Tensor> losses{problem.train_loss(w, h, Draw()),
                                   problem.valid_loss(w, h, Draw())};
  std::set<std::string> out;
  for (std::size_t i = 0; i < h.size(); ++i) {
    const auto depends = [&](const Tensor& t) {
      return depends_on(t, {h.tensors()[i]}, {});
    };
    if (std::any_of(learned.begin(), learned.end(), depends) &&
        std::none_of(losses.begin(), losses.end(), depends)) {
      out.insert(h.name(i));
    }
  }
  return out;
}

/// "\"key\": \"value\"" for every choice of the estimator's own under which it
/// does not miss this place.
std::vector<std::string> own_choices(const Config& section,
                                     const TrainingLoop& loop, Place place) {
  const EstimatorRegistry& registry = EstimatorRegistry::instance();
  std::vector<std::string> out;
  const Schema schema = registry.schema(section.type());
  for (const KeySpec& key : schema.keys()) {
    if (key.kind != KeySpec::Kind::kChoice) continue;
    for (const std::string& choice : key.choices) {
      Json changed = section.json();
      changed[key.name] = choice;
      try {
        if (misses(registry.make(changed, loop)->target(), place)) continue;
        out.push_back(fmt::format("\"{}\": \"{}\"", key.name, choice));
      } catch (const std::exception&) {
        // It does not work here, so it is no alternative.
      }
    }
  }
  return out;
}

std::string instead(const Config& section, const TrainingLoop& loop,
                    Place place) {
  std::vector<std::string> all = own_choices(section, loop, place);
  const std::vector<std::string> others = names_where(
      EstimatorRegistry::instance(),
      [&](const HypergradientEstimator& other) {
        return !misses(other.target(), place);
      },
      loop);
  all.insert(all.end(), others.begin(), others.end());
  return in_words(all);
}

}  // namespace

void require_movable(const Config& experiment, const Config& section,
                     const HypergradientEstimator& estimator,
                     const TrainingLoop& loop) {
  const Target target = estimator.target();
  if (target != Target::kStationarity && target != Target::kFixedPoint) return;
  const BilevelProblem& problem = *loop.problem();
  std::set<std::string> of_losses;
  for (const Hyperparameter& h : problem.hyperparameters()) {
    of_losses.insert(h.name);
  }
  const std::set<std::string> only_start = of_start(problem);
  const std::set<std::string> named =
      references(experiment.object("inner").json());
  const Config hyperparameters = experiment.object("hyperparameters");
  std::vector<Complaint> complaints;
  const ParameterSet hyper = problem.initial_hyper();
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    const std::string& name = hyper.name(i);
    const bool declared = of_losses.count(name) > 0;
    const Place place = declared && only_start.count(name) == 0 ? Place::kLosses
                        : named.count(name) > 0 || !declared    ? Place::kRule
                                                                : Place::kStart;
    if (!misses(target, place)) continue;
    complaints.push_back(
        {hyperparameters.pointer(name),
         fmt::format(
             "the estimator \"{}\" would never move '{}': it differentiates "
             "{} at the weights reached, which does not depend on {}; take "
             "{}, or make it a constant (\"tuned\": false)",
             section.type(), name,
             target == Target::kStationarity ? "losses" : "a training step",
             place == Place::kRule ? "settings of the training rule"
                                   : "how training began",
             instead(section, loop, place))});
  }
  if (!complaints.empty()) throw ConfigError(std::move(complaints));
}

void warn_of_unused_steps(const Config& experiment, std::int64_t steps) {
  const Config hyperparameters = experiment.object("hyperparameters");
  for (const auto& [name, entry] : hyperparameters.json().items()) {
    const Config read = hyperparameters.object(name);
    const bool by_step = read.has("per") && read.text("per") == "step" &&
                         read.has("steps") && read.boolean("tuned");
    if (!by_step || read.integer("steps") <= steps) continue;
    add_warning(fmt::format(
        "{}: only the first {} of the {} numbers of '{}' are ever used and "
        "tuned, since a run trains {} steps",
        read.pointer("steps"), steps, read.integer("steps"), name, steps));
  }
}

}  // namespace nestgrad
