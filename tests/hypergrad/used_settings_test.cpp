#include "experiments/setup/experiment.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Experiment ridge() {
  return Experiment(Config(complete(
      experiment_schema(),
      Json{{"precision", "float64"},
           {"problem", "ridge"},
           {"hyperparameters", {{"weight_decay", {{"per", "weight"}}}}},
           {"inner", {{"type", "sgd"}, {"lr", 0.2}}}})));
}

/// The first estimates of a method.
std::vector<Estimate> estimates(const Experiment& experiment,
                                const Json& section, std::size_t count = 1) {
  const auto estimator =
      EstimatorRegistry::instance().make(section, experiment.loop());
  estimator->begin(experiment.initial_hyper(), Key(3));
  std::vector<Estimate> out;
  while (out.size() < count) {
    out.push_back(estimator->estimate(experiment.initial_hyper()));
  }
  return out;
}

Estimate estimate(const Experiment& experiment, const Json& section) {
  return estimates(experiment, section).front();
}

/// A section with a setting that is "auto", and the number of the estimate that
/// depends on what the first one has found.
struct Automatic {
  Json section;
  const char* setting;
  std::size_t judged = 0;
};

}  // namespace

TEST_CASE(
    "settings that a method has found give the same estimate when they are "
    "configured",
    "[used]") {
  const Experiment experiment = ridge();
  const std::vector<Automatic> cases = {
      {{{"type", "ift"}, {"solver", "neumann"}}, "/solver/scale"},
      // Its vector moves after an estimate, so the next one shows it.
      {{{"type", "soba"}}, "/scale", 1},
      {{{"type", "sama"}}, "/difference"},
      {{{"type", "one_step"}, {"products", "finite_difference"}},
       "/difference"}};
  for (const Automatic& one : cases) {
    CAPTURE(one.section.dump());
    const auto gradient = [&](const Json& section) {
      return estimates(experiment, section, one.judged + 1)
          .back()
          .gradient.flatten();
    };
    const Json section = complete(EstimatorRegistry::instance(), one.section);
    const Json::json_pointer setting(one.setting);
    CHECK(section.at(setting) == "auto");
    Json configured = section;
    configured.merge_patch(estimate(experiment, section).used);
    CHECK(configured.at(setting).is_number());
    const Tensor expected = gradient(section);
    CHECK(at::equal(gradient(configured), expected));
    // Another value gives another estimate, so the setting is live.
    configured[setting] = 0.37 * configured[setting].get<double>();
    CHECK_FALSE(at::equal(gradient(configured), expected));
  }
}

TEST_CASE("a solver tells the rank that it has kept", "[used]") {
  // Twelve weights have no more columns than that.
  const Json section = {{"type", "ift"},
                        {"solver", {{"type", "nystrom"}, {"rank", 100}}}};
  CHECK(estimate(ridge(), section).used["solver"]["rank"] == 12);
}

TEST_CASE("unrolling tells the checkpoints that a budget has chosen",
          "[used]") {
  const Experiment experiment = ridge();
  Json section = {{"type", "unrolled"}, {"window", 200}, {"memory_mib", 100}};
  CHECK(estimate(experiment, section).used["checkpoints"] == "none");
  section["memory_mib"] = 0.02;
  const Estimate budgeted = estimate(experiment, section);
  CHECK(budgeted.used["checkpoints"] == budgeted.metrics.at("states_kept"));
  section.erase("memory_mib");
  section.merge_patch(budgeted.used);
  CHECK(estimate(experiment, section).metrics.at("states_kept") ==
        budgeted.metrics.at("states_kept"));
}

}  // namespace nestgrad
