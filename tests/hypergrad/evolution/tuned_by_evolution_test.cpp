#include <cmath>
#include <limits>
#include <memory>
#include <tuple>
#include <vector>

#include "core/hyper_space.h"
#include "experiments/problems/quadratic.h"
#include "hypergrad/estimator.h"
#include "hypergrad/outer_loop.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// The decay of ridge regression on 60 examples with 20 features, in runs of
/// 500 steps of gradient descent.
struct RidgeRun {
  static constexpr std::int64_t kWindow = 10, kHorizon = 500;
  static constexpr double kRate = 0.06;
  const Json section = {{"type", "ridge"},      {"examples", 60},
                        {"valid_examples", 60}, {"features", 20},
                        {"noise", 1.5},         {"data_seed", 3}};
  const std::shared_ptr<const BilevelProblem> problem =
      ProblemRegistry::instance().make(section, {float64(), Key(1)});

  /// The logarithm of the decay with the least sum of the losses at the ends of
  /// all windows, on a grid of hundredths:
  ///
  ///   w_t = (A + d)^-1 (1 - (1 - rate (A + d))^t) b   in A's eigenvectors.
  double best() const {
    const Quadratic::Terms& terms =
        dynamic_cast<const Quadratic&>(*problem).terms();
    const auto [values, vectors] = at::linalg_eigh(terms.a);
    const Tensor b = at::mv(vectors.t(), terms.b);
    const Tensor v = at::mm(terms.v, vectors);
    double least = std::numeric_limits<double>::infinity(), best = 0;
    for (double log_decay = -8; log_decay < 2; log_decay += 0.01) {
      const Tensor curvature = values + std::exp(log_decay);
      double sum = 0;
      for (std::int64_t t = kWindow; t <= kHorizon; t += kWindow) {
        const Tensor w = (1 - (1 - kRate * curvature).pow(t)) * b / curvature;
        sum += (at::mv(v, w) - terms.t).square().mean().item<double>();
      }
      if (sum < least) std::tie(least, best) = std::tie(sum, log_decay);
    }
    return best;
  }

  /// Where an estimator ends that begins at `log_decay`.
  double tuned(Json estimator, double log_decay) const {
    estimator.update({{"window", kWindow}, {"horizon", kHorizon}});
    const TrainingLoop loop(
        std::make_shared<Reparameterized>(
            problem,
            std::vector<HyperSpec>{
                {"weight_decay",
                 at::scalar_tensor(std::exp(log_decay), float64()),
                 Coordinates::log()}}),
        OptimizerRegistry::instance().make(
            Json{{"type", "sgd"}, {"lr", kRate}}));
    const auto made = EstimatorRegistry::instance().make(estimator, loop);
    OuterLoop outer(*made, *loop.problem(),
                    OuterRule(OptimizerRegistry::instance().make(
                        Json{{"type", "adam"}, {"lr", 0.01}})),
                    3000);
    outer.begin(loop.problem()->initial_hyper(), Key(3));
    return outer.run().hyper.flatten().item<double>();
  }
};

}  // namespace

TEST_CASE("pes and es_single end at the decay that is best on a grid",
          "[evolution]") {
  const RidgeRun ridge;
  const double best = ridge.best();
  const auto off = [&](const char* type, double start) {
    return std::abs(ridge.tuned({{"type", type}, {"particles", 10}}, start) -
                    best);
  };
  for (const double start : {std::log(5.0), -4.0}) {
    CAPTURE(start, best);
    CHECK(off("pes", start) < 0.08);
    CHECK(off("es_single", start) < 0.14);
  }
  // What a decay did before the window is not seen.
  CHECK(off("es", -4) > 0.14);
}

TEST_CASE("evaluation sees the widths that training sees", "[evolution]") {
  const auto problem = ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data", {{"type", "two_moons"}, {"train", 20}, {"valid", 20}}},
           {"model",
            {{"type", "sequential"},
             {"layers",
              {{{"type", "linear"}, {"out", 8}},
               {{"type", "mask"}, {"share", "$share.0"}},
               {{"type", "tanh"}},
               {{"type", "linear"}, {"out", 2}}}}}}},
      {float64(), Key(2)});
  const auto with = [](double share) {
    return ParameterSet{{"share", at::scalar_tensor(share, float64())}};
  };
  const ParameterSet w = problem->initial_weights({}, Key(1));
  // Units that are masked do not count: other weights, the same loss.
  std::vector<Tensor> moved;
  for (const Tensor& t : w.tensors()) moved.push_back(t.clone());
  moved[0].slice(0, 4).add_(1);
  moved[1].slice(0, 4).add_(1);
  const ParameterSet other = w.with(moved);
  const auto losses = [&](const ParameterSet& weights, double share) {
    const Metrics metrics = problem->evaluate(weights, with(share));
    return std::vector<double>{
        problem->train_loss(weights, with(share), Draw()).item<double>(),
        problem->valid_loss(weights, with(share), Draw()).item<double>(),
        metrics.at("valid_loss")};
  };
  CHECK(losses(w, 0.5) == losses(other, 0.5));
  CHECK(losses(w, 0.5)[1] == Approx(losses(w, 0.5)[2]));
  CHECK(losses(w, 0.7)[1] != losses(other, 0.7)[1]);
  CHECK_FALSE(problem->hyperparameters().back().differentiable);
}

TEST_CASE("an accuracy can be tuned by every evolution strategy",
          "[evolution]") {
  const std::shared_ptr<const BilevelProblem> natural =
      ProblemRegistry::instance().make(
          Json{{"type", "classification"},
               {"data", {{"type", "two_moons"}, {"train", 60}, {"valid", 60}}},
               {"model", "logistic"}},
          {float64(), Key(2)});
  const Bench bench = with_rule(natural, at::scalar_tensor(1e-4, float64()),
                                {{"type", "sgd"}, {"lr", "$lr"}}, /*lr=*/0.003);
  for (const char* type : {"es", "pes", "es_single"}) {
    CAPTURE(type);
    const auto estimator =
        EstimatorRegistry::instance().make({{"type", type},
                                            {"window", 10},
                                            {"horizon", 10},
                                            {"metric", "valid_accuracy"},
                                            {"sigma", 0.5},
                                            {"particles", 40}},
                                           *bench.loop);
    estimator->begin(bench.hyper, Key(1));
    const Estimate estimate = estimator->estimate(bench.hyper);
    CHECK(estimate.objective < 0);  // minus the accuracy
    // More learning is better here.
    CHECK(estimate.gradient.at("lr").item<double>() < 0);
  }
}

}  // namespace nestgrad
