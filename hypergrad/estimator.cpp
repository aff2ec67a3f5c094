#include "hypergrad/estimator.h"

#include "hypergrad/attribution.h"

namespace nestgrad {
namespace {

constexpr const char* kWarmUp = "warm_up";

}  // namespace

std::unique_ptr<AttributionPass> HypergradientEstimator::attribute(
    const AttributionTask&) const {
  return nullptr;
}

Json HypergradientEstimator::rehearsal(
    const Json& section, std::int64_t window,
    std::int64_t outer_steps_per_window) const {
  Json out = section;
  const Truncation cut = Truncation::read(Config(section));
  out["window"] = window;
  out["outer_steps_per_window"] = outer_steps_per_window;
  out["horizon"] = window * (cut.horizon / cut.window);
  out["shortest"] = out["first_horizon"] = 0;
  if (out.contains(kWarmUp)) out[kWarmUp] = 0;
  return out;
}

Schema warm_up_schema() {
  return Schema("Training before the first estimate.")
      .integer(kWarmUp, 0,
               "Windows of training before the first estimate, in which the "
               "hyperparameters stay.",
               at_least(0));
}

std::int64_t read_warm_up(const Config& section) {
  return section.has(kWarmUp) ? section.integer(kWarmUp) : 0;
}

}  // namespace nestgrad
