#include "experiments/judge/check.h"

#include <cmath>

#include "experiments/judge/judge.h"
#include "tests/experiments/judge/checked.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Json ridge(const Json& estimator) {
  return {{"precision", "float64"},
          {"problem", "ridge"},
          {"hyperparameters", {{"weight_decay", {{"per", "weight"}}}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.4}}},
          {"estimator", estimator}};
}

Json check(const Json& config, const CheckOptions& options = {}) {
  return checked(config, options).to_json();
}

}  // namespace

TEST_CASE("central slopes are right to their uncertainty", "[check]") {
  const auto judge = [](const std::function<double(double)>& f, double truth) {
    const Slope slope = central_slope(f);
    CHECK(std::abs(slope.value - truth) <= 3 * slope.uncertainty + 1e-15);
    return slope.uncertainty;
  };
  CHECK(judge([](double t) { return std::exp(t); }, 1) < 1e-9);
  CHECK(judge([](double t) { return std::sin(30 * t); }, 30) < 1e-6);
  // A kink nearby, which long steps cross.
  CHECK(judge([](double t) { return std::abs(t - 1e-5) + t; }, 0) < 1e-6);
  CHECK(judge([](double) { return 3.0; }, 0) == 0);
  // Lost in the rounding of a large constant, whose neighbours agree by chance.
  CHECK(judge([](double t) { return 1e3 + 3e-9 * std::exp(t); }, 3e-9) > 1e-13);
}

TEST_CASE("check tells what the precision of a configuration costs",
          "[check]") {
  Json config = ridge({{"type", "unrolled"}, {"window", 10}});
  CHECK_FALSE(check(config).contains("precision"));
  config["precision"] = "float32";
  const Json single = check(config)["precision"];
  CHECK(single["name"] == "float32");
  CHECK(single["error"].get<double>() > 1e-9);
  CHECK(single["error"].get<double>() < 1e-4);

  config = {{"precision", "bfloat16"},
            {"problem",
             {{"type", "classification"},
              {"data",
               {{"type", "gaussian_clusters"},
                {"features", 6},
                {"train", 60},
                {"valid", 60},
                {"test", 0}}},
              {"model", {{"type", "mlp"}, {"hidden", {8}}}}}},
            {"hyperparameters", {{"weight_decay", Json::object()}}},
            {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
            {"estimator", {{"type", "unrolled"}, {"window", 10}}}};
  for (const char* type : {"stn", "delta_stn", "ift", "apo", "uoro"}) {
    CAPTURE(type);
    Json other = config;
    other["estimator"] = {{"type", type}, {"window", 10}};
    CheckOptions options;
    options.keys = 2;
    const Json found = check(other, options)["precision"];
    REQUIRE(found.contains("error"));
    CHECK(found["error"].get<double>() > 1e-5);
    CHECK(found["error"].get<double>() < 0.5);
  }
  const Json whole = check(config);
  CHECK(whole["claim"]["error"].get<double>() < 1e-6);
  CHECK(whole["precision"]["name"] == "bfloat16");
  CHECK(whole["precision"]["error"].get<double>() > 1e-4);
  CHECK(whole["precision"]["error"].get<double>() < 0.3);
}

TEST_CASE("distances are those of vectors", "[check]") {
  const Tensor r = at::tensor({3., 4.}, float64());
  const Distance same = distance(r, r);
  CHECK(same.error == 0);
  CHECK(same.cosine == Approx(1));
  const Distance turned = distance(at::tensor({-8., 6.}, float64()), r);
  CHECK(turned.cosine == Approx(0).margin(1e-15));
  CHECK(turned.norm_ratio == 2);
  CHECK(turned.error == Approx(std::sqrt(5)));
  CHECK(distance(at::zeros_like(r), at::zeros_like(r)).error == 0);
}

TEST_CASE("check tells the claim of a method from its bias", "[check]") {
  const Json got = check(
      ridge({{"type", "ift"},
             {"window", 60},
             {"solver", {{"type", "neumann"}, {"terms", 3}, {"scale", 0.3}}}}));
  CHECK(got["passed"] == true);
  CHECK(got["claim"]["error"].get<double>() < 1e-9);
  const auto bias = got["bias"]["error"].get<double>();
  CHECK(bias > 0.05);
  CHECK(bias < 0.9);
  CHECK(got["bias"]["norm_ratio"].get<double>() < 1);
  CheckOptions strict;
  strict.max_bias = 0.5 * bias;
  CHECK(check(ridge({{"type", "ift"},
                     {"window", 60},
                     {"solver",
                      {{"type", "neumann"}, {"terms", 3}, {"scale", 0.3}}}}),
              strict)["passed"] == false);
}

TEST_CASE("check measures the bias of a window by the whole run", "[check]") {
  CheckOptions options;
  options.windows = 4;
  Json config = ridge({{"type", "unrolled"}, {"window", 5}});
  const Json window = check(config, options);
  CHECK(window["passed"] == true);
  CHECK(window["bias"]["error"].get<double>() > 0.01);
  config["estimator"] = {
      {"type", "forward"}, {"window", 5}, {"real_time", true}};
  const Json run = check(config, options);
  CHECK(run["passed"] == true);
  CHECK(run["bias"]["error"].get<double>() < 1e-12);
  CHECK(run["claim"]["error"].get<double>() < 1e-8);
}

TEST_CASE("check gives the mean and the variance of a random method",
          "[check]") {
  const Json got =
      check(ridge({{"type", "ift"},
                   {"window", 60},
                   {"solver", {{"type", "nystrom"}, {"rank", 6}}}}));
  REQUIRE(got.contains("random"));
  CHECK(got["random"]["keys"] == 20);
  const auto deviation = got["random"]["standard_deviation"].get<double>();
  CHECK(deviation > 0);
  CHECK(got["random"]["standard_error"].get<double>() ==
        Approx(deviation / std::sqrt(20)));
  const Json& interval = got["random"]["standard_deviation_interval"];
  CHECK(interval[0].get<double>() < deviation);
  CHECK(interval[1].get<double>() > deviation);
  // All columns: every key gives the same.
  const Json whole =
      check(ridge({{"type", "ift"},
                   {"window", 60},
                   {"solver", {{"type", "nystrom"}, {"rank", 12}}}}));
  CHECK(whole["random"]["standard_deviation"].get<double>() < 1e-10);
}

TEST_CASE("a metric without derivatives gives check nothing to judge by",
          "[check]") {
  const Json got = check(ridge({{"type", "es"},
                                {"window", 5},
                                {"horizon", 5},
                                {"metric", "valid_loss"}}));
  CHECK(got["passed"] == false);
  CHECK_THAT(got["verdict"].get<std::string>(),
             ContainsSubstring("CANNOT BE JUDGED") &&
                 ContainsSubstring("an objective of its own"));
  CHECK(got["random"]["standard_deviation"].get<double>() > 0);
}

TEST_CASE("the interval of a standard deviation holds it 95 times in 100",
          "[check]") {
  // Of vectors of three normal numbers it is the root of 3.
  int held = 0;
  constexpr int kTimes = 400;
  for (std::uint64_t time = 0; time < kTimes; ++time) {
    const Draws draws = draw_estimates(40, [&](const Key& key) {
      return ParameterSet{
          {"h", key.fold(time).normal(at::empty({3}, float64()))}};
    });
    const double ratio = draws.standard_deviation / std::sqrt(3.0);
    if (std::abs(std::log(ratio)) <= std::log(draws.deviation_factor)) ++held;
  }
  CHECK(held > 0.91 * kTimes);
  CHECK(held < 0.98 * kTimes);
}

TEST_CASE("every registered estimator passes check on ridge or on a game",
          "[check]") {
  const auto needs_game = [](const Json& config) {
    try {
      Experiment(experiment_config(config));
    } catch (const ConfigError& error) {
      return std::string(error.what()).find("needs a game") !=
             std::string::npos;
    }
    return false;
  };
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    CAPTURE(name);
    // At the optimum a look-ahead step changes nothing.
    Json config = ridge({{"type", name}, {"window", name == "apo" ? 2 : 40}});
    config["inner"]["momentum"] = 0.5;
    config["inner"]["lr"] = 0.2;
    if (needs_game(config)) {
      config["problem"] = "quadratic_game";
      config["hyperparameters"] = {{"y", Json::object()}};
    }
    CheckOptions options;
    // A vector that follows the inverse Hessian starts at zero.
    options.windows = 5;
    const Json got = check(config, options);
    CAPTURE(got["verdict"].get<std::string>());
    CHECK(got["passed"] == true);
  }
}

TEST_CASE("without a derivative there is a claim but no reference", "[check]") {
  Json config = {
      {"precision", "float64"},
      {"problem",
       {{"type", "classification"},
        {"data",
         {{"type", "two_moons"}, {"train", 40}, {"valid", 20}, {"test", 20}}},
        {"model",
         {{"type", "mlp"}, {"hidden", {4}}, {"dropout", "$dropout"}}}}},
      {"hyperparameters",
       {{"dropout", {{"initial", 0.1}}}, {"weight_decay", Json::object()}}},
      {"estimator", "stn"}};
  CheckOptions options;
  options.keys = 3;
  const Json got = check(config, options);
  CHECK(got["passed"] == true);
  CHECK(got["claim"]["holds"] == true);
  CHECK(got["bias"]["known"] == false);
  CHECK_FALSE(got["random"].contains("error"));
  CHECK_THAT(got["verdict"].get<std::string>(),
             ContainsSubstring("the training loss has no derivative by "
                               "'dropout'"));
  CHECK_THAT(checked(config, options).text(),
             ContainsSubstring("no reference to compare it with"));
  config["hyperparameters"]["dropout"]["tuned"] = false;
  CHECK(check(config, options)["bias"]["known"] == true);
}

TEST_CASE("the program checks a configuration and says so by its exit code",
          "[check]") {
  const TemporaryFolder folder;
  folder.write("ridge.json", ridge({{"type", "ift"},
                                    {"window", 60},
                                    {"solver", {{"type", "identity"}}}})
                                 .dump());
  const Ended good = program(folder.path(""), "check ridge.json");
  CAPTURE(good.output);
  CHECK(good.code == 0);
  CHECK_THAT(good.output, ContainsSubstring("what the method claims"));
  const Ended bad =
      program(folder.path(""), "check ridge.json --max-bias 1e-6");
  CHECK(bad.code == 4);
  CHECK_THAT(bad.output, ContainsSubstring("TOO FAR OFF"));
  const Ended json = program(folder.path(""), "check ridge.json --json");
  CHECK(json.code == 0);
  CHECK(Json::parse(json.output)["passed"] == true);
  const Ended mistake =
      program(folder.path(""), "check ridge.json --set estimator.widnow=3");
  CHECK(mistake.code == 2);
  CHECK_THAT(mistake.output, ContainsSubstring("window"));
}

}  // namespace nestgrad
