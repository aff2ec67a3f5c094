#include "experiments/record/best_step.h"

#include <cmath>
#include <filesystem>

#include "experiments/setup/stopping.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Outer steps with these validation losses, at hyperparameters that are the
/// number of the step.
class MadeUp {
 public:
  MadeUp(const TemporaryFolder& folder, std::int64_t every,
         const std::string& metric = "valid_loss", bool truncated = false)
      : best(folder.path("best_step"), every, metric, truncated) {}

  /// In truncated training: after how many training steps.
  std::int64_t trained = 0;

  void step(std::int64_t number, double loss, double objective = 0,
            bool has_metric = true) {
    const ParameterSet hyper{{"h", at::full({2}, number, at::kDouble)}};
    OuterStep record;
    record.step = number;
    record.steps = 100;
    record.position.trained = trained;
    record.hyper = record.natural = record.next = &hyper;
    record.objective = objective;
    record.weights = [&] { return ParameterSet{{"w", hyper.at("h") + 0.5}}; };
    record.evaluate = [&] {
      return has_metric
                 ? Metrics{{"valid_loss", loss}, {"valid_accuracy", loss / 10}}
                 : Metrics();
    };
    if (number == 0) return best.on_start(record);
    best.on_step(record);
  }

  BestStep best;
};

}  // namespace

TEST_CASE("the best step has the least validation loss of those evaluated",
          "[selection]") {
  const TemporaryFolder folder;
  MadeUp run(folder, 10);
  CHECK_FALSE(run.best.known());
  run.step(0, std::nan(""));
  CHECK_FALSE(run.best.known());
  run.step(1, 3);
  run.step(10, 2);
  run.step(15, 1);  // not evaluated
  run.step(20, 2);  // as good, but later
  run.step(30, std::nan(""));
  run.step(40, -INFINITY);
  run.step(50, 5);
  CHECK(run.best.step() == 10);
  CHECK(run.best.value() == 2);
  CHECK(run.best.metric() == "valid_loss");
  CHECK(run.best.candidates() == 4);
  CHECK(run.best.last_candidate() == 50);
  CHECK(run.best.sets().hyper.at("h")[0].item<double>() == 10);
  CHECK(run.best.sets().weights.at("w")[1].item<double>() == 10.5);
}

TEST_CASE("a saved best step is restored with its file", "[selection]") {
  const TemporaryFolder folder;
  MadeUp run(folder, 1);
  run.step(0, 4);
  run.step(1, 3);
  const Snapshot saved = save(run.best);
  run.step(2, 2);
  CHECK(run.best.step() == 2);
  restore(run.best, saved);  // after a kill the file is of a later step
  CHECK(run.best.step() == 1);
  CHECK(run.best.evaluation().at("valid_loss") == 3);
  CHECK(run.best.sets().hyper.at("h")[0].item<double>() == 1);
  run.best.forget();
  CHECK_FALSE(run.best.known());
  CHECK_FALSE(std::filesystem::exists(folder.path("best_step")));
}

TEST_CASE("without a validation metric the loss of the estimate counts",
          "[selection]") {
  const TemporaryFolder folder;
  MadeUp run(folder, 1);
  run.step(0, 0, std::nan(""), false);
  run.step(1, 0, 5, false);
  run.step(2, 0, 3, false);
  run.step(3, 0, 4, false);
  CHECK(run.best.step() == 2);
  CHECK(run.best.metric() == "outer_loss");
  CHECK(run.best.candidates() == 3);
}

TEST_CASE("the metric that is tuned tells the best step", "[selection]") {
  const TemporaryFolder folder;
  MadeUp run(folder, 1, "valid_accuracy");
  for (const int k : {0, 1, 2}) run.step(k, k == 1 ? 9 : 3);
  CHECK(run.best.step() == 1);
  CHECK(run.best.metric() == "valid_accuracy");
  CHECK(run.best.value() == 0.9);
}

TEST_CASE("in truncated training only weights that were trained longest count",
          "[selection]") {
  const TemporaryFolder folder;
  MadeUp run(folder, 1, "valid_loss", /*truncated=*/true);
  run.step(0, 1);
  const std::pair<std::int64_t, double> courses[] = {
      {10, 2}, {20, 4}, {10, 1}, {20, 3}, {10, 2}};
  std::int64_t k = 0;
  for (const auto& [trained, loss] : courses) {
    run.trained = trained;
    run.step(++k, loss);
  }
  CHECK(run.best.step() == 4);
  CHECK(run.best.candidates() == 4);
}

TEST_CASE("patience does not compare the losses of different starts",
          "[selection]") {
  const Json section = {{"patience", 4}};
  Stopping stopping(Config(complete(Stopping::schema(), section)),
                    {[] { return 0; }, [] { return 0.0; },
                     [](const OuterStep&) { return Metrics(); }});
  // The second of two starts has the lower losses, and both improve.
  for (std::int64_t k = 1; k <= 20; ++k) {
    OuterStep step;
    step.step = k;
    step.position.start = (k + 1) % 2;
    step.objective = (step.position.start == 0 ? 3 : 1) - 0.01 * k;
    CHECK(stopping.on_step(step) == Observer::Verdict::kContinue);
  }
}

}  // namespace nestgrad
