#include <ATen/ATen.h>

#include "experiments/problems/games/game.h"

namespace nestgrad {
namespace {

/// Two players whose gradient descent has a Hopf bifurcation. With r^2 = x^2 +
/// y^2 and G(s) = growth s + s^2 / 2 - s^3 / 3,
///
///   f1 = -G(r^2) / 2 + turn x y    descended by player 1
///   f2 = -G(r^2) / 2 - turn x y    descended by player 2
///
/// so that for small learning rates they follow r' = r (growth + r^2 - r^4) and
/// turn by `turn` in a unit of time. The equilibrium at zero has the
/// eigenvalues growth +- i turn and loses its stability at growth = 0. Below,
/// down to -1/4, it attracts what is inside of an unstable cycle of radius r1,
/// and a stable cycle of radius r2 attracts what is outside:
///
///   r1^2, r2^2 = (1 -+ sqrt(1 + 4 growth)) / 2
class HopfGame : public SmallGame {
 public:
  HopfGame(const Config& config, const ProblemContext& context)
      : SmallGame(at::scalar_tensor(config.number("start_1"), context.options),
                  at::scalar_tensor(config.number("start_2"), context.options)),
        growth_(config.number("growth")),
        turn_(config.number("turn")) {}

  static Schema schema() {
    return Schema("Two players whose descent has a Hopf bifurcation.")
        .tunes(kY, kYMeaning)
        .number("growth", -0.15,
                "How fast what is near the equilibrium grows; negative: it "
                "shrinks.")
        .number("turn", 1, "How fast the players turn around each other.")
        .number("start_1", 0.2, "Where player 1 starts: the number x.")
        .number("start_2", 0, "Where player 2 starts: the number y.");
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(weights.at(kX), hyper.at(kY), turn_);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(weights.at(kX), hyper.at(kY), -turn_);
  }

 private:
  Tensor loss(const Tensor& x, const Tensor& y, double turn) const {
    const Tensor s = x * x + y * y;
    return -0.5 * s * (growth_ + s * (0.5 - s / 3)) + turn * x * y;
  }

  double growth_, turn_;
};

NESTGRAD_REGISTER(ProblemRegistry, "hopf_game", HopfGame)

}  // namespace
}  // namespace nestgrad
