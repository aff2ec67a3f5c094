#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/storage/archive.h"
#include "core/training_loop.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// A scalar function of the weights that training has led to, on their tape and
/// on that of the hyperparameters. `weights` are deployed weights.
using EndFunction = std::function<Tensor(const ParameterSet& weights,
                                         const ParameterSet& hyper)>;

/// Training, and functions of what it leads to.
struct AttributionTask {
  ParameterSet hyper;      ///< constant during training
  Key run;                 ///< of training
  std::int64_t steps = 0;  ///< of training, from the initial weights
  std::vector<EndFunction> functions;
};

/// The derivatives of several functions f_j of the weights at the end of
/// training by the hyperparameters,
///
///   d f_j(w_T(h), h) / dh,
///
/// for which training is made once. If h are weights of training examples, this
/// is data attribution (Ilyas and Engstrom 2025, "MAGIC: near-optimal data
/// attribution for deep learning").
///
/// The work is done in pieces. Between two of them it can be saved, and a pass
/// of the same task that is restored goes on with the same bits.
class AttributionPass {
 public:
  virtual ~AttributionPass() = default;

  /// Does the next piece. Returns false, without doing anything, after the last
  /// one. Throws Error if training or a solution is not finite.
  virtual bool advance() = 0;

  /// The share of the work that is done, from 0 to 1.
  virtual double done() const = 0;

  // After the last piece, for each function: its value and its derivative.
  virtual std::vector<double> values() const = 0;
  virtual std::vector<ParameterSet> gradients() const = 0;

  /// See Footprint; of the whole pass.
  virtual Footprint footprint() const = 0;

  virtual void persist(Archive& archive) = 0;
};

/// The functions of a task at a state of training, on the tapes of `state` and
/// `hyper`. `function`: which of them.
inline Tensor at_end(const AttributionTask& task, const TrainingLoop& loop,
                     std::size_t function, const TrainState& state,
                     const ParameterSet& hyper) {
  const ParameterSet judged = loop.optimizer()->deployed(state);
  return task.functions[function](loop.problem()->deployed(judged, hyper),
                                  hyper);
}

}  // namespace nestgrad
