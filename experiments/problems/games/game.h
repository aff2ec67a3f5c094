#pragma once

#include "core/problem.h"

namespace nestgrad {

/// A game of two players. Player 1 is the weights and descends the training
/// loss, player 2 is the hyperparameters and descends the validation loss.
/// Neither need be the minimiser of the other's loss, so this is not bilevel
/// optimisation. What the players seek is an equilibrium, where the gradient of
/// each by its own numbers is zero.
///
/// Estimators that ask for dL/dh at constant weights play it. Those that
/// follow training give player 2 the gradient of a leader who knows how player
/// 1 answers (Stackelberg).
class Game : public BilevelProblem {
 public:
  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.game = true;
    return out;
  }
};

/// A game of few numbers, "x" of player 1 and "y" of player 2, with an
/// equilibrium at zero.
class SmallGame : public Game {
 public:
  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;

  /// Both losses, "distance", that of (x, y) from zero, and the first numbers
  /// of both, "x" and "y".
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;
  std::string metric() const override { return "distance"; }
  std::pair<std::string, std::string> plane() const override {
    return {kX, kY};
  }

 protected:
  /// The points that the players start from.
  SmallGame(Tensor x, Tensor y) : x_(std::move(x)), y_(std::move(y)) {}

  static constexpr const char* kX = "x";
  static constexpr const char* kY = "y";
  static constexpr const char* kYMeaning = "Where player 2 is.";

 private:
  Tensor x_, y_;
};

}  // namespace nestgrad
