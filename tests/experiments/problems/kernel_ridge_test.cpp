#include "experiments/problems/kernel_ridge.h"

#include <ATen/ATen.h>

#include "core/platform/memory_meter.h"
#include "core/problem.h"
#include "experiments/data/data.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/problems/clusters.h"
#include "tests/experiments/problems/numbers_source.h"
#include "tests/kit/derivatives.h"
#include "tests/kit/numbers.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Tensor random(std::uint64_t key, std::vector<std::int64_t> sizes) {
  return Key(key).normal(at::empty(sizes, float64()));
}

/// FRePo for the small data of clusters().
Json frepo(std::int64_t examples) {
  Json problem = clusters(examples);
  problem["loss"] = "squared_error";
  problem["head"] = "kernel_ridge";
  return {{"precision", "float64"},
          {"problem", problem},
          {"hyperparameters",
           {{"inputs", Json::object()}, {"labels", Json::object()}}},
          {"inner", {{"type", "adam"}, {"lr", 0.01}}},
          {"estimator",
           {{"type", "one_step"},
            {"lookahead", 0},
            {"window", 1},
            {"horizon", 10},
            {"starts", 0}}}};
}

Experiment experiment_of(const Json& json) {
  return Experiment(Config(complete(experiment_schema(), json)));
}

Estimate first_estimate(const Json& json) {
  const Experiment experiment = experiment_of(json);
  const auto estimator = experiment.make_estimator(
      Config(complete(EstimatorRegistry::instance(), json["estimator"])));
  estimator->begin(experiment.initial_hyper(), experiment.tuning_key());
  return estimator->estimate(experiment.initial_hyper());
}

void check_by_differences(const Json& json) {
  const TemporaryFolder folder;
  folder.write("d.json", json.dump());
  const Ended judged = program(folder.path(""), "check d.json");
  CAPTURE(json["estimator"].dump(), judged.output);
  CHECK(judged.code == 0);
}

}  // namespace

TEST_CASE("kernel ridge regression is ridge regression of the last layer",
          "[kernel_ridge]") {
  const Tensor phi = random(1, {7, 5}), y = random(2, {7, 3}),
               x = random(3, {4, 5});
  for (const double lambda : {1e-6, 0.1}) {
    const Tensor got = kernel_ridge(x, phi, y, lambda);
    // By an inverse, as the paper writes it.
    const Tensor kernel = at::mm(phi, phi.t());
    const Tensor decay = lambda / 7 * kernel.trace();
    const Tensor matrix = kernel + decay * at::eye(7, float64());
    CHECK(relative_error(got, at::mm(at::mm(x, phi.t()),
                                     at::mm(matrix.inverse(), y))) < 1e-8);
    // By normal equations of the layer itself.
    const Tensor normal = at::mm(phi.t(), phi) + decay * at::eye(5, float64());
    const Tensor layer =
        std::get<0>(at::linalg_inv_ex(normal)).mm(at::mm(phi.t(), y));
    CHECK(relative_error(got, at::mm(x, layer)) < 1e-8);
  }
  // In float32 the system is still solved in double precision.
  const Tensor single = kernel_ridge(x.to(at::kFloat), phi.to(at::kFloat),
                                     y.to(at::kFloat), 1e-6);
  CHECK(single.scalar_type() == at::kFloat);
  CHECK(relative_error(single.to(at::kDouble), kernel_ridge(x, phi, y, 1e-6)) <
        1e-4);
  // Nothing can be learned from features that are zero.
  CHECK(
      kernel_ridge(x, at::zeros_like(phi), y, 1e-6).isnan().all().item<bool>());
}

TEST_CASE("a kernel without a root has no answer", "[kernel_ridge]") {
  // Of rank 1 but for a ridge that rounding takes away.
  for (const Tensor& learned : {random(1, {20, 1}), at::zeros({20, 1})}) {
    CHECK(kernel_ridge(random(2, {5, 1}), learned, random(3, {20, 2}), 1e-30)
              .isnan()
              .all()
              .item<bool>());
  }
}

TEST_CASE("kernel ridge regression has the derivatives of its formula",
          "[kernel_ridge]") {
  const ParameterSet at{{"features", random(3, {4, 5})},
                        {"learned", random(1, {7, 5})},
                        {"targets", random(2, {7, 3})}};
  const Tensor weights = random(4, {4, 3});
  testing::Findings findings;
  testing::judge_derivatives(
      findings, "kernel ridge",
      [&](const ParameterSet& x) {
        return (weights * kernel_ridge(x.at("features"), x.at("learned"),
                                       x.at("targets"), 0.01))
            .sum();
      },
      at, /*second=*/true, 1e-6);
  CHECK(findings.take() == testing::Faults{});
}

TEST_CASE("the kernel ridge head says what a trained last layer would say",
          "[kernel_ridge]") {
  // Features are inputs, one of which is always 1, and there are more learned
  // examples than features: least squares has one solution, which gradient
  // descent reaches and which learns what is constant.
  const TemporaryFolder folder;
  std::string table = "a,b,one,class\n";
  const Tensor noise = random(5, {90, 2});
  for (std::int64_t i = 0; i < 90; ++i) {
    const double angle = 2 * M_PI / 3 * static_cast<double>(i % 3);
    table += fmt::format(
        "{},{},1,c{}\n", std::cos(angle) + 0.5 * noise[i][0].item<double>(),
        std::sin(angle) + 0.5 * noise[i][1].item<double>(), i % 3);
  }
  folder.write("three.csv", table);
  Json unrolled = frepo(12);
  unrolled["problem"]["data"] = {
      {"type", "csv"},     {"file", folder.path("three.csv")},
      {"target", "class"}, {"train", 52},
      {"valid", 20},       {"standardize", false}};
  unrolled["problem"]["model"] = {
      {"type", "sequential"},
      {"layers", {{{"type", "linear"}, {"out", 3}, {"bias", false}}}}};
  unrolled["problem"]["start"] = "random";
  unrolled["problem"]["ridge"] = 1e-9;
  const Estimate by_formula = first_estimate(unrolled);
  unrolled["problem"]["head"] = "network";
  unrolled["inner"] = {{"type", "sgd"}, {"lr", 0.5}};
  unrolled["estimator"] = {
      {"type", "unrolled"}, {"window", 600}, {"horizon", 600}};
  const Estimate by_training = first_estimate(unrolled);
  // The head also subtracts the margin of labels, at most 1/3 here.
  CHECK(by_formula.objective + 1.0 / 3 ==
        Approx(double(by_training.objective)).epsilon(1e-6));
  const auto compared = [](const Estimate& estimate) {
    // The input that is always 1 can move here and could not in the other.
    return at::cat({estimate.gradient.at("inputs").narrow(1, 0, 2).flatten(),
                    estimate.gradient.at("labels").flatten()});
  };
  CHECK(relative_error(compared(by_formula), compared(by_training)) < 1e-5);
}

TEST_CASE("real examples are judged by the closed form, labels by their margin",
          "[kernel_ridge]") {
  Json json = frepo(6)["problem"];
  json["model"] = {{"type", "sequential"},
                   {"layers", {{{"type", "linear"}, {"out", 3}}}}};
  const auto problem =
      ProblemRegistry::instance().make(json, {float64(), Key(1)});
  const Dataset real =
      load_splits(Config(complete(DataRegistry::instance(), json["data"])),
                  Key(1).fold("data"), float64())
          .train;
  const Tensor x = random(3, {6, 4});
  const Tensor labels = at::tensor({1.0, 0.0, 0.0,     //
                                    0.2, 0.9, 0.1,     //
                                    0.3, 0.2, 0.5,     //
                                    0.4, 0.3, 0.3,     //
                                    0.1, 0.1, 0.1,     //
                                    0.0, -1.0, 0.25},  //
                                   float64())
                            .view({6, 3});
  // What is above the second largest, up to 1/3.
  const double margin = (1.0 / 3 + 1.0 / 3 + 0.2 + 0.1 + 0.0 + 0.25) / 6;
  // The last layer of the network does not matter.
  const ParameterSet w = problem->initial_weights({}, Key(2));
  const Tensor answers =
      1.0 / 3 + kernel_ridge(real.inputs, x, labels - 1.0 / 3, 1e-6);
  const Tensor wanted = at::one_hot(real.targets, 3).to(at::kDouble);
  const double error =
      0.5 * (answers - wanted).square().sum(1).mean().item<double>();
  const ParameterSet hyper{{"inputs", x}, {"labels", labels}};
  CHECK(problem->valid_loss(w, hyper, Draw()).item<double>() ==
        Approx(error - margin).epsilon(1e-9));
  CHECK(problem->valid_loss(w.zeros(), hyper, Draw()).item<double>() ==
        Approx(error - margin).epsilon(1e-9));

  // By the cross entropy of what is twice as large.
  json["temperature"] = 0.5;
  const Tensor logits = (2 * answers).log_softmax(1);
  const double entropy = -(wanted * logits).sum(1).mean().item<double>();
  CHECK(ProblemRegistry::instance()
            .make(json, {float64(), Key(1)})
            ->valid_loss(w, hyper, Draw())
            .item<double>() == Approx(entropy - margin).epsilon(1e-9));

  // The network itself learns the labels as numbers.
  const Tensor outputs = at::linear(x, w.at("0.weight"), w.at("0.bias"));
  CHECK(problem->train_loss(w, hyper, Draw()).item<double>() ==
        Approx(0.5 * (outputs - labels).square().sum(1).mean().item<double>()));
  CHECK(problem->evaluate(w, hyper).at("train_loss") ==
        Approx(problem->train_loss(w, hyper, Draw()).item<double>()));
}

TEST_CASE(
    "learned examples are changed at random in the closed form, real ones "
    "are not",
    "[kernel_ridge]") {
  Json json = frepo(6)["problem"];
  json["model"] = {
      {"type", "sequential"},
      {"layers", {{{"type", "dropout"}}, {{"type", "linear"}, {"out", 3}}}}};
  const auto loss = [&](const char* head, std::uint64_t key) {
    json["head"] = head;
    const auto problem =
        ProblemRegistry::instance().make(json, {float64(), Key(1)});
    const ParameterSet hyper{{"inputs", random(3, {6, 4})},
                             {"labels", random(4, {6, 3})}};
    return problem
        ->valid_loss(problem->initial_weights(hyper, Key(2)), hyper,
                     Draw{0, Key(key)})
        .item<double>();
  };
  CHECK(loss("kernel_ridge", 1) != loss("kernel_ridge", 2));
  CHECK(loss("network", 1) == loss("network", 2));
}

TEST_CASE("estimates with the kernel ridge head meet central differences",
          "[kernel_ridge]") {
  Json json = frepo(6);
  json["problem"]["model"]["hidden"] = {8, 5};
  // Weights that have a minimum, for the implicit method.
  json["hyperparameters"]["weight_decay"] = {{"initial", 1}, {"tuned", false}};
  for (const Json& section :
       {json["estimator"],
        Json{{"type", "one_step"}, {"window", 2}, {"horizon", 4}},
        Json{{"type", "unrolled"}, {"window", 3}},
        Json{{"type", "ift"}, {"window", 500}, {"solver", "dense"}}}) {
    json["estimator"] = section;
    check_by_differences(json);
  }
}

TEST_CASE("the derivative by the cross entropy meets central differences",
          "[kernel_ridge]") {
  Json json = frepo(6);
  json["problem"]["model"]["hidden"] = {8, 5};
  json["problem"]["temperature"] = 0.1;
  check_by_differences(json);
}

TEST_CASE(
    "with a temperature the result is judged by accuracy, without one by the "
    "loss",
    "[kernel_ridge]") {
  Json json = frepo(6);
  CHECK(experiment_of(json).judged_metric() == "valid_loss");
  json["problem"]["temperature"] = 0.1;
  CHECK(experiment_of(json).judged_metric() == "valid_accuracy");
}

TEST_CASE("the memory of the closed form does not depend on inner steps",
          "[kernel_ridge]") {
  const auto peak = [](std::int64_t window) {
    Json json = frepo(30);
    json["problem"]["model"]["hidden"] = {64};
    json["estimator"]["window"] = window;
    json["estimator"]["horizon"] = 20 * window;
    const MemoryMeter memory;
    first_estimate(json);
    return static_cast<double>(memory.peak());
  };
  const double one = peak(1);
  REQUIRE(one > 30000);
  CHECK(peak(40) == Approx(one).epsilon(0.01));
}

TEST_CASE("a head or a loss that does not fit is told", "[kernel_ridge]") {
  const auto with = [](const char* key, const Json& value) {
    Json json = frepo(3)["problem"];
    json[key] = value;
    return ProblemRegistry::instance().make(json, {float64(), Key(1)});
  };
  CHECK_THROWS_WITH(with("loss", "cross_entropy"),
                    ContainsSubstring("/head: \"kernel_ridge\" needs the loss "
                                      "\"squared_error\""));
  CHECK_THROWS_WITH(with("ridge", 0), ContainsSubstring("/ridge"));
  CHECK_THROWS_WITH(with("temperature", 0), ContainsSubstring("/temperature"));
  Json json = frepo(3)["problem"];
  json["head"] = "network";
  json["temperature"] = 1;
  CHECK_THROWS_WITH(ProblemRegistry::instance().make(json, {float64(), Key(1)}),
                    ContainsSubstring("/temperature: is a key of the head"));
  CHECK_THROWS_WITH(with("loss", "huber"), ContainsSubstring("/loss"));
  CHECK_THROWS_WITH(with("data", "numbers_for_tests"),
                    ContainsSubstring("/data: must have classes"));
}

}  // namespace nestgrad
