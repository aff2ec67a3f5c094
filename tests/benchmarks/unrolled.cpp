#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "benchmark.h"
#include "core/hyper_space.h"
#include "hypergrad/estimator.h"

namespace nestgrad {
namespace {

constexpr double kRate = 0.05, kMomentum = 0.9, kDecay = 1e-4;

/// 784-128-10.
Tensor two_layers(const std::vector<Tensor>& w, const Tensor& images) {
  const Tensor x = images.view({images.size(0), 784});
  return at::linear(at::relu(at::linear(x, w[0], w[1])), w[2], w[3]);
}

std::shared_ptr<const Images> two_layer_problem(const Place& place) {
  return std::make_shared<Images>(
      Images::Choice{Json{{"type", "mlp"}, {"hidden", {128}}}, 3000, 8192, 128,
                     512},
      place.options);
}

Run library(std::shared_ptr<const Images> images, const Place& place, int steps,
            const Json& checkpoints) {
  const auto number = [&](double value) {
    return at::scalar_tensor(value, place.options);
  };
  const auto problem = std::make_shared<Reparameterized>(
      images, std::vector<HyperSpec>{
                  {"lr", number(kRate), Coordinates::log()},
                  {"momentum", number(kMomentum), Coordinates::real()},
                  {"weight_decay", number(kDecay), Coordinates::log()}});
  const auto loop = std::make_shared<TrainingLoop>(
      problem,
      OptimizerRegistry::instance().make(
          Json{{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}),
      Minibatches::kCommon, place.replays());
  const std::shared_ptr<HypergradientEstimator> estimator =
      EstimatorRegistry::instance().make(Json{{"type", "unrolled"},
                                              {"window", steps},
                                              {"horizon", steps},
                                              {"checkpoints", checkpoints}},
                                         *loop);
  const ParameterSet hyper = problem->initial_hyper();
  return [loop, estimator, hyper] {
    estimator->begin(hyper, Key());
    return estimator->estimate(hyper).gradient.flatten();
  };
}

/// All weights are one vector; the network uses views of it.
Run by_hand(std::shared_ptr<const Images> images, const Place& place,
            int steps) {
  const ParameterSet start = images->start();
  std::vector<std::int64_t> sizes;
  for (const Tensor& t : start.tensors()) sizes.push_back(t.numel());
  const Tensor hyper =
      at::tensor({std::log(kRate), kMomentum, std::log(kDecay)}, place.options);
  return [=] {
    using torch::autograd::grad;
    const Tensor h = hyper.detach().requires_grad_();
    const Tensor lr = h[0].exp(), momentum = h[1], decay = 0.5 * h[2].exp();
    const auto cross_entropy = [&](const Tensor& w, const Tensor& inputs,
                                   const Tensor& targets) {
      std::vector<Tensor> pieces = w.split_with_sizes(sizes);
      for (std::size_t k = 0; k < pieces.size(); ++k) {
        pieces[k] = pieces[k].view(start.tensors()[k].sizes());
      }
      return at::cross_entropy_loss(two_layers(pieces, inputs), targets);
    };
    Tensor w = start.flatten().requires_grad_();
    Tensor v = at::zeros_like(w);
    for (int i = 0; i < steps; ++i) {
      const Batch rows = images->batch(i);
      const Tensor loss =
          cross_entropy(w, rows.input, rows.target) + decay * at::dot(w, w);
      const Tensor g = grad({loss}, {w}, {}, /*retain_graph=*/true,
                            /*create_graph=*/true)[0];
      v = momentum * v + g;
      w = w - lr * v;
    }
    const Tensor outer =
        cross_entropy(w, images->valid().inputs, images->valid().targets);
    return grad({outer}, {h})[0];
  };
}

/// The loop written by hand has no checkpoints.
Workload workload(const std::string& name, int pairs, int steps,
                  const Json& checkpoints = "none") {
  return {name, pairs, 1, [=](const Place& place) -> Contest {
            const auto images = two_layer_problem(place);
            return {library(images, place, steps, checkpoints),
                    by_hand(images, place, steps)};
          }};
}

}  // namespace

std::vector<Workload> unrolled_workloads() {
  return {workload("W3", 9, 100),
          workload("W3L", 5, 400),
          workload("W3L sqrt", 5, 400, "sqrt"),
          workload("W3L log", 3, 400, "log"),
          {"W3 step", 9, 100, [](const Place& place) {
             return plain_training(two_layer_problem(place), two_layers, 100,
                                   place);
           }}};
}

}  // namespace nestgrad
