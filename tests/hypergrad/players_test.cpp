#include <ATen/ATen.h>

#include "core/config/json_file.h"
#include "experiments/setup/experiment.h"
#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"
#include "tests/support/ridge_config.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// f1 = 2 x^2 + 3 x y and f2 = y^2 / 2 - 5 x y, from (x, y) = (0.4, -0.7).
Json scalar_game(const char* estimator) {
  return {{"precision", "float64"},
          {"problem",
           {{"type", "quadratic_game"},
            {"own_1", {4}},
            {"coupling_1", {3}},
            {"own_2", {1}},
            {"coupling_2", {-5}},
            {"start_1", {0.4}},
            {"start_2", {-0.7}}}},
          {"hyperparameters", {{"y", Json::object()}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
          {"estimator", {{"type", estimator}, {"window", 1}}},
          {"outer", {{"type", "sgd"}, {"lr", 0.1}, {"steps", 3}}},
          {"record", {{"retrain", 0}}}};
}

/// Where three outer steps lead to.
std::pair<double, double> played(const char* estimator) {
  Experiment experiment(experiment_config(scalar_game(estimator)));
  const ParameterSet y = experiment.tune({}).hyper;
  return {experiment.weights(y).at("x").item<double>(),
          y.at("y").item<double>()};
}

/// The first estimate with more keys in its section.
double first_estimate(const char* estimator, const Json& keys) {
  Json json = scalar_game(estimator);
  json["estimator"].update(keys);
  const Experiment experiment(experiment_config(json));
  const auto method = EstimatorRegistry::instance().make(
      experiment_config(json).object("estimator"), experiment.loop());
  method->begin(experiment.initial_hyper(), Key(1));
  return method->estimate(experiment.initial_hyper())
      .gradient.at("y")
      .item<double>();
}

}  // namespace

TEST_CASE("simultaneous players move by their gradients at the same point",
          "[players]") {
  double x = 0.4, y = -0.7;
  for (int i = 0; i < 3; ++i) {
    const double of_x = 4 * x + 3 * y, of_y = y - 5 * x;
    x -= 0.1 * of_x;
    y -= 0.1 * of_y;
  }
  const auto [found_x, found_y] = played("simultaneous");
  CHECK(found_x == Approx(x).epsilon(1e-14));
  CHECK(found_y == Approx(y).epsilon(1e-14));
}

TEST_CASE("of alternating players the second sees where the first has gone",
          "[players]") {
  double x = 0.4, y = -0.7;
  for (int i = 0; i < 3; ++i) {
    x -= 0.1 * (4 * x + 3 * y);
    y -= 0.1 * (y - 5 * x);
  }
  const auto [found_x, found_y] = played("alternating");
  CHECK(found_x == Approx(x).epsilon(1e-14));
  CHECK(found_y == Approx(y).epsilon(1e-14));
}

TEST_CASE("implicit differentiation gives a game the gradient of its leader",
          "[players]") {
  // Player 1 answers with x(y) = -3 y / 4, so d f2(x(y), y) / dy has the term
  // -5 y dx/dy besides player 2's own gradient y - 5 x.
  const double y = -0.7, answer = -3. / 4 * y;
  const Json trained = {{"window", 200}};
  CHECK(first_estimate("alternating", trained) ==
        Approx(y - 5 * answer).epsilon(1e-12));
  Json leader = trained;
  leader["solver"] = "dense";
  CHECK(first_estimate("ift", leader) ==
        Approx(y - 5 * answer - 5 * y * (-3. / 4)).epsilon(1e-12));
}

TEST_CASE("a player of its own is refused where nothing is a game",
          "[players]") {
  for (const char* name : {"simultaneous", "alternating"}) {
    Json json = ridge_config();
    json["estimator"] = name;
    CHECK_THROWS_WITH(Experiment(experiment_config(json)),
                      ContainsSubstring("/estimator/type: needs a game"));
  }
}

}  // namespace nestgrad
