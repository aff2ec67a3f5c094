#include "experiments/record/tuned_hyper.h"

#include <ATen/ATen.h>

#include "core/hyper_space.h"
#include "core/tensor/numbers.h"
#include "experiments/record/recorder.h"

namespace nestgrad {
namespace {

/// Schedules of more numbers are not written out.
constexpr std::int64_t kLongest = 10000;

/// What the rule in `section` says about its keys that hold "$name"; "" if none
/// does.
std::string meaning_in_rule(const RegistryBase& registry, const Json& section,
                            const std::string& name) {
  const std::string type = section.value("type", "");
  if (!registry.contains(type)) return "";
  const Schema schema = registry.schema(type);
  for (const KeySpec& key : schema.keys()) {
    if (!section.contains(key.name)) continue;
    const Json& value = section.at(key.name);
    if (value == "$" + name) return key.meaning;
    if (!value.is_object() || key.types() == nullptr) continue;
    const std::string inside = meaning_in_rule(*key.types(), value, name);
    if (!inside.empty()) return key.meaning + " " + inside;
  }
  return "";
}

using RangeOfValues = std::optional<std::pair<double, double>>;

/// The interval in which the coordinates keep a hyperparameter, if they do.
/// `entry`: its section; `declared`: what the problem says, or null.
RangeOfValues range_in(const Config& entry, const Hyperparameter* declared) {
  const Coordinates coordinates =
      declared != nullptr ? declared->coordinates : Coordinates();
  const bool bounded = entry.has("coordinates")
                           ? entry.text("coordinates") == "logit"
                           : coordinates.kind == Coordinates::Kind::kLogit;
  if (!bounded) return {};
  if (!entry.has("range")) return {{coordinates.low, coordinates.high}};
  const std::vector<double> range = entry.numbers("range");
  return {{range.at(0), range.at(1)}};
}

}  // namespace

bool TunedHyper::is_at_end(const Tensor& natural) const {
  if (!range) return false;
  const auto [low, high] = *range;
  const double near = 0.01 * (high - low);
  const Tensor at_end =
      natural.lt(low + near).logical_or(natural.gt(high - near));
  return 2 * at_end.sum().item<std::int64_t>() > natural.numel();
}

Json TunedHyper::to_json() const {
  Json out = {{"meaning", meaning},
              {"logarithmic", logarithmic},
              {"numbers", numbers},
              {"start", Json::object()}};
  for (const auto& [column, value] : start) out["start"][column] = value;
  if (schedule.defined() && numbers <= kLongest) {
    out["schedule"] = to_numbers(schedule);
  }
  return out;
}

std::vector<TunedHyper> tuned_hypers(const Config& config,
                                     const Experiment& experiment) {
  const ParameterSet hyper = experiment.initial_hyper();
  const ParameterSet natural = experiment.natural(hyper);
  const Config section = config.object("hyperparameters");
  const auto granularities = chosen_granularities(section);
  const std::vector<Hyperparameter> all =
      experiment.problem().hyperparameters();
  const Json rule = config.object("inner").json();
  std::vector<TunedHyper> out;
  for (std::size_t i = 0; i < natural.size(); ++i) {
    TunedHyper tuned;
    tuned.name = natural.name(i);
    const Tensor& start = natural.tensors()[i];
    tuned.logarithmic = are_logarithms(start, hyper.at(tuned.name));
    tuned.numbers = start.numel();
    const auto per = granularities.find(tuned.name);
    if (per != granularities.end() && per->second == "step") {
      tuned.schedule = start;
    }
    const Hyperparameter* declared = nullptr;
    for (const Hyperparameter& h : all) {
      if (h.name == tuned.name) declared = &h;
    }
    if (declared != nullptr) {
      tuned.meaning = declared->meaning;
      if (per != granularities.end()) {
        const auto names = declared->number_names.find(per->second);
        if (names != declared->number_names.end()) {
          tuned.number_names = names->second;
        }
      }
    }
    tuned.range = range_in(section.object(tuned.name), declared);
    tuned.start =
        summary_of({{tuned.name, start}}, {{tuned.name, tuned.number_names}});
    if (tuned.meaning.empty()) {
      tuned.meaning =
          meaning_in_rule(OptimizerRegistry::instance(), rule, tuned.name);
    }
    out.push_back(std::move(tuned));
  }
  return out;
}

}  // namespace nestgrad
