#include "core/platform/files.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// A network of a million weights with one decay each, and hardly any data.
Json many_decays() {
  return {{"problem",
           {{"type", "classification"},
            {"data", {{"type", "two_moons"}, {"train", 20}, {"valid", 20}}},
            {"model", {{"type", "mlp"}, {"hidden", {1000, 1000}}}},
            {"batch", 0}}},
          {"hyperparameters",
           {{"weight_decay", {{"initial", 0.02}, {"per", "weight"}}}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.01}, {"momentum", 0.9}}},
          {"estimator",
           {{"type", "ift"},
            {"window", 2},
            {"solver", {{"type", "neumann"}, {"terms", 2}}}}},
          {"outer", {{"type", "adam"}, {"lr", 0.1}, {"steps", 3}}},
          {"record",
           {{"every", 1}, {"retrain", 2}, {"checkpoint", {{"steps", 1}}}}}};
}

/// What a run has held at its peak, in numbers per hyperparameter.
struct Vectors {
  double estimate = 0;  // an estimate itself
  double others = 0;    // all else: what lives from step to step, and whatever
                        // was above that outside of estimates
};

Vectors vectors_of(const std::string& run) {
  const Json summary = json_of(run + "/summary.json");
  const double numbers = 1000.0 * (2 + 1 + 1000 + 1 + 2) + 2;
  const double mib = numbers * 4 / (1024 * 1024);
  const double estimate = summary["estimator"]["tensor_mib"].get<double>();
  const double all = summary["peak_tensor_mib"].get<double>();
  return {estimate / mib, (all - estimate) / mib};
}

}  // namespace

TEST_CASE("all but the estimate holds fewer vectors than the estimate",
          "[run][memory]") {
  const TemporaryFolder folder;
  folder.write("a.json", many_decays().dump());
  const auto check = [&](const std::string& command) {
    CAPTURE(command);
    const Ended ended = program(folder.path(""), command);
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    const Vectors held = vectors_of(folder.path("run"));
    CAPTURE(held.estimate, held.others);
    CHECK(held.others < held.estimate);
    // Hyperparameters and two moments, weights and velocity, the solution of
    // the linear system; the data are a hundredth of a vector.
    CHECK(held.others < 6.2);
  };
  // With evaluations, histograms, checkpoints, final runs and a rehearsal.
  check("run a.json --out run");
  check("resume run --set outer.steps=5");
}

}  // namespace nestgrad
