#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "core/problem.h"
#include "core/training_loop.h"
#include "tests/support/support.h"

namespace nestgrad {

/// A problem that records the draws of its training losses. With z drawn from
/// the key of a draw and t its step,
///
///   train_loss = decay |w|^2 / 2 + (0.1 z + 0.01 t 1)'w
///   initial_weights = z, or start + z if there is a hyperparameter "start".
class CountingProblem : public BilevelProblem {
 public:
  std::vector<Hyperparameter> hyperparameters() const override { return {}; }

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override {
    const Tensor z = key.normal(at::empty({2}, float64()));
    return {{"w", hyper.contains("start") ? hyper.at("start") + z : z}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    draws.push_back(draw);
    const Tensor& w = weights.at("w");
    return 0.5 * hyper.at("decay") * at::dot(w, w) + at::dot(slope(draw), w);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("w").square().sum();
  }

  static Tensor slope(const Draw& draw) {
    return 0.1 * draw.key.normal(at::empty({2}, float64())) +
           0.01 * static_cast<double>(draw.step);
  }

  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> out;
    for (const Draw& draw : draws) out.push_back(draw.step);
    return out;
  }

  mutable std::vector<Draw> draws;  // of all training losses so far
};

/// Gradient descent with learning rate 0.1 on a CountingProblem.
struct CountingBench {
  std::shared_ptr<CountingProblem> problem =
      std::make_shared<CountingProblem>();
  TrainingLoop loop{problem, OptimizerRegistry::instance().make(
                                 Json{{"type", "sgd"}, {"lr", 0.1}})};
  ParameterSet hyper{{"decay", at::scalar_tensor(0.5, float64())}};
  ParameterSet learned{{"decay", at::scalar_tensor(0.5, float64())},
                       {"start", at::tensor({0.4, -0.3}, float64())}};
};

}  // namespace nestgrad
