#include "experiments/problems/games/game.h"

#include <ATen/ATen.h>

namespace nestgrad {

std::vector<Hyperparameter> SmallGame::hyperparameters() const {
  Hyperparameter y;
  y.name = kY;
  y.meaning = kYMeaning;
  y.initial = y_;
  return {y};
}

ParameterSet SmallGame::initial_weights(const ParameterSet&, const Key&) const {
  return {{kX, x_}};
}

Metrics SmallGame::evaluate(const ParameterSet& weights,
                            const ParameterSet& hyper) const {
  const Tensor &x = weights.at(kX), &y = hyper.at(kY);
  return {{"train_loss", train_loss(weights, hyper, Draw()).item<double>()},
          {"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()},
          {"distance", at::hypot(x.norm(), y.norm()).item<double>()},
          {"x", x.reshape(-1)[0].item<double>()},
          {"y", y.reshape(-1)[0].item<double>()}};
}

}  // namespace nestgrad
