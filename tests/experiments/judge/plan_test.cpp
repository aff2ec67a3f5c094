#include "experiments/judge/plan.h"

#include <algorithm>
#include <limits>
#include <set>

#include "core/platform/files.h"
#include "experiments/setup/experiment.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// The square of a loss of margins, of which every LibTorch knows the first
/// derivative only.
class Margins : public BilevelProblem {
 public:
  Margins(const Config&, const ProblemContext&) {}
  static Schema schema() { return Schema("Margins between labels."); }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter scale;
    scale.name = "scale";
    scale.initial = at::ones({}, at::kDouble);
    return {scale};
  }
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {{"points", key.normal(at::empty({3, 2}, at::kFloat))}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    const Tensor labels = at::zeros({3, 2}, at::kLong);
    return hyper.at("scale") *
           at::multilabel_margin_loss(weights.at("points"), labels).square();
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("points").square().sum();
  }
};

NESTGRAD_REGISTER(ProblemRegistry, "margins", Margins)

PlanResult planned(const Json& json) {
  return make_plan(Config(complete(experiment_schema(), json)));
}

Json plan(const Json& json) { return planned(json).to_json(); }

Json ridge(std::int64_t window) {
  return {{"precision", "float64"},
          {"problem", {{"type", "ridge"}, {"features", 200}}},
          {"hyperparameters", {{"weight_decay", Json::object()}}},
          {"inner", {{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.5}}},
          {"estimator", {{"type", "unrolled"}, {"window", window}}}};
}

}  // namespace

TEST_CASE("a plan says shapes and counts", "[plan]") {
  const Json got = plan(ridge(10));
  CHECK(got["weights"] == Json{{"w", {200}}});
  CHECK(got["weight_count"] == 200);
  CHECK(got["hyperparameter_count"] == 1);
  CHECK(got["outer_steps"] == 100);
  CHECK(got["retraining_steps"] == 1000);
  CHECK(got["second_derivative"]["exists"] == true);
  const std::string text = planned(ridge(10)).text();
  CHECK_THAT(text, ContainsSubstring("w [200]"));
  CHECK_THAT(text, ContainsSubstring("of the training loss exists"));
  CHECK_THAT(text, ContainsSubstring("warm start"));
}

TEST_CASE("a plan for unrolling grows with the window", "[plan]") {
  const auto peak = [](std::int64_t window) {
    const Json tensors = plan(ridge(window))["tensor_mib"];
    return tensors["peak"].get<double>() - tensors["loaded"].get<double>();
  };
  CHECK(peak(4000) > 8 * peak(400));
  CHECK(peak(4000) < 11 * peak(400));
}

TEST_CASE("a plan counts windows that several outer steps share, and a warm-up",
          "[plan]") {
  Json json = ridge(50);
  json["estimator"] = {
      {"type", "ift"}, {"window", 400}, {"solver", "identity"}};
  // A plan measures for milliseconds. Whatever else the machine does then can
  // only add time, so the least of several plans is compared.
  const auto tuning = [&] {
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 5; ++i) {
      least = std::min(least, plan(json)["seconds"]["tuning"].get<double>());
    }
    return least;
  };
  const double each = tuning();
  json["estimator"]["outer_steps_per_window"] = 10;
  CHECK(tuning() < 0.4 * each);
  CHECK_THAT(planned(json).text(), ContainsSubstring("10 at a time"));
  json["estimator"] = {{"type", "stn"}, {"window", 5}, {"warm_up", 40}};
  CHECK_THAT(planned(json).text(),
             ContainsSubstring("the first after 200 more"));
}

TEST_CASE("a plan names the operator that has no second derivative", "[plan]") {
  const PlanResult result =
      planned({{"problem", "margins"},
               {"hyperparameters", {{"scale", Json::object()}}},
               {"estimator", {{"type", "finite_difference"}, {"window", 2}}}});
  const Json got = result.to_json();
  CHECK(got["second_derivative"]["exists"] == false);
  CHECK_THAT(got["second_derivative"]["operator"].get<std::string>(),
             ContainsSubstring("multilabel_margin_loss"));
  CHECK_THAT(result.text(), ContainsSubstring("finite_difference"));
  // Where the estimator itself needs one, that is all there is to say.
  const PlanResult none =
      planned({{"problem", "margins"},
               {"hyperparameters", {{"scale", Json::object()}}},
               {"estimator", {{"type", "ift"}, {"window", 2}}}});
  CHECK_FALSE(none.second_derivative->exists);
  CHECK_FALSE(none.cost.has_value());
  CHECK_THAT(none.text(), ContainsSubstring("multilabel_margin_loss") &&
                              ContainsSubstring("are not known") &&
                              ContainsSubstring("weights"));
}

TEST_CASE("estimators that a plan advises run without a second derivative",
          "[plan]") {
  const auto runs = [](const Json& estimator) {
    return planned({{"problem", "margins"},
                    {"hyperparameters", {{"scale", Json::object()}}},
                    {"estimator", estimator}})
        .cost.has_value();
  };
  const SecondDerivative advice =
      planned({{"problem", "margins"},
               {"hyperparameters", {{"scale", Json::object()}}},
               {"estimator", {{"type", "finite_difference"}, {"window", 2}}}})
          .second_derivative.value();
  std::set<std::string> advised;
  for (const std::string& name : advice.estimators_without) {
    CAPTURE(name);
    CHECK(runs({{"type", name}, {"window", 2}}));
    advised.insert(name);
  }
  for (const auto& [name, setting] : advice.settings_without) {
    CAPTURE(name);
    Json section = {{"type", name}, {"window", 2}};
    CHECK_FALSE(runs(section));
    section.merge_patch(setting);
    CHECK(runs(section));
    advised.insert(name);
  }
  CHECK(advised.count("f2sa") == 1);
  CHECK(advised.count("ift") == 1);
  // Methods that are left out need the derivative, or cannot be built.
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    if (advised.count(name) > 0) continue;
    CAPTURE(name);
    bool ran = false;
    try {
      ran = runs({{"type", name}, {"window", 2}});
    } catch (const Error&) {
    }
    CHECK_FALSE(ran);
  }
}

TEST_CASE("a plan rehearses keys of a method that depend on the window",
          "[plan]") {
  Json json = ridge(200);
  json["estimator"]["last"] = 100;
  CHECK(planned(json).cost.has_value());
  // The same section trains only, where nothing is tuned.
  json["hyperparameters"]["weight_decay"]["tuned"] = false;
  CHECK(planned(json).cost.has_value());
}

TEST_CASE("a plan says that training by evolution takes no derivatives",
          "[plan]") {
  const PlanResult got = planned(
      {{"problem",
        {{"type", "classification"},
         {"data", {{"type", "two_moons"}, {"train", 40}, {"valid", 20}}},
         {"evolution", Json::object()}}},
       {"hyperparameters", {{"lr", {{"initial", 0.1}}}}},
       {"inner", {{"type", "sgd"}, {"lr", "$lr"}}},
       {"estimator", {{"type", "pes"}, {"window", 2}, {"horizon", 4}}}});
  CHECK(got.to_json()["second_derivative"] == Json{{"exists", false}});
  CHECK_THAT(got.text(), ContainsSubstring("training takes no derivatives") &&
                             ContainsSubstring("memory of tensors"));
}

}  // namespace nestgrad
