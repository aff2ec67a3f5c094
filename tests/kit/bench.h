#pragma once

#include <cmath>
#include <memory>

#include "core/hyper_space.h"
#include "core/tensor/autodiff.h"
#include "core/training_loop.h"
#include "experiments/problems/quadratic.h"
#include "hypergrad/estimator.h"
#include "numbers.h"

namespace nestgrad::testing {

/// Two layers with tanh on a few fixed points, cross entropy plus one decay for
/// all weights; float64. Batches of `batch` of the 12 points. The validation
/// loss depends on the decay d itself: it is 1 + d times the cross entropy.
class TinyNetwork : public BilevelProblem {
 public:
  explicit TinyNetwork(std::int64_t batch = 12) : batch_(batch) {
    const Key key(5);
    const Tensor like = at::empty({12, 3}, float64());
    train_ = key.fold("train").normal(like);
    valid_ = key.fold("valid").normal(like);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "weight_decay";
    decay.meaning = "Factor d of the penalty d w^2 / 2.";
    decay.initial = at::scalar_tensor(0.05, float64());
    decay.coordinates = Coordinates::log();
    return {decay};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {
        {"0.weight", 0.5 * key.fold(0).normal(at::empty({4, 3}, float64()))},
        {"0.bias", 0.5 * key.fold(1).normal(at::empty({4}, float64()))},
        {"1.weight", 0.5 * key.fold(2).normal(at::empty({3, 4}, float64()))},
        {"1.bias", 0.5 * key.fold(3).normal(at::empty({3}, float64()))}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor out = to_first_order(outputs(weights, hyper, draw));
    const ParameterSet w = to_first_order(weights);
    return output_loss(out, hyper, draw) +
           0.5 * hyper.at("weight_decay") * dot(w, w);
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.outputs = true;
    out.game = true;  // the decay has a derivative at constant weights
    return out;
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet&,
                 const Draw& draw) const override {
    return forward(weights, batch(draw));
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet&,
                     const Draw& draw) const override {
    return loss(outputs, batch(draw));
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return (1 + hyper.at("weight_decay")) *
           loss(forward(weights, valid_), valid_);
  }

 private:
  Tensor batch(const Draw& draw) const {
    return train_.narrow(0, draw.step * batch_ % 12, batch_);
  }

  static Tensor forward(const ParameterSet& w, const Tensor& x) {
    const Tensor hidden =
        at::linear(x, w.at("0.weight"), w.at("0.bias")).tanh();
    return at::linear(hidden, w.at("1.weight"), w.at("1.bias"));
  }

  static Tensor loss(const Tensor& outputs, const Tensor& x) {
    const Tensor targets =
        at::remainder((x.sum(1) * 2).floor().to(at::kLong), 3);
    return at::cross_entropy_loss(outputs, targets);
  }

  std::int64_t batch_;
  Tensor train_, valid_;
};

/// A problem with the hyperparameters weight_decay, lr and momentum in log and
/// logit coordinates, and a training rule that reads lr and momentum.
struct Bench {
  std::shared_ptr<const BilevelProblem> problem;
  std::unique_ptr<TrainingLoop> loop;
  ParameterSet hyper;
};

inline Bench with_rule(std::shared_ptr<const BilevelProblem> natural,
                       const Tensor& decay, const Json& rule, double lr = 0.1,
                       double momentum = 0.6) {
  std::vector<HyperSpec> space{{"weight_decay", decay, Coordinates::log()}};
  const auto names = references(rule);
  if (names.count("lr") > 0) {
    space.push_back(
        {"lr", at::scalar_tensor(lr, float64()), Coordinates::log()});
  }
  if (names.count("momentum") > 0) {
    space.push_back({"momentum", at::scalar_tensor(momentum, float64()),
                     Coordinates::logit()});
  }
  Bench bench;
  bench.problem =
      std::make_shared<Reparameterized>(std::move(natural), std::move(space));
  bench.loop = std::make_unique<TrainingLoop>(
      bench.problem, OptimizerRegistry::instance().make(rule));
  bench.hyper = bench.problem->initial_hyper();
  return bench;
}

/// The estimator that a configuration says, of the loop of a bench.
inline std::unique_ptr<HypergradientEstimator> estimator_of(
    const Json& json, const Bench& bench) {
  return EstimatorRegistry::instance().make(json, *bench.loop);
}

inline Bench ridge_bench(const Json& rule, bool per_weight = true) {
  const auto ridge =
      std::make_shared<Quadratic>(ridge_terms(RidgeOptions(), float64()));
  const Tensor decay = per_weight
                           ? at::full({12}, std::exp(-2.0), float64())
                           : at::scalar_tensor(std::exp(-2.0), float64());
  return with_rule(ridge, decay, rule);
}

inline Bench network_bench(const Json& rule, std::int64_t batch = 12) {
  return with_rule(std::make_shared<TinyNetwork>(batch),
                   at::scalar_tensor(0.05, float64()), rule);
}

}  // namespace nestgrad::testing
