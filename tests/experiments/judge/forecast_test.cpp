#include "experiments/judge/forecast.h"

#include <chrono>
#include <thread>

#include "core/platform/stopwatch.h"
#include "experiments/judge/plan.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// A training loss that takes ten milliseconds, or a little more on a busy
/// machine, for one run or for all particles together; nothing else takes time.
class Slow : public BilevelProblem {
 public:
  /// What a loss has really taken, on average, since cost_of() began.
  static double seconds() { return spent / static_cast<double>(losses); }
  static inline double spent = 0;
  static inline std::int64_t losses = 0;

  Slow(const Config&, const ProblemContext&) {}
  static Schema schema() { return Schema("A slow training loss."); }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "decay";
    decay.initial = at::scalar_tensor(0.1, at::kDouble);
    return {decay};
  }
  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"w", at::ones({1}, at::kFloat)}};
  }
  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.particles = true;
    return out;
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    const Stopwatch watch;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    spent += watch.seconds();
    ++losses;
    return 0.5 * hyper.at("decay") * weights.at("w").square().sum(-1);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("w").square().sum(-1);
  }
};

NESTGRAD_REGISTER(ProblemRegistry, "slow", Slow)

Json slow(const Json& estimator, std::int64_t outer_steps,
          const Json& retrain = 0) {
  return {{"problem", "slow"},
          {"hyperparameters", {{"decay", Json::object()}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
          {"estimator", estimator},
          {"outer", {{"type", "adam"}, {"lr", 0.01}, {"steps", outer_steps}}},
          {"record", {{"retrain", retrain}}}};
}

PlanCost cost_of(const Json& json) {
  const MemoryMeter memory;
  const Config config(complete(experiment_schema(), json));
  const Experiment experiment(config);
  Slow::spent = 0;
  Slow::losses = 0;
  return forecast(config, experiment, memory);
}

void check_within(double told, double taken, double factor) {
  CAPTURE(told, taken);
  CHECK(told < factor * taken);
  CHECK(told > taken / factor);
}

}  // namespace

TEST_CASE("the time of tuning is told within a factor of 1.5", "[plan]") {
  // How often an estimate computes the training loss, all particles at once.
  const std::vector<std::pair<Json, double>> cases = {
      {{{"type", "ift"}, {"window", 60}, {"solver", "identity"}}, 61},
      {{{"type", "unrolled"}, {"window", 100}, {"horizon", 100}}, 100},
      {{{"type", "unrolled"}, {"window", 100}, {"last", 10}}, 100},
      {{{"type", "unrolled"},
        {"window", 100},
        {"horizon", 100},
        {"shortest", 20}},
       60},
      // The run without perturbation is one of the particles.
      {{{"type", "pes"}, {"window", 50}, {"horizon", 100}, {"particles", 200}},
       50},
      {{{"type", "stn"}, {"window", 50}}, 50},
      {{{"type", "finite_difference"}, {"window", 40}}, 120},
      {{{"type", "ift"}, {"window", 7}, {"solver", "identity"}}, 8}};
  for (const auto& [estimator, losses] : cases) {
    CAPTURE(estimator.dump());
    const PlanCost cost = cost_of(slow(estimator, 400));
    check_within(cost.tuning, 400 * losses * Slow::seconds(), 1.5);
  }
}

TEST_CASE("outer steps that share a window are told, and final runs",
          "[plan]") {
  const PlanCost cost = cost_of(slow({{"type", "ift"},
                                      {"window", 40},
                                      {"solver", "identity"},
                                      {"outer_steps_per_window", 10}},
                                     400, "auto"));
  check_within(cost.tuning, (40 * 40 + 400) * Slow::seconds(), 1.5);
  check_within(cost.retraining, 2 * 40 * 40 * Slow::seconds(), 1.5);
}

TEST_CASE("a new network at every evaluation is told", "[plan]") {
  Json json =
      slow({{"type", "ift"}, {"window", 9}, {"solver", "identity"}}, 100, 40);
  json["record"].update(Json{{"fresh", true}, {"every", 1}, {"networks", 1}});
  const PlanCost cost = cost_of(json);
  // The start and the first step are evaluated besides.
  check_within(cost.tuning, (100 * 10 + 102 * 40) * Slow::seconds(), 1.5);
}

TEST_CASE("the memory of a pool is told", "[plan]") {
  for (const char* estimator : {"one_step", "unrolled", "ift"}) {
    CAPTURE(estimator);
    const Json json = {
        {"problem",
         {{"type", "classification"},
          {"data", {{"type", "two_moons"}, {"train", 20}, {"valid", 20}}},
          {"model", {{"type", "mlp"}, {"hidden", {300, 300}}}}}},
        {"hyperparameters", {{"weight_decay", Json::object()}}},
        {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
        {"estimator",
         {{"type", estimator},
          {"window", 1},
          {"horizon", 40},
          {"starts", 0},
          {"pool", 40}}},
        // So many that each run is used.
        {"outer", {{"type", "sgd"}, {"lr", 1e-6}, {"steps", 300}}},
        {"record", {{"retrain", 0}}}};
    const auto told = static_cast<double>(cost_of(json).peak);
    const MemoryMeter memory;
    Experiment experiment(Config(complete(experiment_schema(), json)));
    experiment.tune({});
    check_within(told, static_cast<double>(memory.peak()), 1.2);
  }
}

TEST_CASE("what is told obeys budgets", "[plan]") {
  const Json ift = {{"type", "ift"}, {"window", 9}, {"solver", "identity"}};
  const auto with_stop = [&](const Json& stop) {
    Json json = slow(ift, 100000, "auto");
    json["outer"]["stop"] = stop;
    return json;
  };
  // An estimate has ten gradients.
  const PlanCost seconds = cost_of(with_stop({{"seconds", 20}}));
  CHECK(seconds.ended_by == "seconds");
  check_within(seconds.tuning, 20, 1.1);
  check_within(static_cast<double>(seconds.outer_steps), 2 / Slow::seconds(),
               1.5);
  // Final runs are as long as what tuning will have done.
  check_within(
      seconds.retraining,
      2 * 9 * static_cast<double>(seconds.outer_steps) * Slow::seconds(), 1.5);
  CHECK_THAT(seconds.text(),
             ContainsSubstring("of them for final runs") &&
                 ContainsSubstring("outer.stop.seconds ends tuning after"));

  const PlanCost gradients = cost_of(with_stop({{"train_gradients", 500}}));
  CHECK(gradients.ended_by == "train_gradients");
  CHECK(gradients.outer_steps == 50);
  check_within(gradients.tuning, 500 * Slow::seconds(), 1.5);

  Json products = with_stop({{"products", 60}});
  products["estimator"]["solver"] = {
      {"type", "neumann"}, {"terms", 3}, {"scale", 1}};
  CHECK(cost_of(products).outer_steps == 20);

  Json retraining = slow(ift, 10, 100000);
  retraining["record"]["retrain_seconds"] = 7;
  CHECK(cost_of(retraining).retraining == Approx(7).epsilon(0.1));
  CHECK(cost_of(slow(ift, 10)).ended_by.empty());
}

TEST_CASE("a rehearsal takes at most ten seconds or a tenth of the job",
          "[plan]") {
  // 50 s of training; rehearsed in full, three estimates would take 15 s.
  const Stopwatch watch;
  const PlanCost cost = cost_of(
      slow({{"type", "ift"}, {"window", 500}, {"solver", "identity"}}, 10));
  CHECK(watch.seconds() < 10);
  check_within(cost.tuning, 10 * 501 * Slow::seconds(), 1.5);
}

TEST_CASE("the cost of an experiment that diverges at once is not known",
          "[plan]") {
  Json json = slow({{"type", "ift"}, {"window", 2000}}, 10);
  json["problem"] = "ridge";
  json["hyperparameters"] = {{"weight_decay", {{"initial", 1e30}}}};
  json["inner"]["lr"] = 1e30;
  CHECK_THROWS_AS(cost_of(json), NotFinite);
  const PlanResult plan =
      make_plan(Config(complete(experiment_schema(), json)));
  CHECK_FALSE(plan.cost.has_value());
  CHECK_THAT(plan.text(), ContainsSubstring("are not known") &&
                              ContainsSubstring("the validation loss is"));
}

}  // namespace nestgrad
