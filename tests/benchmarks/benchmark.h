#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/dataset.h"
#include "core/nn/model.h"
#include "core/problem.h"
#include "core/tensor/replay.h"

namespace nestgrad {

/// Where and in which type work is done.
struct Place {
  at::TensorOptions options;
  bool graphs = false;  ///< whether the library records what it repeats

  /// For one training loop.
  std::shared_ptr<ReplayCache> replays() const {
    return graphs ? std::make_shared<ReplayCache>(options.device()) : nullptr;
  }
};

/// Does the work once and returns the result for comparison as one vector.
using Run = std::function<Tensor()>;

/// Until the device has computed it.
inline void wait_for(const Tensor& result) {
  (void)result.flatten().narrow(0, 0, 1).item();
}

/// Two implementations of the same work. Both hold the same inputs in memory.
struct Contest {
  Run library;  ///< through the public interface
  Run by_hand;  ///< a loop written for this work alone, with autograd
};

/// Work for which both implementations are compared.
struct Workload {
  std::string name;
  int pairs;  ///< number of timings of each implementation
  int steps;  ///< a run repeats the work this often; the time of one is shown
  std::function<Contest(const Place&)> make;
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

/// Backpropagation through 400 steps of a recurrent network that recomputes its
/// states, against one that keeps them (W7). Only the first one rounds, which
/// is the difference of the results.
std::vector<Workload> reversible_workloads();

/// Prints, for a rev_gru with weights U(+-1/sqrt(inputs)) that reads 4
/// sequences of 200 normally distributed vectors of 16 numbers with 64 units,
/// how many bits each number of the state forgets per step, in the mean, and
/// how many are stored to undo that, for five bounds `max_forget`.
void measure_forgotten_bits();

/// Numbers uniform in [-bound, bound) from splitmix64, rounded to float32 and
/// then converted to the type of `options`.
Tensor uniform(std::uint64_t seed, at::IntArrayRef sizes, double bound,
               const at::TensorOptions& options);

/// The cross entropy of a network on images of Fashion-MNIST, plus an L2
/// penalty if there is a hyperparameter "weight_decay".
class Images : public BilevelProblem {
 public:
  struct Choice {
    Json model;
    std::uint64_t seed;  ///< weight tensor k starts at uniform(seed + k)
    std::int64_t train;  ///< number of images, from the first on
    std::int64_t batch;  ///< in order, cyclically
    std::int64_t valid;  ///< number of images, from number 50000 on
  };

  Images(const Choice& choice, const at::TensorOptions& options);

  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// For the loops that are written by hand.
  const ParameterSet& start() const { return start_; }
  const Dataset& valid() const { return valid_; }
  Batch batch(std::int64_t step) const;

 private:
  std::int64_t batch_;
  std::unique_ptr<Model> model_;
  Dataset train_, valid_;
  ParameterSet start_;
};

/// A network written by hand: the outputs for weights and inputs.
using Network = Tensor (*)(const std::vector<Tensor>&, const Tensor&);

/// Gradient descent on the cross entropy alone, without a tape.
Contest plain_training(std::shared_ptr<const Images> problem, Network network,
                       int steps, const Place& place);

}  // namespace nestgrad
