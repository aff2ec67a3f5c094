#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/nn/model.h"
#include "core/problem.h"

namespace nestgrad {

/// Does the work once, from the inputs to what is compared: one vector.
using Run = std::function<Tensor()>;

/// The same work done twice. Both hold the same inputs, loaded and in memory.
struct Contest {
  Run library;  ///< through the interface that users have
  Run by_hand;  ///< a loop that is written for this work alone, with autograd
};

/// Work to be compared.
struct Workload {
  std::string name;
  int pairs;  ///< how often each side is timed
  int steps;  ///< a run is this many times the work; the time of one is shown
  std::function<Contest(at::ScalarType)> make;
};

/// Neumann series at the initial weights: a perceptron with one decay per
/// weight (W1), a convolutional network with one per tensor (W6).
std::vector<Workload> neumann_workloads();

/// Reverse mode through the training of a perceptron with momentum, for the
/// learning rate, the momentum and the decay, over 100 (W3) and 400 (W3L)
/// steps.
std::vector<Workload> unrolled_workloads();

/// Reverse mode through gradient descent on 2 (W5Q) and on 10 (W5R) weights.
std::vector<Workload> quadratic_workloads();

/// Numbers uniform in [-bound, bound), from splitmix64; rounded to float32 and
/// then brought to `type`.
Tensor uniform(std::uint64_t seed, at::IntArrayRef sizes, double bound,
               at::ScalarType type);

/// The cross entropy of a network on images of Fashion-MNIST, plus an L2
/// penalty if there is a hyperparameter "weight_decay".
class Images : public BilevelProblem {
 public:
  struct Choice {
    Json model;
    std::uint64_t seed;  ///< weight tensor k starts at uniform(seed + k)
    std::int64_t train;  ///< the first so many images
    std::int64_t batch;  ///< in order, round and round
    std::int64_t valid;  ///< so many images, from number 50000 on
  };

  Images(const Choice& choice, at::ScalarType type);

  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// What loops that are written by hand read.
  const ParameterSet& start() const { return start_; }
  const Dataset& valid() const { return valid_; }
  Batch batch(std::int64_t step) const;

 private:
  std::int64_t batch_;
  std::unique_ptr<Model> model_;
  Dataset train_, valid_;
  ParameterSet start_;
};

/// A network that is written by hand: the outputs for weights and inputs.
using Network = Tensor (*)(const std::vector<Tensor>&, const Tensor&);

/// Steps of gradient descent on the cross entropy alone, without a tape.
Contest plain_training(std::shared_ptr<const Images> problem, Network network,
                       int steps);

}  // namespace nestgrad
