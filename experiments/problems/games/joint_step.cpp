#include "experiments/problems/games/joint_step.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// The numbers of some sets, one after another.
Tensor joined(const std::vector<ParameterSet>& sets) {
  std::vector<Tensor> all;
  for (const ParameterSet& set : sets) {
    if (!set.empty()) all.push_back(set.flatten());
  }
  return at::cat(all);
}

}  // namespace

JointStep::JointStep(std::shared_ptr<const BilevelProblem> game,
                     std::unique_ptr<const Optimizer> rule, bool alternating,
                     const Key& key)
    : game_(std::move(game)),
      rule_(std::move(rule)),
      alternating_(alternating),
      key_(key),
      x_(game_->initial_weights(game_->initial_hyper(), key.fold("x"))
             .detach()),
      y_(game_->initial_hyper().detach()),
      memory_of_x_(rule_->slots(x_)),
      memory_of_y_(rule_->slots(y_)) {}

Tensor JointStep::first() const { return joined({x_, y_}); }

Tensor JointStep::begin(const Tensor& players) const {
  return joined({{{"players", players}}, memory_of_x_, memory_of_y_});
}

JointStep::Players JointStep::read(const Tensor& z, std::int64_t step) const {
  std::int64_t first = 0;
  const auto next = [&](const ParameterSet& like) {
    const std::int64_t n = like.numel();
    first += n;
    return like.unflatten(z.narrow(0, first - n, n));
  };
  Players out;
  out.one.weights = next(x_);
  out.two.weights = next(y_);
  out.one.slots = next(memory_of_x_);
  out.two.slots = next(memory_of_y_);
  out.one.step = out.two.step = step;
  return out;
}

Tensor JointStep::operator()(const Tensor& z, std::int64_t step) const {
  const Players now = read(z, step);
  const ParameterSet &x = now.one.weights, &y = now.two.weights;
  const TrainState one = rule_->step(
      now.one, gradient(game_->train_loss(x, y, draw(step)), x, Tape::kOn), {});
  const ParameterSet& seen = alternating_ ? one.weights : x;
  const TrainState two = rule_->step(
      now.two, gradient(game_->valid_loss(seen, y, draw(step)), y, Tape::kOn),
      {});
  return joined({one.weights, two.weights, one.slots, two.slots});
}

Metrics JointStep::evaluate(const Tensor& z) const {
  const Players now = read(z, 0);
  return game_->evaluate(now.one.weights, now.two.weights);
}

std::pair<double, double> JointStep::losses(const Tensor& z,
                                            std::int64_t step) const {
  const at::NoGradGuard no_tape;
  const Players now = read(z, step);
  const ParameterSet &x = now.one.weights, &y = now.two.weights;
  return {game_->train_loss(x, y, draw(step)).item<double>(),
          game_->valid_loss(x, y, draw(step)).item<double>()};
}

}  // namespace nestgrad
