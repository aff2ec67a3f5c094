#include "experiments/problems/games/gan_loss.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/tensor/autodiff.h"

namespace nestgrad {

Schema GanLoss::with_key(Schema schema) {
  return schema.choice(
      "loss", "non_saturating",
      "What the players descend: the logarithms of probabilities, in the form "
      "minimax or non_saturating, or the scores themselves (wasserstein).",
      {"minimax", "non_saturating", "wasserstein"});
}

Tensor GanLoss::f(const Tensor& t) const {
  return form_ == "wasserstein" ? t : at::log_sigmoid(t);
}

Tensor GanLoss::of_discriminator(const Tensor& real, const Tensor& made) const {
  return -f(real).mean() - f(-made).mean();
}

Tensor GanLoss::of_generator(const Tensor& made) const {
  return form_ == "non_saturating" ? -f(made).mean() : f(-made).mean();
}

Tensor squared_slope(const std::function<Tensor(const Tensor&)>& f,
                     const Tensor& x) {
  const at::AutoGradMode on_tape(true);
  const Tensor leaf = x.detach().requires_grad_();
  const Tensor y = f(leaf);
  return vjp(std::vector<Tensor>{y}, {leaf}, {at::ones_like(y)}, Tape::kOn)
      .front()
      .square()
      .sum(1)
      .mean();
}

}  // namespace nestgrad
