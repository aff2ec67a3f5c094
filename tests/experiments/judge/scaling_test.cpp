#include "experiments/judge/scaling.h"

#include "experiments/judge/plan.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Json network(const Json& estimator) {
  return {
      {"problem",
       {{"type", "classification"},
        {"data", {{"type", "gaussian_clusters"}, {"train", 64}, {"valid", 64}}},
        {"model", {{"type", "mlp"}, {"hidden", {40}}}},
        {"batch", 0}}},
      {"hyperparameters", {{"weight_decay", {{"per", "tensor"}}}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.1}}},
      {"estimator", estimator}};
}

Scaling scaling(const Json& json, int ranks) {
  const Config config(complete(experiment_schema(), json));
  const PlanResult plan = make_plan(config);
  return make_scaling(config, plan.cost.value(), ranks, {1e9, 1e-3});
}

}  // namespace

TEST_CASE("exchanges take the round trips and the bandwidth of their formulas",
          "[plan]") {
  const Link link{8e9, 2e-3};
  Exchanges sums, gathers, numbers;
  sums.sums = 10;
  sums.summed = 7e8;
  gathers.gathers = 2;
  gathers.gathered = 7e6;
  numbers.sums = numbers.short_sums = 4;
  CHECK(link.seconds(sums, 4) == Approx(10 * 3 * 3 * 2e-3 + 2 * 0.75));
  CHECK(link.seconds(gathers, 4) == Approx(2 * 1.5 * 3 * 2e-3 + 3 * 0.01));
  CHECK(link.seconds(numbers, 4) == Approx(4 * 1.5 * 2 * 2e-3));
  CHECK(link.seconds(sums + numbers, 8) ==
        Approx(link.seconds(sums, 8) + link.seconds(numbers, 8)));
  CHECK(link.seconds(sums, 1) == 0);
}

TEST_CASE(
    "a plan foresees exchanges and the most ranks that can divide a "
    "minibatch",
    "[plan]") {
  // A window that is too long to be rehearsed whole.
  constexpr int kWindow = 100000;
  const Scaling got =
      scaling(network({{"type", "unrolled"}, {"window", kWindow}}), 1000);
  CHECK(got.divide == "examples");
  CHECK(got.exchanges.sums == Approx(2 * kWindow + 2).epsilon(1e-6));
  const double bytes = 4 * (40 * 2 + 40 + 40 * 3 + 3);
  CHECK(got.exchanges.summed / got.exchanges.sums ==
        Approx(bytes).epsilon(0.1));
  std::vector<int> ranks;
  for (const RanksForecast& f : got.forecasts) ranks.push_back(f.ranks);
  CHECK(ranks == std::vector<int>{1, 2, 4, 8, 16, 32, 64});
  CHECK_THAT(got.trouble, ContainsSubstring("64 examples of a minibatch cannot "
                                            "be divided into 128 parts"));
  // Over a link of 1 ms, this network is fastest alone.
  CHECK(got.fastest().ranks == 1);
  CHECK_THAT(got.text(), ContainsSubstring("One rank is fastest"));
}

TEST_CASE("a plan for particles foresees one exchange of their losses",
          "[plan]") {
  const Scaling got =
      scaling(network({{"type", "es"}, {"particles", 8}, {"window", 5}}), 3);
  CHECK(got.divide == "particles");
  CHECK(got.exchanges.sums == 0);
  // One of losses and two by which ranks keep together.
  CHECK(got.exchanges.gathers <= 1 + 2);
  CHECK(got.forecasts.back().ranks == 3);
  CHECK(got.trouble.empty());
}

TEST_CASE("a plan for starts foresees what they do together", "[plan]") {
  Json json = network({{"type", "unrolled"}, {"window", 5}, {"horizon", 5}});
  json["distributed"] = {{"divide", "starts"}};
  const Scaling own = scaling(json, 4);
  CHECK(own.divide == "starts");
  CHECK(own.exchanges.sums == 1);
  CHECK(own.exchanges.gathers <= 2 + 2);
  // Four ranks take four starts, in the time of one and that of exchanges.
  const RanksForecast& four = own.forecasts.back();
  CHECK(own.speed_up(four) ==
        Approx(4 * own.forecasts.front().seconds() / four.seconds()));
  CHECK_THAT(own.text(), ContainsSubstring("a start of its own"));

  json["distributed"]["shares"] = 4;
  const Scaling fixed = scaling(json, 8);
  CHECK(fixed.forecasts.back().ranks == 4);
  CHECK(fixed.forecasts.back().computing <
        0.6 * fixed.forecasts.front().computing);
  CHECK_THAT(fixed.trouble, ContainsSubstring("must be a power of two"));
}

TEST_CASE("plan --ranks takes units, and refuses what cannot be divided",
          "[plan]") {
  const TemporaryFolder folder;
  const auto plan = [&](const std::string& arguments) {
    return program(folder.path(""), "plan a.json " + arguments);
  };
  folder.write("a.json", network({{"type", "ift"}, {"window", 3}}).dump());
  const Ended ended = plan("--ranks 4 --bandwidth 100Mbit --latency 50us");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("0.1 Gbit/s and a round trip of "
                                             "0.05 ms"));
  const Json json = Json::parse(plan("--ranks 2 --json").output)["scaling"];
  CHECK(json["ranks"].size() == 2);
  CHECK(json["bandwidth_bits_per_second"] == 1e10);
  CHECK(json["latency_seconds"] == 1e-4);
  CHECK(plan("--ranks 4 --bandwidth 10").code == 2);
  CHECK(plan("--latency 1ms").code == 2);
  folder.write("a.json", R"({"problem": "ridge",
                             "hyperparameters": {"weight_decay": {}}})");
  CHECK_THAT(plan("--ranks 4").output,
             ContainsSubstring("Several ranks: the examples of its minibatches "
                               "cannot be divided"));
}

}  // namespace nestgrad
