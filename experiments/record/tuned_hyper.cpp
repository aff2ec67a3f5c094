#include "experiments/record/tuned_hyper.h"

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

}  // namespace

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
  const auto granularities =
      chosen_granularities(config.object("hyperparameters"));
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
    for (const Hyperparameter& h : experiment.problem().hyperparameters()) {
      if (h.name != tuned.name) continue;
      tuned.meaning = h.meaning;
      if (per == granularities.end()) continue;
      const auto names = h.number_names.find(per->second);
      if (names != h.number_names.end()) tuned.number_names = names->second;
    }
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
