#pragma once

#include <vector>

#include "core/inner_run.h"
#include "hypergrad/attribution.h"
#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {

/// Influence functions (Koh and Liang 2017, "Understanding black-box
/// predictions via influence functions"): the derivatives of functions f_j of
/// trained weights w as if these were a minimum of the loss of all training
/// examples, F(w, h) = 0 its gradient,
///
///   df_j/dh - (dF/dh)' q_j   where   (dF/dw)' q_j = df_j/dw.
class Influence : public AttributionPass {
 public:
  /// `solver` outlives this.
  Influence(const TrainingLoop& loop, AttributionTask task,
            const InverseHessian& solver);

  bool advance() override;
  double done() const override;
  std::vector<double> values() const override { return values_; }
  std::vector<ParameterSet> gradients() const override { return gradients_; }
  Footprint footprint() const override { return {task_.steps, 0, 0, 0}; }
  void persist(Archive& archive) override;

 private:
  /// Trains on, at most to the end.
  void train();

  void solve(std::size_t function);

  AttributionTask task_;
  TrainingLoop loop_;   // of training
  TrainingLoop whole_;  // whose loss is that of all examples
  const InverseHessian& solver_;
  TrainState state_;
  std::vector<double> values_;
  std::vector<ParameterSet> gradients_;
};

}  // namespace nestgrad
