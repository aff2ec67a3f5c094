#include "core/tensor/autodiff.h"
#include "experiments/setup/experiment.h"
#include "tests/hypergrad/self_tuning/methods.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Logistic regression on 40 points of two moons, whose examples are perturbed
/// one by one.
Json moons(const Json& model, const Json& hyperparameters) {
  return {{"precision", "float64"},
          {"problem",
           {{"type", "classification"},
            {"data",
             {{"type", "two_moons"},
              {"noise", 0.3},
              {"train", 40},
              {"valid", 200},
              {"test", 10}}},
            {"model", model},
            {"batch", 0}}},
          {"hyperparameters", hyperparameters},
          {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
          {"estimator", "stn"}};
}

Experiment built(const Json& json) {
  return Experiment(Config(complete(experiment_schema(), json)));
}

/// The mean hypergradient of many windows after long training, with a
/// perturbation of each example.
double mean_gradient(const Experiment& experiment, const std::string& method,
                     double deviation, int windows) {
  REQUIRE(experiment.problem().abilities().responding_examples.train == 40);
  const auto estimator =
      make({{"type", method},
            {"window", 10},
            {"warm_up", 1000},
            {"perturbation", {{"initial", deviation}, {"learned", false}}}},
           experiment.loop());
  const ParameterSet hyper = experiment.initial_hyper();
  estimator->begin(hyper, Key(3));
  double sum = 0;
  for (int i = 0; i < windows; ++i) {
    sum += estimator->estimate(hyper).gradient.flatten().item<double>();
  }
  return sum / windows;
}

}  // namespace

TEST_CASE(
    "examples with decays and weights of their own lead to the implicit "
    "hypergradient",
    "[stn]") {
  const Experiment experiment =
      built(moons("logistic", {{"weight_decay", {{"initial", 0.1}}}}));
  const ParameterSet hyper = experiment.initial_hyper();
  const auto implicit = [&](const char* hessian) {
    const auto exact =
        make({{"type", "ift"},
              {"window", 5000},
              {"solver", {{"type", "dense"}, {"hessian", hessian}}}},
             experiment.loop());
    exact->begin(hyper, Key(3));
    return exact->estimate(hyper).gradient.flatten().item<double>();
  };
  const double truth = implicit("exact");
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    CHECK(mean_gradient(experiment, method, 0.3, 1500) ==
          Approx(truth).epsilon(0.1));
  }
}

TEST_CASE("a dropout rate is tuned as training at other rates says", "[stn]") {
  const Json model = {
      {"type", "mlp"}, {"hidden", Json::array()}, {"input_dropout", "$p"}};
  const auto at_rate = [&](double rate) {
    return built(moons(model, {{"p", {{"initial", rate}}}}));
  };
  // The loss where training at a constant rate stays on average.
  const auto loss_at = [&](double rate) {
    const Experiment experiment = at_rate(rate);
    const ParameterSet hyper = experiment.initial_hyper();
    TrainState state = experiment.loop().start(hyper, Key(5));
    ParameterSet sum = state.weights.zeros();
    constexpr int kSteps = 20000, kBefore = 500;
    for (int i = 0; i < kSteps; ++i) {
      state = experiment.loop().step(state, hyper, Key(5));
      if (i >= kBefore) sum = sum + state.weights;
    }
    const ParameterSet mean = (1.0 / (kSteps - kBefore)) * sum;
    return experiment.problem().valid_loss(mean, hyper, Draw()).item<double>();
  };
  constexpr double kRate = 0.3, kChange = 0.1;
  // In the coordinates of the rate, its logit.
  const double slope = kRate * (1 - kRate) *
                       (loss_at(kRate + kChange) - loss_at(kRate - kChange)) /
                       (2 * kChange);
  const Experiment experiment = at_rate(kRate);
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    CHECK(mean_gradient(experiment, method, 0.3, 3000) ==
          Approx(slope).epsilon(0.15));
  }
}

TEST_CASE("a warm-up is the given number of windows without an estimate",
          "[stn]") {
  const Bench bench = network_bench({{"type", "sgd"}, {"lr", 0.1}}, 4);
  for (const std::string& method : kMethods) {
    for (const int outer : {1, 2}) {
      CAPTURE(method, outer);
      const Json json = {{"type", method},
                         {"window", 3},
                         {"outer_steps_per_window", outer},
                         {"perturbation", {{"learned", false}}}};
      Json warm = json;
      warm["warm_up"] = 2;
      const auto a = make(json, *bench.loop), b = make(warm, *bench.loop);
      a->begin(bench.hyper, Key(3));
      b->begin(bench.hyper, Key(3));
      for (int i = 0; i < 2 * outer + 1; ++i) a->estimate(bench.hyper);
      b->estimate(bench.hyper);
      CHECK(at::equal(a->weights(bench.hyper).flatten(),
                      b->weights(bench.hyper).flatten()));
      // It is over after a restore.
      const auto restored = make(warm, *bench.loop);
      restore(*restored, save(*b));
      CHECK(at::equal(restored->estimate(bench.hyper).gradient.flatten(),
                      b->estimate(bench.hyper).gradient.flatten()));
      CHECK(at::equal(restored->weights(bench.hyper).flatten(),
                      b->weights(bench.hyper).flatten()));
    }
  }
}

TEST_CASE("entropy keeps the deviation of the noise up", "[stn]") {
  const Bench bench = ridge_bench({{"type", "sgd"}, {"lr", 0.1}}, false);
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const auto after = [&](double entropy) {
      const auto estimator =
          make({{"type", method},
                {"window", 2},
                {"response", "affine"},
                {"perturbation",
                 {{"initial", 0.5},
                  {"entropy", entropy},
                  {"rule", {{"type", "sgd"}, {"lr", 0.02}}}}}},
               *bench.loop);
      estimator->begin(bench.hyper, Key(3));
      double deviation = 0;
      for (int i = 0; i < 50; ++i) {
        deviation = estimator->estimate(bench.hyper)
                        .metrics.at("deviation.weight_decay");
      }
      return deviation;
    };
    CHECK(after(1) > 0.6);
    CHECK(after(1) > after(0.1));
    CHECK(after(0.1) > after(0));
    // The first step by hand: d(-tau log s) / d rho = -tau s' / s.
    const auto estimator = make({{"type", method},
                                 {"window", 2},
                                 {"perturbation",
                                  {{"initial", 0.5},
                                   {"learned", true},
                                   {"entropy", 1e6},
                                   {"rule", {{"type", "sgd"}, {"lr", 1e-6}}}}}},
                                *bench.loop);
    estimator->begin(bench.hyper, Key(3));
    const double rho = std::log(std::expm1(0.5));
    const double slope = 1 / (1 + std::exp(-rho)) / 0.5;
    CHECK(
        estimator->estimate(bench.hyper).metrics.at("deviation.weight_decay") ==
        Approx(std::log1p(std::exp(rho + slope))).epsilon(1e-4));
  }
}

TEST_CASE("the deviation of the noise descends the validation loss", "[stn]") {
  const Bench bench = ridge_bench({{"type", "sgd"}, {"lr", 0.1}}, false);
  constexpr double kRate = 1e-3, kChange = 1e-5;
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    // In the second of two outer steps the weights stay.
    const Json json = {
        {"type", method},
        {"window", 200},
        {"outer_steps_per_window", 2},
        {"draws", 4},
        {"response", "affine"},
        {"perturbation",
         {{"entropy", 0}, {"rule", {{"type", "sgd"}, {"lr", kRate}}}}}};
    const auto first = make(json, *bench.loop);
    first->begin(bench.hyper, Key(3));
    first->estimate(bench.hyper);
    const Snapshot saved = save(*first);
    const auto rho = [](const Snapshot& state) {
      return state.sets.at("rho/weights").flatten().item<double>();
    };
    /// The second outer step with another rho: its loss, and rho after it.
    const auto second = [&](double change) {
      Snapshot moved = saved;
      ParameterSet& set = moved.sets.at("rho/weights");
      set = set.map([&](const Tensor& t) { return t + change; });
      const auto estimator = make(json, *bench.loop);
      restore(*estimator, moved);
      const double loss = estimator->estimate(bench.hyper).objective;
      return std::make_pair(loss, rho(save(*estimator)));
    };
    const double slope =
        (second(kChange).first - second(-kChange).first) / (2 * kChange);
    CHECK(std::abs(slope) > 1e-4);
    CHECK((rho(saved) - second(0).second) / kRate ==
          Approx(slope).epsilon(1e-5));
  }
}

TEST_CASE("self-tuning networks refuse what they cannot tune", "[stn]") {
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const Bench rule = network_bench({{"type", "sgd"}, {"lr", "$lr"}});
    CHECK_THROWS_WITH(make({{"type", method}}, *rule.loop),
                      ContainsSubstring("cannot tune 'lr'"));
    const Bench many = ridge_bench({{"type", "sgd"}, {"lr", 0.1}});
    const auto limited = make({{"type", method}, {"limit", 11}}, *many.loop);
    CHECK_THROWS_WITH(limited->begin(many.hyper, Key(1)),
                      ContainsSubstring("limited to 11 hyperparameters, there "
                                        "are 12"));
  }
}

}  // namespace nestgrad
