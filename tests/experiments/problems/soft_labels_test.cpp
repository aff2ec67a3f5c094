// Labels that are learned as weights, and how other losses take them.

#include <ATen/ATen.h>

#include "experiments/data/arrays/npz_file.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/run/final_runs.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/problems/clusters.h"
#include "tests/kit/numbers.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::shared_ptr<const BilevelProblem> soft_problem(const Json& json) {
  return ProblemRegistry::instance().make(json, {float64(), Key(1)});
}

}  // namespace

TEST_CASE("the cross entropy takes weights as they are", "[soft_labels]") {
  Json json = clusters(4);
  json["soft_labels"] = "weights";
  const auto problem = soft_problem(json);
  const ParameterSet w = problem->initial_weights({}, Key(2));
  const Tensor x = Key(5).normal(at::empty({4, 4}, float64()));
  const Tensor y = Key(6).normal(at::empty({4, 3}, float64())).abs();
  const Tensor hidden = (at::mm(x, w.tensors()[0].t()) + w.tensors()[1]).tanh();
  const Tensor log_p =
      (at::mm(hidden, w.tensors()[2].t()) + w.tensors()[3]).log_softmax(1);
  CHECK(problem->train_loss(w, {{"inputs", x}, {"labels", y}}, Draw())
            .item<double>() == Approx(-(y * log_p).sum().item<double>() / 4));
}

TEST_CASE(
    "where probabilities are wanted, positive labels count in proportion "
    "and others as their largest class",
    "[soft_labels]") {
  const auto problem = soft_problem(clusters(2));
  const auto probabilities = [&](const Tensor& labels) {
    return problem->hyper_of({at::zeros({2, 4}, float64()), labels, {}})
        .at("labels")
        .softmax(1);
  };
  const Tensor weights =
      at::tensor({1., 2., 1., 0., 0., 5.}, float64()).view({2, 3});
  CHECK(at::allclose(probabilities(weights),
                     weights / weights.sum(1, /*keepdim=*/true), 1e-9, 1e-9));
  const Tensor numbers =
      at::tensor({1., 2., -1., 0., 0., 5.}, float64()).view({2, 3});
  const Tensor classes =
      at::tensor({0., 1., 0., 0., 0., 1.}, float64()).view({2, 3});
  CHECK(at::allclose(probabilities(numbers), classes, 1e-9, 1e-9));
}

TEST_CASE("labels that are weights stay positive and are judged as they are",
          "[soft_labels]") {
  const TemporaryFolder folder;
  Json problem = clusters(6);
  problem["soft_labels"] = "weights";
  const Json config = {
      {"problem", problem},
      {"hyperparameters",
       {{"inputs", Json::object()}, {"labels", Json::object()}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
      {"estimator", {{"type", "unrolled"}, {"window", 5}, {"horizon", 5}}},
      {"outer", {{"type", "adam"}, {"lr", 0.3}, {"steps", 20}}},
      {"record", {{"retrain", 5}, {"networks", 1}}}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --quiet --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Tensor labels = read_npz(folder.path("run/distilled.npz")).at("labels");
  CHECK(labels.min().item<double>() > 0);
  CHECK_FALSE(are_probabilities(labels));

  // Handed to another run, they are the same hyperparameters.
  const Config whole(complete(experiment_schema(), config));
  const Experiment experiment(whole);
  const ParameterSet hyper =
      experiment.hyper_of({at::zeros({6, 4}), labels.to(at::kFloat), {}});
  CHECK(at::allclose(experiment.natural(hyper).at("labels"),
                     labels.to(at::kFloat), 1e-4, 1e-6));

  const auto refused = [&](const char* key, const Json& value,
                           const char* what) {
    Json other = problem;
    other[key] = value;
    CHECK_THROWS_WITH(soft_problem(other), ContainsSubstring(what));
  };
  refused("loss", "squared_error", "are for the loss");
}

TEST_CASE("examples with weights are judged by every protocol",
          "[soft_labels]") {
  Json config = {
      {"problem",
       {{"type", "distillation"},
        {"data",
         {{"type", "fashion_mnist"},
          {"train", 60},
          {"valid", 20},
          {"test", 20}}},
        {"model", "logistic"},
        {"soft_labels", "weights"},
        {"examples", 10}}},
      {"hyperparameters",
       {{"inputs", Json::object()}, {"labels", Json::object()}}},
      {"estimator", {{"type", "unrolled"}, {"window", 1}, {"horizon", 1}}}};
  for (const std::string& name : ProtocolRegistry::instance().names()) {
    CAPTURE(name);
    config["record"] = {
        {"protocol",
         {{"type", name}, {"model", {{"type", "convnet"}, {"width", 2}}}}}};
    const Config whole(complete(experiment_schema(), config));
    const Experiment experiment(whole);
    CHECK_NOTHROW(Experiment(with_protocol(whole, experiment)));
  }
}

}  // namespace nestgrad
