#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "core/platform/warnings.h"
#include "experiments/problems/loss.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/problems/numbers_source.h"
#include "tests/kit/contract.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// A problem with numbers of this kind as targets.
Json numbers_problem(const std::string& loss, const std::string& kind,
                     const Json& more = Json::object()) {
  Json out = {{"type", "supervised"},
              {"loss", loss},
              {"data",
               {{"type", "numbers_for_tests"},
                {"kind", kind},
                {"train", 12},
                {"valid", 10},
                {"test", 9}}},
              {"model", "logistic"},
              {"batch", 5}};
  out.merge_patch(more);
  return out;
}

/// Four classes, or two.
Json classes_problem(const Json& more) {
  Json out = {{"type", "supervised"},
              {"data",
               {{"type", "gaussian_clusters"},
                {"classes", 2},
                {"features", 3},
                {"examples", 60},
                {"train", 20},
                {"valid", 20}}},
              {"model", "logistic"},
              {"batch", 0}};
  out.merge_patch(more);
  return out;
}

std::shared_ptr<const BilevelProblem> made(const Json& problem) {
  return ProblemRegistry::instance().make(problem, {float64(), Key(1)});
}

std::string refusal(const Json& problem) {
  try {
    made(problem);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

struct NumbersCase {
  const char* loss;
  const char* kind;
};

const NumbersCase kCases[] = {{"squared_error", "quantities"},
                              {"huber", "quantities"},
                              {"absolute", "quantities"},
                              {"poisson", "counts"},
                              {"binary_cross_entropy", "labels"}};

Loss loss_of(const std::string& name, const Splits& data) {
  Json json = {{"loss", name}};
  if (name == "huber") json["huber_threshold"] = 0.7;
  return Loss(Config(complete(Loss::keys(), json), ""), data);
}

Splits splits_of(const Tensor& targets, std::int64_t classes) {
  Splits out;
  out.train = {targets, targets, classes};
  return out;
}

}  // namespace

TEST_CASE("losses of numbers are those of LibTorch, summed over the outputs",
          "[losses]") {
  const Tensor y = Key(1).normal(at::empty({6, 2}, float64())) * 2;
  const Tensor t = Key(2).normal(at::empty({6, 2}, float64()));
  const Tensor counts = (t * 3).abs().floor(), labels = t.gt(0).to(t.dtype());
  const auto sum = at::Reduction::Sum;
  const auto is = [&](const char* name, const Tensor& targets,
                      const Tensor& wanted) {
    CAPTURE(name);
    const Loss loss = loss_of(name, splits_of(targets, 0));
    CHECK(loss(y, targets, sum).item<double>() ==
          Approx(wanted.item<double>()));
    CHECK(loss(y, targets, at::Reduction::Mean).item<double>() ==
          Approx(wanted.item<double>() / 6));
    const Tensor each = loss(y, targets, at::Reduction::None);
    CHECK(each.sizes().vec() == Shape{6});
    CHECK(each[4].item<double>() ==
          Approx(loss(y[4].unsqueeze(0), targets[4].unsqueeze(0), sum)
                     .item<double>()));
  };
  is("squared_error", t, 0.5 * at::mse_loss(y, t, sum));
  is("huber", t, at::huber_loss(y, t, sum, 0.7));
  is("absolute", t, at::l1_loss(y, t, sum));
  is("poisson", counts,
     at::poisson_nll_loss(y, counts, /*log_input=*/true, /*full=*/false, 1e-8,
                          sum));
  is("binary_cross_entropy", labels,
     at::binary_cross_entropy_with_logits(y, labels, {}, {}, sum));
}

TEST_CASE("binary cross entropy of two classes is cross entropy of two logits",
          "[losses]") {
  const Tensor y = Key(1).normal(at::empty({6, 1}, float64())) * 2;
  const Tensor t = at::arange(6, at::kLong).remainder(2);
  const Loss loss = loss_of("binary_cross_entropy", splits_of(t, 2));
  CHECK(loss.outputs({y, t, 2}) == 1);
  CHECK(loss(y, t, at::Reduction::Mean).item<double>() ==
        Approx(at::cross_entropy_loss(at::cat({at::zeros_like(y), y}, 1), t)
                   .item<double>()));
}

TEST_CASE("losses stay finite and exact for outputs far from zero",
          "[losses]") {
  const Tensor y = at::tensor({800.0, -800.0}, at::kDouble).view({1, 2});
  const Tensor t = at::ones({1, 2}, at::kDouble);
  CHECK(
      loss_of("binary_cross_entropy", splits_of(t, 0))(y, t, at::Reduction::Sum)
          .item<double>() == Approx(800));
  CHECK(loss_of("huber", splits_of(t, 0))(y, t, at::Reduction::Sum)
            .item<double>() == Approx(0.7 * (799 + 801) - 0.49));
}

TEST_CASE("problems with every loss keep the contract", "[losses][contract]") {
  const Json hyperparameters = {{"weight_decay", Json::object()},
                                {"example_weight", Json::object()}};
  for (const auto& [loss, kind] : kCases) {
    CAPTURE(loss);
    CHECK(testing::problem_faults(numbers_problem(loss, kind),
                                  hyperparameters) == Faults{});
  }
  CHECK(testing::problem_faults(
            classes_problem({{"loss", "binary_cross_entropy"}}),
            hyperparameters) == Faults{});
}

TEST_CASE("a loss that the targets do not suit is refused with those that do",
          "[losses]") {
  const auto refuses = [](const Json& problem, const std::string& words) {
    const std::string said = refusal(problem);
    CHECK_THAT(said, ContainsSubstring("/loss"));
    CHECK_THAT(said, ContainsSubstring(words));
  };
  refuses(numbers_problem("cross_entropy", "quantities"),
          "take squared_error or huber or absolute or poisson");
  refuses(classes_problem({{"loss", "huber"}}),
          "take cross_entropy or squared_error or binary_cross_entropy, or "
          "\"targets\": \"numbers\"");
  refuses(numbers_problem("poisson", "quantities"), "some are negative");
  refuses(numbers_problem("binary_cross_entropy", "counts"), "0 or 1");
  refuses(classes_problem(
              {{"loss", "binary_cross_entropy"}, {"data", {{"classes", 3}}}}),
          "3 classes");
  CHECK_THAT(refusal(numbers_problem("absolute", "quantities",
                                     {{"huber_threshold", 2}})),
             ContainsSubstring("\"huber\" only"));
  CHECK_THAT(refusal({{"type", "distillation"},
                      {"data", "numbers_for_tests"},
                      {"model", "logistic"}}),
             ContainsSubstring("must have classes"));
  CHECK_THAT(
      refusal(numbers_problem("huber", "quantities",
                              {{"evolution", {{"objective", "errors"}}}})),
      ContainsSubstring("neither right nor wrong"));
}

TEST_CASE("a loss without curvature is told where an estimator needs it",
          "[losses]") {
  const auto told = [](const std::string& loss, const std::string& estimator) {
    Json config = {{"problem", numbers_problem(loss, "quantities")},
                   {"hyperparameters", {{"weight_decay", Json::object()}}},
                   {"estimator", estimator}};
    untold_warnings();
    Experiment experiment(experiment_config(config));
    std::string all;
    for (const std::string& warning : untold_warnings()) all += warning;
    return all.find("no curvature") != std::string::npos;
  };
  CHECK_FALSE(told("huber", "ift"));
  CHECK_FALSE(told("absolute", "es"));
  CHECK(told("absolute", "ift"));
}

TEST_CASE("a network whose outputs are not numbers has no scores", "[losses]") {
  for (const char* metrics : {"accuracy", "roc_auc"}) {
    CAPTURE(metrics);
    const auto problem = made(classes_problem({{"metrics", {metrics}}}));
    const ParameterSet w = problem->initial_weights({}, Key(1));
    const std::string name = fmt::format("valid_{}", metrics);
    CHECK(std::isfinite(problem->evaluate(w, {}).at(name)));
    CHECK(std::isnan(problem->evaluate(NAN * w, {}).at(name)));
  }
}

TEST_CASE("a balanced validation loss is the mean over classes of their means",
          "[losses]") {
  const auto problem = [](const char* weights) {
    return made(classes_problem(
        {{"valid_weights", weights},
         {"data", {{"classes", 3}, {"valid", 19}, {"test", 21}}}}));
  };
  const auto natural = problem("natural"), balanced = problem("balanced");
  const ParameterSet zeros = natural->initial_weights({}, Key(1)).zeros();
  // Constant outputs, so the losses of the classes are known.
  const Tensor logits = at::tensor({0.0, 1.0, 2.5}, at::kDouble);
  const ParameterSet w =
      zeros.map([&](const Tensor& t) { return t.dim() == 1 ? logits : t; });
  const double wanted = -logits.log_softmax(0).mean().item<double>();
  const auto loss = [&](const BilevelProblem& p) {
    return p.valid_loss(w, {}, Draw()).item<double>();
  };
  CHECK(loss(*balanced) == Approx(wanted));
  CHECK(std::abs(loss(*natural) - wanted) > 1e-3);
  const Metrics of = balanced->evaluate(w, {});
  CHECK(of.at("valid_loss") == Approx(wanted));
  CHECK(of.at("test_loss") == Approx(wanted));
  CHECK(of.at("train_loss") ==
        Approx(natural->train_loss(w, {}, Draw()).item<double>()));
  // All are told to be of the last class.
  CHECK(of.at("valid_balanced_accuracy") == Approx(1.0 / 3));
  CHECK(of.at("test_recall.2") == 1);
  CHECK(of.count("valid_accuracy") == 1);
}

TEST_CASE("minibatches of a balanced validation loss average to the whole",
          "[losses]") {
  const auto loss = [](std::int64_t batch, std::int64_t step) {
    const auto problem = made(classes_problem(
        {{"valid_weights", "balanced"}, {"valid_batch", batch}}));
    const ParameterSet w =
        Key(2).normal(problem->initial_weights({}, Key(1)).to(float64()));
    return problem->valid_loss(w, {}, {step, Key(4)}).item<double>();
  };
  double sum = 0;
  for (std::int64_t step = 0; step < 4; ++step) sum += loss(5, step);
  CHECK(sum / 4 == Approx(loss(0, 0)));
}

TEST_CASE("a balanced validation loss needs one class per example, and all",
          "[losses]") {
  CHECK_THAT(refusal(numbers_problem("huber", "quantities",
                                     {{"valid_weights", "balanced"}})),
             ContainsSubstring("/valid_weights"));
  CHECK_THAT(
      refusal(classes_problem({{"valid_weights", "balanced"},
                               {"data", {{"classes", 9}, {"valid", 8}}}})),
      ContainsSubstring("none of the 8 validation examples"));
}

TEST_CASE("metrics of standardized targets are in the units of the source",
          "[losses]") {
  // Outputs of zero: 0 in the source, or the mean of the training targets.
  const auto metrics = [](bool standardized) {
    const auto problem =
        made(numbers_problem("squared_error", "quantities",
                             {{"data", {{"standardize_targets", standardized}}},
                              {"metrics", {"rmse", "mae", "r2"}}}));
    return problem->evaluate(problem->initial_weights({}, Key(1)).zeros(), {});
  };
  const Metrics plain = metrics(false), centred = metrics(true);
  CHECK(std::pow(plain.at("train_rmse.sum"), 2) +
            std::pow(plain.at("train_rmse.difference"), 2) ==
        Approx(2 * plain.at("train_loss")));
  CHECK(centred.at("train_r2") == Approx(0).margin(1e-12));
  CHECK(centred.at("train_rmse.sum") != Approx(1));
  CHECK(centred.at("train_rmse.sum") < plain.at("train_rmse.sum"));
  CHECK(centred.at("train_loss") == Approx(1));
}

TEST_CASE("inputs that are targets as well have the losses of numbers",
          "[losses]") {
  Json config = classes_problem({{"targets", "inputs"},
                                 {"loss", "squared_error"},
                                 {"model",
                                  {{"type", "autoencoder"},
                                   {"hidden", {4}},
                                   {"code", 2},
                                   {"activation", "tanh"}}}});
  CHECK(refusal(config) == "");
  CHECK(testing::problem_faults(config) == testing::Faults{});
  config["loss"] = "cross_entropy";
  CHECK_THAT(refusal(config),
             ContainsSubstring("the targets of these data are numbers"));
  config["loss"] = "absolute";
  config["data"]["corrupt_labels"] = 0.5;
  CHECK(refusal(config) == "");
  Json standardized = config;
  standardized["data"] = numbers_problem("", "quantities")["data"];
  CHECK(refusal(standardized) == "");
  standardized["data"]["standardize_targets"] = true;
  CHECK_THAT(refusal(standardized),
             ContainsSubstring("/data/standardize_targets: must be false"));
}

}  // namespace nestgrad
