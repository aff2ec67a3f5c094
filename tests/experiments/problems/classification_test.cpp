#include <ATen/ATen.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "core/problem.h"
#include "tests/core/nn/torchscript/scripts.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Four examples of four classes, whose weights are per `granularity`.
std::shared_ptr<const BilevelProblem> four_of_four(
    const std::string& granularity) {
  return ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data",
            {{"type", "gaussian_clusters"},
             {"classes", 4},
             {"features", 3},
             {"examples", 40},
             {"train", 4},
             {"valid", 4}}},
           {"batch", 0},
           {"model", "logistic"}},
      {float64(), Key(3), {{"example_weight", granularity}}});
}

/// A network with batch norm, two classes and so many validation examples.
std::shared_ptr<const BilevelProblem> normalizing(std::int64_t valid) {
  return ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data",
            {{"type", "gaussian_clusters"},
             {"classes", 2},
             {"features", 4},
             {"examples", 2100},
             {"train", 50},
             {"valid", valid},
             {"test", 2}}},
           {"batch", 0},
           {"model", {{"type", "torchscript"}, {"file", script("drops.pt")}}}},
      {float64(), Key(3), {}});
}

/// The training loss where one weight alone counts, for each of the weights.
std::vector<double> shares(const BilevelProblem& problem) {
  const ParameterSet w =
      Key(2).normal(problem.initial_weights({}, Key(1)).to(float64()));
  const Tensor eye = at::eye(4, float64());
  std::vector<double> out;
  for (std::int64_t i = 0; i < 4; ++i) {
    const ParameterSet hyper{{"weight_decay", at::zeros({}, float64())},
                             {"example_weight", eye[i]}};
    out.push_back(problem.train_loss(w, hyper, Draw()).item<double>());
  }
  return out;
}

TEST_CASE("weights of classes differ from weights of as many examples",
          "[classification]") {
  const auto by_class = four_of_four("class");
  for (const Hyperparameter& h : by_class->hyperparameters()) {
    if (h.name != "example_weight") continue;
    CHECK(h.granularities ==
          std::vector<Granularity>{{"example", 4}, {"class", 4}});
  }
  const std::vector<double> classes = shares(*by_class);
  const std::vector<double> examples = shares(*four_of_four("example"));
  // Two of the four are of one class, so another class has none.
  CHECK(std::count(classes.begin(), classes.end(), 0.0) == 1);
  CHECK(std::count(examples.begin(), examples.end(), 0.0) == 0);
  const auto sum = [](const std::vector<double>& terms) {
    return std::accumulate(terms.begin(), terms.end(), 0.0);
  };
  CHECK(sum(classes) == Approx(sum(examples)));
  // Each class counts for its examples: one, or the sum of two.
  std::size_t found = 0;
  for (const double share : classes) {
    for (std::size_t i = 0; i < 4; ++i) {
      found += share == Approx(examples[i]);
      for (std::size_t j = 0; j < i; ++j) {
        found += share == Approx(examples[i] + examples[j]);
      }
    }
  }
  CHECK(found == 3);
}

TEST_CASE("the order of a draw selects other minibatches of the same epoch",
          "[classification]") {
  const auto with_batch = [](std::int64_t batch) {
    return ProblemRegistry::instance().make(
        Json{{"type", "classification"},
             {"data",
              {{"type", "gaussian_clusters"},
               {"examples", 40},
               {"train", 12},
               {"valid", 4}}},
             {"batch", batch},
             {"model", "logistic"}},
        {float64(), Key(3)});
  };
  const auto problem = with_batch(3);
  const ParameterSet w =
      Key(2).normal(problem->initial_weights({}, Key(1)).to(float64()));
  const ParameterSet hyper{{"weight_decay", at::zeros({}, float64())}};
  const auto losses = [&](std::uint64_t order) {
    std::vector<double> out;
    for (std::int64_t step = 0; step < 4; ++step) {
      Draw draw{step, Key(4)};
      draw.order = order;
      out.push_back(problem->train_loss(w, hyper, draw).item<double>());
    }
    return out;
  };
  const double whole =
      with_batch(0)->train_loss(w, hyper, Draw()).item<double>();
  for (const std::uint64_t order : {0, 1, 2}) {
    const std::vector<double> each = losses(order);
    CHECK(std::accumulate(each.begin(), each.end(), 0.0) / 4 == Approx(whole));
    if (order > 0) CHECK(each != losses(order - 1));
  }
}

}  // namespace

TEST_CASE("any number of examples is evaluated with statistics of the batch",
          "[classification]") {
  for (const std::int64_t valid : {2, 999, 1000, 1001, 2001}) {
    CAPTURE(valid);
    const auto problem = normalizing(valid);
    const ParameterSet weights = problem->initial_weights({}, Key(1));
    const double loss = problem->evaluate(weights, {}).at("valid_loss");
    // The statistics of a half of the examples are nearly those of all.
    const Tensor whole = problem->valid_loss(weights, {}, {0, Key(1)});
    CHECK(loss == Approx(whole.item<double>()).epsilon(0.02));
  }
}

}  // namespace nestgrad
