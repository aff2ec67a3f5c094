#pragma once

#include <memory>

#include "core/optimizer.h"
#include "core/problem.h"

namespace nestgrad {

/// One step of both players of a game as a map of one vector: weights x and
/// hyperparameters y, followed by the memory of the rule for either. It can be
/// differentiated twice.
class JointStep {
 public:
  /// Both players move by `rule`, at the same time or, if `alternating`, player
  /// 2 once player 1 has moved.
  JointStep(std::shared_ptr<const BilevelProblem> game,
            std::unique_ptr<const Optimizer> rule, bool alternating,
            const Key& key);

  /// The players' own start: x and y, [players()].
  Tensor first() const;

  /// How many numbers x and y have.
  std::int64_t players() const { return x_.numel() + y_.numel(); }

  /// The vector for players without memory, on the tape of x and y,
  /// [players()].
  Tensor begin(const Tensor& players) const;

  /// The vector after step number `step`, on the tape of the one before.
  Tensor operator()(const Tensor& z, std::int64_t step) const;

  /// What the game says of a vector.
  Metrics evaluate(const Tensor& z) const;

  /// The losses of both players.
  std::pair<double, double> losses(const Tensor& z, std::int64_t step) const;

 private:
  struct Players {
    TrainState one, two;
  };
  Players read(const Tensor& z, std::int64_t step) const;

  Draw draw(std::int64_t step) const {
    return {step, key_.fold(static_cast<std::uint64_t>(step))};
  }

  std::shared_ptr<const BilevelProblem> game_;
  std::unique_ptr<const Optimizer> rule_;
  bool alternating_;
  Key key_;
  ParameterSet x_, y_, memory_of_x_, memory_of_y_;
};

}  // namespace nestgrad
