#pragma once

#include <memory>

#include "core/distributed/world.h"
#include "core/optimizer.h"

namespace nestgrad {

/// Hyperparameters and the training rule that moves them.
///
/// A rule that moves each number by itself (Optimizer::moves_each_number())
/// goes through long tensors in pieces and writes over its memory. Besides
/// hyperparameters, gradient and that memory, a step then takes as much as the
/// new hyperparameters. Ranks may divide the memory: each keeps and moves a
/// part of every long tensor, and they exchange what they have moved. Either
/// way the bits are those of the rule's own step.
class OuterRule {
 public:
  /// `world`: ranks that divide the memory of the rule. Throws Error if they
  /// cannot.
  OuterRule(std::shared_ptr<const Optimizer> rule,
            std::shared_ptr<World> world = alone());

  void begin(const ParameterSet& hyper);

  const ParameterSet& hyper() const { return state_.weights; }
  std::int64_t step() const { return state_.step; }  ///< steps made

  /// Collective. Moves the memory of the rule on, and returns where the
  /// hyperparameters go; accept() puts them there and completes the step.
  ParameterSet begin_step(const ParameterSet& gradient);
  void accept(ParameterSet hyper);

  /// Collective if ranks divide the memory. It is saved as that of one rank.
  void persist(Archive& archive);

 private:
  bool in_pieces(const Tensor& numbers) const;
  bool is_divided(const Tensor& numbers) const;
  Tensor moved(std::size_t i, const Tensor& gradient);

  std::shared_ptr<const Optimizer> rule_;
  std::shared_ptr<World> world_;
  TrainState state_;  // of a divided tensor, this rank's part of the slots
};

}  // namespace nestgrad
