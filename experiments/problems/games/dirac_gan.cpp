#include <ATen/ATen.h>

#include "experiments/problems/games/game.h"
#include "experiments/problems/games/gan_loss.h"

namespace nestgrad {
namespace {

/// The smallest generative adversarial network (Mescheder, Geiger and Nowozin
/// 2018, "Which training methods for GANs do actually converge?"). The data are
/// the number 0, the generator makes the number y, and the discriminator is the
/// line x t. The losses are those of GanLoss for the scores 0 and x y, with
/// gradient_penalty x^2 / 2 besides for the discriminator, player 1. At the
/// equilibrium 0 the derivative of the two gradients has the eigenvalues
///
///   (p +- sqrt(p^2 - 4 f'(0)^2)) / 2,   p the gradient_penalty,
///
/// so without a penalty the players turn around each other.
class DiracGan : public SmallGame {
 public:
  DiracGan(const Config& config, const ProblemContext& context)
      : SmallGame(at::scalar_tensor(config.number("start_1"), context.options),
                  at::scalar_tensor(config.number("start_2"), context.options)),
        loss_(config),
        gradient_penalty_(config.number("gradient_penalty")) {}

  static Schema schema() {
    return GanLoss::with_key(
               Schema("A generator of one number against a line (Dirac-GAN).")
                   .tunes(kY, kYMeaning))
        .number("gradient_penalty", 0,
                "Half of it times the square of the discriminator's slope at "
                "the data is added to the loss of the discriminator.",
                at_least(0))
        .number("start_1", 1, "The slope x of the discriminator at first.")
        .number("start_2", 1, "The number y of the generator at first.");
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    const Tensor& x = weights.at(kX);
    return loss_.of_discriminator(0 * x, x * hyper.at(kY)) +
           0.5 * gradient_penalty_ * x * x;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss_.of_generator(weights.at(kX) * hyper.at(kY));
  }

 private:
  GanLoss loss_;
  double gradient_penalty_;
};

NESTGRAD_REGISTER(ProblemRegistry, "dirac_gan", DiracGan)

}  // namespace
}  // namespace nestgrad
