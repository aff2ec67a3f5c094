#include <ATen/ATen.h>

#include <cmath>

#include "experiments/problems/games/gan_loss.h"
#include "experiments/problems/games/modes.h"
#include "experiments/problems/games/sample_store.h"
#include "experiments/setup/experiment.h"
#include "tests/support/shipped_configs.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

std::unique_ptr<BilevelProblem> game(const Json& json) {
  return ProblemRegistry::instance().make(json, {float64(), Key(1)});
}

/// Where simultaneous gradient descent of both players leads to.
double distance_after(std::int64_t steps, const Json& problem, double lr) {
  const Json json = {{"precision", "float64"},
                     {"problem", problem},
                     {"hyperparameters", {{"y", Json::object()}}},
                     {"inner", {{"type", "sgd"}, {"lr", lr}}},
                     {"estimator", {{"type", "simultaneous"}, {"window", 1}}},
                     {"outer", {{"type", "sgd"}, {"lr", lr}, {"steps", steps}}},
                     {"record", {{"retrain", 0}}}};
  Experiment experiment(experiment_config(json));
  return experiment.evaluate(experiment.tune({}).hyper).at("distance");
}

/// Logits of sure moves: C is 40, D is -40.
Tensor player(const std::string& moves) {
  std::vector<double> logits;
  for (const char move : moves) logits.push_back(move == 'C' ? 40 : -40);
  return at::tensor(logits, float64());
}

SampledData ring() {
  const auto source = DataRegistry::instance().make(
      Json{{"type", "gaussian_ring"}, {"examples", 800}});
  return {source->load(Key(1)).training, {2}};
}

}  // namespace

TEST_CASE(
    "the Hopf game goes to its equilibrium from inside the unstable "
    "cycle and to the stable one from outside",
    "[games]") {
  // r1^2, r2^2 = (1 -+ sqrt(0.4)) / 2
  const double r1 = std::sqrt((1 - std::sqrt(0.4)) / 2),
               r2 = std::sqrt((1 + std::sqrt(0.4)) / 2);
  const auto after = [](double start) {
    return distance_after(
        4000, {{"type", "hopf_game"}, {"growth", -0.15}, {"start_1", start}},
        0.01);
  };
  CHECK(after(0.9 * r1) < 0.1);
  CHECK(after(1.1 * r1) == Approx(r2).epsilon(0.01));
  CHECK(after(1.5) == Approx(r2).epsilon(0.01));
}

TEST_CASE("losses of the prisoner's dilemma are those of the rounds played",
          "[games]") {
  const auto problem = game({{"type", "prisoners_dilemma"}});
  const auto losses = [&](const std::string& one, const std::string& two) {
    const ParameterSet x{{"x", player(one)}}, y{{"y", player(two)}};
    return std::pair(problem->train_loss(x, y, Draw()).item<double>(),
                     problem->valid_loss(x, y, Draw()).item<double>());
  };
  const auto expect = [](std::pair<double, double> met, double one,
                         double two) {
    CHECK(met.first == Approx(one).epsilon(1e-9));
    CHECK(met.second == Approx(two).margin(1e-9));
  };
  const std::string tit_for_tat = "CCDCD", defect = "DDDDD";
  expect(losses("CCCCC", "CCCCC"), 1, 1);
  expect(losses(defect, defect), 2, 2);
  expect(losses("CCCCC", defect), 3, 0);
  expect(losses(tit_for_tat, tit_for_tat), 1, 1);
  // The first round alone is lost.
  expect(losses(tit_for_tat, defect), 0.04 * 3 + 0.96 * 2, 0.96 * 2);
  // Against one who does the same but begins with D: CD, DC, CD, ...
  expect(losses(tit_for_tat, "DCDCD"), 0.04 * (3 / (1 - 0.96 * 0.96)),
         0.04 * (3 * 0.96 / (1 - 0.96 * 0.96)));
  const Metrics metrics = problem->evaluate({{"x", player(tit_for_tat)}},
                                            {{"y", player(tit_for_tat)}});
  CHECK(metrics.at("tit_for_tat") == 1);
  CHECK(metrics.at("always_defect") == 0);
  CHECK(metrics.at("first_player.CD") == Approx(0).margin(1e-9));
  CHECK(metrics.at("second_player.DC") == Approx(1));
}

TEST_CASE("losses of adversarial networks are those of their publications",
          "[games]") {
  const Tensor real = at::tensor({2., -1.}, float64()),
               made = at::tensor({0.5, 1.5, -3.}, float64());
  const auto loss_of = [](const char* form) {
    return GanLoss(
        Config(complete(GanLoss::with_key(Schema("")), {{"loss", form}})));
  };
  const Tensor p_real = real.sigmoid(), p_made = made.sigmoid();
  const double value =
      (p_real.log().mean() + (1 - p_made).log().mean()).item<double>();
  for (const char* form : {"minimax", "non_saturating"}) {
    CHECK(loss_of(form).of_discriminator(real, made).item<double>() ==
          Approx(-value));
  }
  CHECK(loss_of("minimax").of_generator(made).item<double>() ==
        Approx((1 - p_made).log().mean().item<double>()));
  CHECK(loss_of("non_saturating").of_generator(made).item<double>() ==
        Approx(-p_made.log().mean().item<double>()));
  CHECK(loss_of("wasserstein").of_discriminator(real, made).item<double>() ==
        Approx((made.mean() - real.mean()).item<double>()));
  CHECK(loss_of("wasserstein").of_generator(made).item<double>() ==
        Approx(-made.mean().item<double>()));
  // The slope of 3 a + b^2.
  const Tensor x = at::tensor({1., 2., 0., -1.}, float64()).view({2, 2});
  CHECK(squared_slope(
            [](const Tensor& t) {
              return 3 * t.select(1, 0) + t.select(1, 1).square();
            },
            x)
            .item<double>() == Approx(((9 + 16) + (9 + 4)) / 2.));
}

TEST_CASE("modes are counted that samples have", "[games]") {
  const SampledData data = ring();
  const Config config(Json::object());
  const Tensor& x = data.examples.inputs;
  for (const std::int64_t steps : {0, 2000}) {
    CAPTURE(steps);
    const Modes modes(config, data, steps, Key(2));
    const Metrics all = modes.of(x);
    CHECK(all.at("modes") == 8);
    CHECK(all.at("quality") > 0.97);
    CHECK(all.at("mode_distance") < 0.03);
    // Three of eight.
    const Metrics some = modes.of(
        x.index_select(0, (data.examples.targets < 3).nonzero().squeeze(1)));
    CHECK(some.at("modes") == 3);
    CHECK(some.at("mode_distance") == Approx(5. / 8).margin(0.02));
  }
  // Far from every mode.
  const Metrics none = Modes(config, data, 0, Key(2)).of(0.5 * x);
  CHECK(none.at("modes") == 0);
  CHECK(none.at("quality") == 0);
  CHECK(none.at("mode_distance") == Approx(1));
}

TEST_CASE(
    "an adversarial network with complex momentum covers a ring of "
    "modes",
    "[games]") {
  Json config = shipped_config(NESTGRAD_SOURCE_DIR "/configs/gan_ring.json");
  config["outer"]["steps"] = 3000;
  Experiment experiment(experiment_config(config));
  const Metrics before = experiment.problem().evaluate(
      experiment.problem().initial_weights(experiment.initial_hyper(), Key(1)),
      experiment.initial_hyper());
  CHECK(before.at("modes") == 0);
  CHECK(experiment.evaluate(experiment.tune({}).hyper).at("modes") >= 6);
}

TEST_CASE("a store keeps the samples of a chain that it is asked for",
          "[games]") {
  // The rule moves the only weight by -1 in each step, so it tells the step.
  const auto rule =
      OptimizerRegistry::instance().make(Json{{"type", "sgd"}, {"lr", 1}});
  const ParameterSet start{{"w", at::zeros({2}, float64())}};
  const SampleStore store(
      {/*burn_in=*/10, /*thin=*/3, /*samples=*/4}, *rule, start,
      [](const ParameterSet& w, std::int64_t) { return w.at("w")[0]; }, Key(1));
  REQUIRE(store.size() == 4);
  REQUIRE(store.numbers() == 2);
  for (int i = 0; i < 4; ++i) {
    const Tensor w = store.weights(store.standardized()[i]).at("w");
    CHECK(w[0].item<double>() == Approx(-(13 + 3 * i)));
    CHECK(w[1].item<double>() == 0);
  }
  const Tensor first = store.standardized().select(1, 0);
  CHECK(first.mean().item<double>() == Approx(0).margin(1e-12));
  CHECK(first.std(0, false).item<double>() == Approx(1));
}

TEST_CASE(
    "many networks of a chain are less sure of what none has met than "
    "one of them",
    "[games]") {
  const Json section = {
      {"type", "posterior_distillation"},
      {"data", {{"type", "gaussian_ring"}, {"classes", 6}, {"valid", 10}}},
      {"known_classes", 3},
      {"chain",
       {{"rule",
         {{"type", "sgld"},
          {"lr", 0.1},
          {"weight_decay", 0.01},
          {"examples", 30}}},
        {"burn_in", 1000},
        {"thin", 20},
        {"samples", 100}}}};
  const auto problem = game(section);
  const ParameterSet y = problem->initial_hyper();
  const Metrics m = problem->evaluate(problem->initial_weights(y, Key(1)), y);
  CHECK(m.at("chain_accuracy") > 0.95);
  CHECK(m.at("chain_other_entropy") > 1.5 * m.at("chain_entropy"));
  CHECK(m.at("chain_other_entropy") > m.at("network_other_entropy"));
  CHECK(m.at("entropy_gap") ==
        Approx(std::abs(m.at("chain_entropy") - m.at("generator_entropy")) +
               std::abs(m.at("chain_other_entropy") -
                        m.at("generator_other_entropy"))));
}

TEST_CASE("mistakes in games are told", "[games]") {
  const auto complaint = [](const Json& json) -> std::string {
    try {
      game(json);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "none";
  };
  CHECK_THAT(complaint({{"type", "bilinear_game"}, {"matrix", {1, 2}}}),
             ContainsSubstring("must have 1 numbers"));
  CHECK_THAT(complaint({{"type", "quadratic_game"},
                        {"start_1", {1, 1}},
                        {"own_1", {1, 2, 3, 4}},
                        {"coupling_1", {1, 1}},
                        {"coupling_2", {1, 1}}}),
             ContainsSubstring("must be symmetric"));
  CHECK_THAT(complaint({{"type", "prisoners_dilemma"}, {"start_1", {1}}}),
             ContainsSubstring("must have 5 numbers"));
  CHECK_THAT(
      complaint(
          {{"type", "ridge_rider"}, {"game", "hopf_game"}, {"exponents", 3}}),
      ContainsSubstring("must be at most 2"));
  CHECK_THAT(complaint({{"type", "ridge_rider"},
                        {"game", "hopf_game"},
                        {"rule", {{"type", "sgld"}, {"examples", 2}}}}),
             ContainsSubstring("draws noise"));
  CHECK_THAT(complaint({{"type", "ridge_rider"}, {"game", "ridge"}}),
             ContainsSubstring("is no game"));
}

}  // namespace nestgrad
