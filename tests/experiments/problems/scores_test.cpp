#include "experiments/problems/scores.h"

#include <ATen/ATen.h>

#include <string>

#include "core/metric.h"
#include "core/platform/files.h"
#include "tests/experiments/problems/numbers_source.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Scores all_of(TargetKind kind, const Dataset& data,
              const std::vector<std::string>& names,
              const char* loss = nullptr) {
  const Config none(Json::object(), "");
  const bool classes = kind == TargetKind::kClasses;
  if (loss == nullptr) {
    loss = classes                        ? "cross_entropy"
           : kind == TargetKind::kNumbers ? "squared_error"
                                          : "binary_cross_entropy";
  }
  return {none,
          Loss::from_json(
              {{"loss", loss}, {"targets", classes ? "classes" : "numbers"}}),
          data, names};
}

Tensor numbers(const std::vector<double>& values, std::int64_t columns) {
  return at::tensor(values, at::kDouble).view({-1, columns});
}

const std::vector<std::string> kOfClasses = {"accuracy", "balanced_accuracy",
                                             "recall", "f1", "roc_auc"};

}  // namespace

// The numbers that these tests expect are those of scikit-learn 1.2.1:
// balanced_accuracy_score, recall_score, f1_score, roc_auc_score,
// mean_squared_error (squared=False), mean_absolute_error and r2_score.

TEST_CASE("scores of three classes are those of scikit-learn", "[scores]") {
  const Tensor t = at::tensor({0, 0, 1, 1, 2, 2, 2, 0, 1, 2}, at::kLong);
  const Tensor y =
      numbers({2, 1, 0,  .5, 1, .2, 0,   1, 3,  0,  2,  1,  1, 0,   2,
               1, 0, .5, 0,  0, 1,  1.1, 1, -1, .3, .2, .1, 0, 1.2, 1},
              3);
  const Scores scores =
      all_of(TargetKind::kClasses, {y, t, 3, {"a", "b", "c"}}, kOfClasses);
  const Metrics got = scores.of(y, t, "valid_");
  // f1 is the mean over the classes, roc_auc that of each against the rest.
  const Metrics wanted = {{"valid_accuracy", 0.5},
                          {"valid_balanced_accuracy", 0.5},
                          {"valid_recall.a", 2. / 3},
                          {"valid_recall.b", 1. / 3},
                          {"valid_recall.c", 0.5},
                          {"valid_f1", 0.4920634920634921},
                          {"valid_roc_auc", 0.753968253968254}};
  REQUIRE(got.size() == wanted.size());
  for (const auto& [name, value] : wanted) {
    CAPTURE(name);
    CHECK(got.at(name) == Approx(value));
  }
}

TEST_CASE("scores of two classes are those of scikit-learn, with ties",
          "[scores]") {
  const Tensor t = at::tensor({0, 1, 1, 0, 1, 0, 0, 1}, at::kLong);
  const Tensor d = at::tensor({-1., 2., .5, .5, -.3, .2, -2., .1}, at::kDouble);
  // Only the difference of the logits counts.
  const Tensor y = at::stack({3 - d, at::full_like(d, 3)}, 1);
  const Metrics got =
      all_of(TargetKind::kClasses, {y, t, 2}, kOfClasses).of(y, t, "");
  CHECK(got.at("balanced_accuracy") == Approx(0.625));
  CHECK(got.at("recall.0") == Approx(0.5));
  CHECK(got.at("recall.1") == Approx(0.75));
  CHECK(got.at("f1") == Approx(2. / 3));
  CHECK(got.at("roc_auc") == Approx(0.71875));
}

TEST_CASE("scores of numbers are those of scikit-learn", "[scores]") {
  const Tensor t = numbers({1, 10, 2, 20, 4, 10, 8, 40}, 2);
  const Tensor y = numbers({1.5, 12, 2, 15, 3, 11, 9, 30}, 2);
  const std::vector<std::string> names = {"rmse", "mae", "r2"};
  const Metrics got =
      all_of(TargetKind::kNumbers, {y, t, 0, {"a", "b"}}, names).of(y, t, "");
  CHECK(got.size() == 9);
  CHECK(got.at("rmse") == Approx(3.225438562747845));
  CHECK(got.at("rmse.a") == Approx(0.75));
  CHECK(got.at("rmse.b") == Approx(5.70087713));
  CHECK(got.at("mae") == Approx(2.5625));
  CHECK(got.at("r2") == Approx(0.8525362318840579));
  CHECK(got.at("r2.a") == Approx(0.92173913));
  const Tensor one = t.narrow(1, 0, 1);
  CHECK(all_of(TargetKind::kNumbers, {one, one, 0, {"a"}}, names)
            .of(one, one, "")
            .size() == 3);
}

TEST_CASE("scores of several labels are those of scikit-learn", "[scores]") {
  const Tensor t = numbers({1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0}, 3);
  const Tensor y = numbers({2, -1, .5, 1, -2, -1, .1, .3, -.2, -1, -.5, 1}, 3);
  const Metrics got = all_of(TargetKind::kLabels, {y, t, 0, {"x", "y", "z"}},
                             {"accuracy", "recall", "f1", "roc_auc"})
                          .of(y, t, "");
  CHECK(got.at("accuracy") == Approx(2. / 3));
  CHECK(got.at("f1") == Approx(0.6555555555555556));
  CHECK(got.at("roc_auc") == Approx(2. / 3));
  CHECK(got.at("recall.x") == Approx(1));
  CHECK(got.at("recall.y") == Approx(0.5));
  CHECK(got.at("recall.z") == Approx(0.5));
}

TEST_CASE("squared errors of classes are ranked as they are", "[scores]") {
  // As probabilities, the logits of examples 0 and 1 would be in the other
  // order for class 0.
  const Tensor t = at::tensor({0, 1, 2, 2}, at::kLong);
  const Tensor y = numbers({.9, .8, .7, .8, 0, 0, 0, 0, 1, 0, .1, .9}, 3);
  const auto area = [&](const char* loss) {
    return all_of(TargetKind::kClasses, {y, t, 3}, {"roc_auc"}, loss)
        .of(y, t, "")
        .at("roc_auc");
  };
  // Class 1 has 0, as one of three others; two are above it.
  const double of_first = 1, of_second = 0.5 / 3, of_third = 1;
  CHECK(area("squared_error") == Approx((of_first + of_second + of_third) / 3));
  CHECK(area("cross_entropy") != Approx(area("squared_error")));
}

TEST_CASE("a label that nothing has and nothing gets has an F1 of zero",
          "[scores]") {
  // As f1_score(average="macro") of scikit-learn.
  const Tensor t = numbers({1, 0, 1, 0}, 2), y = numbers({1, -1, 1, -1}, 2);
  CHECK(all_of(TargetKind::kLabels, {y, t, 0}, {"f1"}).of(y, t, "").at("f1") ==
        Approx(0.5));
}

TEST_CASE("scores that the examples do not determine are left out",
          "[scores]") {
  const Tensor t = at::ones({3}, at::kLong), y = at::eye(3, at::kDouble);
  const Metrics got =
      all_of(TargetKind::kClasses, {y, t, 3}, kOfClasses).of(y, t, "");
  CHECK(got.count("recall.0") == 0);
  CHECK(got.count("roc_auc") == 0);
  // The mean over the one class that there is.
  CHECK(got.at("balanced_accuracy") == Approx(1. / 3));
  const Tensor same = at::ones({3, 1}, at::kDouble);
  CHECK(all_of(TargetKind::kNumbers, {same, same, 0}, {"r2"})
            .of(same, same, "")
            .empty());
}

TEST_CASE("metrics that do not suit the targets are refused", "[scores]") {
  const auto refusal = [](const Json& problem) -> std::string {
    try {
      ProblemRegistry::instance().make(problem, {float64(), Key(1)});
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  Json problem = {{"type", "supervised"},
                  {"loss", "huber"},
                  {"data", "numbers_for_tests"},
                  {"model", "logistic"},
                  {"metrics", {"accuracy"}}};
  CHECK_THAT(refusal(problem), ContainsSubstring("there are: rmse, mae, r2"));
  problem["metrics"] = {"rsme"};
  CHECK_THAT(refusal(problem), ContainsSubstring("did you mean 'rmse'?"));
  problem["metrics"] = {"recall"};
  problem["loss"] = "cross_entropy";
  problem["data"] = {{"type", "gaussian_clusters"}, {"classes", 21}};
  CHECK_THAT(refusal(problem), ContainsSubstring("at most 20 classes"));
}

TEST_CASE("the name of a metric says which direction is better", "[scores]") {
  for (const char* name :
       {"valid_accuracy", "test_balanced_accuracy", "valid_recall.cat",
        "valid_f1", "train_r2", "test_r2.price", "valid_roc_auc",
        "detection_auc", "valid_recall.mae"}) {
    CAPTURE(name);
    CHECK(is_larger_better(name));
    CHECK(to_minimize(name, 2) == -2);
  }
  for (const char* name :
       {"outer_loss", "valid_loss", "test_rmse", "test_mae",
        "valid_mae.accuracy", "valid_rmse.recall", "f10", "clean_weight"}) {
    CAPTURE(name);
    CHECK_FALSE(is_larger_better(name));
    CHECK(to_minimize(name, 2) == 2);
  }
  CHECK(is_accuracy("test_balanced_accuracy"));
  CHECK_FALSE(is_accuracy("valid_recall.accuracy"));
  CHECK_FALSE(is_accuracy("valid_f1"));
}

TEST_CASE("a score can be tuned, stop tuning and be read by class",
          "[scores]") {
  const TemporaryFolder folder;
  std::string table = "a,b,kind\n";
  for (int i = 0; i < 60; ++i) {
    table += fmt::format("{},{},{}\n", i * 7 % 11, i * 5 % 13,
                         i % 3 == 0 ? "rare" : "common");
  }
  folder.write("table.csv", table);
  const Json config = {
      {"problem",
       {{"type", "supervised"},
        {"data", {{"type", "csv"}, {"file", "table.csv"}, {"target", "kind"}}},
        {"metrics", {"recall", "f1", "roc_auc"}},
        {"model", "logistic"}}},
      {"hyperparameters", {{"example_weight", {{"per", "class"}}}}},
      {"estimator",
       {{"type", "es"}, {"window", 2}, {"horizon", 2}, {"metric", "valid_f1"}}},
      {"outer",
       {{"steps", 20},
        {"stop", {{"patience", 2}, {"metric", "valid_recall.rare"}}}}},
      {"record", {{"every", 1}, {"retrain", 2}}}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring("valid recall.common"));
  const Json summary = Json::parse(read_file(folder.path("run/summary.json")));
  CHECK(summary["retrained_found"].contains("test_roc_auc"));
  CHECK_FALSE(summary["retrained_found"].contains("test_accuracy"));
  CHECK(summary["termination"] == "early_stopping");
  CHECK_THAT(summary["message"].get<std::string>(),
             ContainsSubstring("valid_recall.rare"));
}

}  // namespace nestgrad
