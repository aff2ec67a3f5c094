#include <ATen/ATen.h>

#include <cmath>

#include "experiments/problems/games/game.h"
#include "experiments/problems/games/lyapunov.h"
#include "experiments/setup/experiment.h"
#include "tests/support/shipped_configs.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// f1 = (x^2 - 1)^2 / 4 and f2 = y^2 / 2: paths to x = 1 and to x = -1 part at
/// x = 0.
class DoubleWell : public SmallGame {
 public:
  explicit DoubleWell(const Config&)
      : SmallGame(at::scalar_tensor(0.45, float64()),
                  at::scalar_tensor(0.7, float64())) {}
  DoubleWell(const Config& config, const ProblemContext&)
      : DoubleWell(config) {}
  static Schema schema() { return Schema("Two wells."); }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return (weights.at(kX).square() - 1).square() / 4;
  }
  Tensor valid_loss(const ParameterSet&, const ParameterSet& hyper,
                    const Draw&) const override {
    return hyper.at(kY).square() / 2;
  }
};

NESTGRAD_REGISTER(ProblemRegistry, "double_well_of_test", DoubleWell)

Json rider(const Json& game, std::int64_t steps, std::int64_t outer_steps) {
  return {{"precision", "float64"},
          {"problem",
           {{"type", "ridge_rider"},
            {"game", game},
            {"rule", {{"type", "sgd"}, {"lr", 0.1}}},
            {"steps", steps},
            {"distances", {0.05}}}},
          {"hyperparameters", {{"start", Json::object()}}},
          {"inner", {{"type", "sgd"}, {"lr", 1}}},
          {"estimator",
           {{"type", "unrolled"},
            {"window", steps},
            {"horizon", steps},
            {"starts", 1}}},
          {"outer", {{"type", "adam"}, {"lr", 0.02}, {"steps", outer_steps}}},
          {"record", {{"retrain", 0}}}};
}

}  // namespace

TEST_CASE("the logistic map has the Lyapunov exponent log 2", "[games]") {
  Tensor z = at::tensor({0.3}, float64()), d = at::ones({1, 1}, float64());
  const VectorMap map = [](const Tensor& t) { return 4 * t * (1 - t); };
  double sum = 0;
  constexpr int kSteps = 4000;
  for (int k = 0; k < kSteps; ++k) {
    const Pushed next = push(map, z, d);
    sum += next.growth[0].item<double>();
    z = next.point.detach();
    d = next.directions.detach();
  }
  CHECK(sum / kSteps == Approx(std::log(2)).epsilon(0.02));
}

TEST_CASE("growth of directions is that of the volume that they span",
          "[games]") {
  // A linear map that is not symmetric: after many steps the exponents are the
  // logarithms of the sizes of its eigenvalues.
  const Tensor a =
      at::tensor({1.2, 0.7, -0.3, 0.1, 0.9, 0.4, 0.2, 0., 0.5}, float64())
          .view({3, 3});
  const VectorMap map = [&](const Tensor& t) { return at::mv(a, t); };
  Tensor d =
      std::get<0>(at::linalg_qr(Key(1).normal(at::empty({3, 3}, float64()))));
  Tensor z = at::ones({3}, float64()), sum = at::zeros({3}, float64());
  constexpr int kSteps = 400;
  for (int k = 0; k < kSteps; ++k) {
    const Pushed next = push(map, z, d);
    z = next.point.detach();
    d = next.directions.detach();
    sum = sum + next.growth.detach();
  }
  const Tensor sizes = std::get<0>(at::linalg_eigvals(a).abs().sort(0, true));
  CHECK(at::allclose(sum / kSteps, sizes.log(), 0, 0.02));
  CHECK((sum / kSteps).sum().item<double>() ==
        Approx(std::log(std::abs(at::linalg_det(a).item<double>()))));
}

TEST_CASE("the ridge rider finds where two wells part, and both wells",
          "[games]") {
  Experiment experiment(
      experiment_config(rider("double_well_of_test", 20, 150)));
  const ParameterSet start = experiment.tune({}).hyper;
  CHECK(start.at("start")[0].item<double>() == Approx(0).margin(1e-3));
  CHECK(experiment.evaluate(start).at("exponent_1") ==
        Approx(std::log(1.1)).epsilon(1e-3));
  const auto outcomes = experiment.problem().outcomes(start);
  REQUIRE(outcomes.size() == 3);
  const double one = outcomes[1].second.at("x"),
               other = outcomes[2].second.at("x");
  CHECK(std::abs(one) == Approx(1).epsilon(1e-4));
  CHECK(one == Approx(-other).epsilon(1e-4));
}

TEST_CASE(
    "from one start the ridge rider finds the equilibrium and the cycle "
    "of the Hopf game",
    "[games]") {
  Json config = rider("hopf_game", 50, 40);
  config["outer"]["lr"] = 0.05;
  config["problem"]["distances"] = {0.1};
  Experiment experiment(experiment_config(config));
  const auto outcomes =
      experiment.problem().outcomes(experiment.tune({}).hyper);
  double least = 1e9, largest = 0;
  for (const auto& [name, metrics] : outcomes) {
    least = std::min(least, metrics.at("distance"));
    largest = std::max(largest, metrics.at("distance"));
  }
  CHECK(least < 0.01);
  // A step of 0.1 turns the radius up a little: growth + 0.1 turn^2 / 2.
  CHECK(largest ==
        Approx(std::sqrt((1 + std::sqrt(1 - 4 * 0.1)) / 2)).epsilon(0.01));
}

TEST_CASE(
    "from one start the ridge rider finds tit for tat and always "
    "defecting, where descent from 20 random starts finds the second",
    "[games]") {
  Experiment experiment(experiment_config(shipped_config(
      NESTGRAD_SOURCE_DIR "/configs/prisoners_dilemma_ridge_rider.json")));
  int tit_for_tat = 0, always_defect = 0;
  for (const auto& [name, metrics] :
       experiment.problem().outcomes(experiment.tune({}).hyper)) {
    const double worse =
        std::max(metrics.at("train_loss"), metrics.at("valid_loss"));
    tit_for_tat += metrics.at("tit_for_tat") == 1 && worse < 1.15 ? 1 : 0;
    always_defect += metrics.at("always_defect") == 1 && worse > 1.98 ? 1 : 0;
  }
  CHECK(tit_for_tat >= 1);
  CHECK(always_defect >= 1);

  Json descent =
      shipped_config(NESTGRAD_SOURCE_DIR "/configs/prisoners_dilemma.json");
  int defecting = 0;
  for (int seed = 1; seed <= 20; ++seed) {
    descent["seed"] = seed;
    Experiment random(experiment_config(descent));
    const Metrics end = random.evaluate(random.tune({}).hyper);
    CHECK(end.at("tit_for_tat") == 0);
    if (end.at("train_loss") > 1.98 && end.at("valid_loss") > 1.98) ++defecting;
  }
  CHECK(defecting >= 15);
}

}  // namespace nestgrad
