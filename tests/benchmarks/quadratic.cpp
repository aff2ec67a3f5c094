#include "experiments/problems/quadratic.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "benchmark.h"
#include "core/hyper_space.h"
#include "hypergrad/estimator.h"

namespace nestgrad {
namespace {

constexpr double kDescentRate = 0.1, kDescentDecay = 0.1;
constexpr int kDescentSteps = 200;
constexpr std::int64_t kExamples = 50, kFeatures = 10;

/// The same problem for the library and for a loop written by hand.
struct Problem {
  std::shared_ptr<const Quadratic> quadratic;
  std::function<Tensor(const Tensor& w)> train_loss;  ///< without decay
  std::function<Tensor(const Tensor& w)> valid_loss;
};

/// w'A w / 2 - b'w, and |w - t|^2 / 2.
Problem two_weights(const at::TensorOptions& options) {
  const Tensor a = at::tensor({2.0, 0.5, 0.5, 1.0}, options).view({2, 2});
  const Tensor b = at::tensor({1.0, -1.0}, options);
  const Tensor t = at::tensor({0.5, 0.5}, options);
  Quadratic::Terms terms;
  terms.a = a;
  terms.b = b;
  terms.v = at::eye(2, options);
  terms.t = t;
  return {std::make_shared<Quadratic>(terms),
          [=](const Tensor& w) {
            return 0.5 * at::dot(w, at::mv(a, w)) - at::dot(b, w);
          },
          [=](const Tensor& w) {
            const Tensor error = w - t;
            return 0.5 * at::dot(error, error);
          }};
}

/// |X w - y|^2 / (2 n) in training; the same with other data in validation.
Problem ridge(const at::TensorOptions& options) {
  constexpr double kScale = 1.0 / kExamples;
  const Tensor x = uniform(5000, {kExamples, kFeatures}, 1, options);
  const Tensor y = uniform(5001, {kExamples}, 1, options);
  const Tensor v = uniform(5002, {kExamples, kFeatures}, 1, options);
  const Tensor t = uniform(5003, {kExamples}, 1, options);
  Quadratic::Terms terms;
  terms.a = kScale * at::mm(x.t(), x);
  terms.b = kScale * at::mv(x.t(), y);
  terms.c = 0.5 * kScale * at::dot(y, y).item<double>();
  terms.v = v;
  terms.t = t;
  terms.scale = kScale;
  const auto half_square = [](const Tensor& error) {
    return 0.5 * kScale * at::dot(error, error);
  };
  return {std::make_shared<Quadratic>(terms),
          [=](const Tensor& w) { return half_square(at::mv(x, w) - y); },
          [=](const Tensor& w) { return half_square(at::mv(v, w) - t); }};
}

using Maker = Problem (*)(const at::TensorOptions&);

std::shared_ptr<const Optimizer> descent() {
  return OptimizerRegistry::instance().make(
      Json{{"type", "sgd"}, {"lr", kDescentRate}});
}

Run library(const Problem& given, const Place& place) {
  const Tensor decay = at::scalar_tensor(kDescentDecay, place.options);
  const auto problem = std::make_shared<Reparameterized>(
      given.quadratic,
      std::vector<HyperSpec>{{"weight_decay", decay, Coordinates::log()}});
  const auto loop = std::make_shared<TrainingLoop>(
      problem, descent(), Minibatches::kCommon, place.replays());
  const std::shared_ptr<HypergradientEstimator> estimator =
      EstimatorRegistry::instance().make(Json{{"type", "unrolled"},
                                              {"window", kDescentSteps},
                                              {"horizon", kDescentSteps}},
                                         *loop);
  const ParameterSet hyper = problem->initial_hyper();
  return [loop, estimator, hyper] {
    estimator->begin(hyper, Key());
    return estimator->estimate(hyper).gradient.flatten();
  };
}

Run by_hand(const Problem& given, const Place& place) {
  return [=] {
    using torch::autograd::grad;
    const Tensor h = at::scalar_tensor(std::log(kDescentDecay), place.options)
                         .requires_grad_();
    const Tensor half_decay = 0.5 * h.exp();
    Tensor w = at::zeros_like(given.quadratic->terms().b).requires_grad_();
    for (int i = 0; i < kDescentSteps; ++i) {
      const Tensor loss = given.train_loss(w) + half_decay * at::dot(w, w);
      w = w - kDescentRate * grad({loss}, {w}, {}, /*retain_graph=*/true,
                                  /*create_graph=*/true)[0];
    }
    return grad({given.valid_loss(w)}, {h})[0].reshape(-1);
  };
}

Contest contest(Maker make, const Place& place) {
  const Problem problem = make(place.options);
  return {library(problem, place), by_hand(problem, place)};
}

/// Gradient descent with the decay as a constant, without a tape.
Contest plain_training(Maker make, const Place& place) {
  const Problem given = make(place.options);
  const ParameterSet hyper{
      {"weight_decay", at::scalar_tensor(kDescentDecay, place.options)}};
  const TrainingLoop loop(given.quadratic, descent(), Minibatches::kCommon,
                          place.replays());
  return {[=] {
            TrainState state = loop.start(hyper, Key());
            for (int i = 0; i < kDescentSteps; ++i) {
              state = loop.step(state, hyper, Key());
            }
            return state.weights.flatten();
          },
          [=] {
            const Tensor w =
                at::zeros_like(given.quadratic->terms().b).requires_grad_();
            for (int i = 0; i < kDescentSteps; ++i) {
              const Tensor loss =
                  given.train_loss(w) + 0.5 * kDescentDecay * at::dot(w, w);
              const Tensor g = torch::autograd::grad({loss}, {w})[0];
              const at::NoGradGuard no_tape;
              w.sub_(g, kDescentRate);
            }
            return w.detach();
          }};
}

/// A workload, and its plain training steps.
std::vector<Workload> workloads(const std::string& name, Maker make) {
  return {{name, 25, 1,
           [make](const Place& place) { return contest(make, place); }},
          {name + " step", 25, kDescentSteps,
           [make](const Place& place) { return plain_training(make, place); }}};
}

}  // namespace

std::vector<Workload> quadratic_workloads() {
  std::vector<Workload> all = workloads("W5Q", two_weights);
  for (Workload& more : workloads("W5R", ridge)) all.push_back(std::move(more));
  return all;
}

}  // namespace nestgrad
