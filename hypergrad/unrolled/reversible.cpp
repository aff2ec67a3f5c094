#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/adjoint.h"
#include "hypergrad/unrolled/exact_vector.h"
#include "hypergrad/unrolled/window_estimator.h"

namespace nestgrad {
namespace {

/// Reverse mode by running training backwards (Maclaurin, Duvenaud and Adams
/// 2015, "Gradient-based hyperparameter optimization through reversible
/// learning"). A step of gradient descent with momentum m,
///
///   v <- m v + g(w) + weight_decay w     w <- w - lr v,
///
/// is undone from its end, w <- w + lr v, v <- (v - g(w) - weight_decay w) / m,
/// so that no state between the first and the last is kept. In floating point
/// the division blows rounding errors up by 1/m a step; here w and v are whole
/// multiples of 2^-52, and the bits that a product with m pushes out are kept:
/// log2(1/m) per weight and step.
///
/// Exact for the window that it trains. That window differs from the one in
/// floating point by rounding: m is the nearest n / d with d up to 2^16 (exact
/// for 0.9 and the like), and m v is off by less than n 2^-52.
class Reversible : public WindowEstimator {
 public:
  Reversible(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop) {
    if (!first_step()) {
      config.fail("type",
                  "the estimator \"reversible\" needs inner sgd with momentum "
                  "(above 0, without nesterov): no other step can be undone");
    }
  }

  static Schema schema() {
    return Schema(
               "Backpropagation through a window of SGD with momentum that "
               "runs training backwards instead of keeping it.")
        .also(WindowLoss::key());
  }

  Footprint footprint() const override {
    // In words of 64 bits per weight: start and present of w and v, buffer.
    const std::int64_t window = run_.truncation().window;
    const double momentum = first_step()->momentum,
                 bits =
                     momentum > 0 && momentum <= 1 ? -std::log2(momentum) : 0,
                 words = 5 + bits * static_cast<double>(window) / 64;
    const auto size = problem().initial_hyper().flatten().element_size();
    return {2 * window, window, 1,
            std::llround(words * 4 / static_cast<double>(size))};
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    const ParameterSet h = hyper.leaves();
    const std::pair<TrainState, Key> window = run_.window_start(h);
    const Training training{loop_, hyper.detach(), window.second, window.first};
    Position position(window.first);
    std::string trouble;
    const std::int64_t length = run_.length();
    for (std::int64_t i = 0; i < length; ++i) {
      trouble = training.step(position);
      if (!trouble.empty()) break;
    }
    const double bits = static_cast<double>(position.lost.bits());
    const TrainState end = training.state(position);
    run_.finish_turn(end);
    const Partials loss = partials_at(end, hyper);
    if (!trouble.empty()) {
      return {hyper.zeros(), loss.loss, Status::kDiverged, {}, trouble};
    }

    Adjoint adjoint(loop_, window.second, hyper, loss);
    while (position.step > window.first.step) training.undo(position, adjoint);
    Estimate out{adjoint.gradient(), loss.loss};
    out.metrics["bits_per_weight_and_step"] =
        bits / static_cast<double>(length * end.weights.numel());
    const Position start(window.first);
    if (!(position.w == start.w && position.v == start.v &&
          position.lost.empty())) {
      out.status = Status::kDiverged;
      out.trouble =
          "training could not be run backwards: gradients of the training "
          "loss, computed again, are not the same bit for bit; an estimator "
          "that keeps states of training needs no such gradients";
      return out;
    }
    if (window.first.weights.tensors()[0].requires_grad()) {
      adjoint.through(window.first.weights, h);
      out.gradient = adjoint.gradient();
    }
    return out;
  }

  /// Where training stands, in whole numbers.
  struct Position {
    explicit Position(const TrainState& start)
        : w(start.weights.tensors()[0]),
          v(start.slots.tensors()[0]),
          loss_sum(start.slots.tensors().back()),
          lost(v),
          step(start.step) {}

    ExactVector w, v;
    Tensor loss_sum;  // if the loop sums losses
    BitBuffer lost;   // what the products with m push out of v
    std::int64_t step;
  };

  /// The step from a position to the next, and back.
  struct Training {
    const TrainingLoop& loop;
    ParameterSet hyper;
    Key run;
    TrainState like;  // gives the names of the sets

    TrainState state(const Position& position) const {
      return {like.weights.with({position.w.values()}), slots(position),
              position.step};
    }

    ParameterSet slots(const Position& position) const {
      std::vector<Tensor> out = {position.v.values()};
      if (loop.sums_losses()) out.push_back(position.loss_sum);
      return like.slots.with(std::move(out));
    }

    /// Returns what is wrong, or "".
    std::string step(Position& position) const {
      const MomentumStep rule = rule_of(position.step);
      if (!(rule.momentum > 0 && rule.momentum <= 1)) {
        return fmt::format(
            "the momentum of training step {} is {}; to be run backwards it "
            "must be above 0 and at most 1, where \"coordinates\": \"logit\" "
            "keep it",
            position.step + 1, rule.momentum);
      }
      const TrainState now{
          like.weights.with({position.w.values()}), {}, position.step};
      const ParameterSet g = loop.train_gradient(now, hyper, run, Tape::kOff);
      position.lost.multiply(position.v, Ratio::near(rule.momentum));
      position.v.add(push(g, now.weights, rule));
      position.w.subtract(rule.lr, position.v);
      ++position.step;
      if (loop.sums_losses()) {
        const at::NoGradGuard no_tape;
        position.loss_sum = loop.loss_sum(
            position.loss_sum,
            {like.weights.with({position.w.values()}), {}, position.step},
            hyper, run);
      }
      if (!position.w.overflowed() && !position.v.overflowed()) return "";
      return fmt::format(
          "a weight or its velocity is not below 2048 after training step {}, "
          "which training that is to be run backwards cannot hold; a smaller "
          "learning rate or momentum keeps them small",
          position.step);
    }

    void undo(Position& position, Adjoint& adjoint) const {
      --position.step;
      const MomentumStep rule = rule_of(position.step);
      position.w.add(rule.lr, position.v);
      const ParameterSet w = like.weights.with({position.w.values()});
      adjoint.through(w, position.step, [&](const ParameterSet& g) {
        position.v.subtract(push(g, w, rule));
        position.lost.divide(position.v, Ratio::near(rule.momentum));
        return slots(position);
      });
    }

    MomentumStep rule_of(std::int64_t step) const {
      const auto natural = loop.problem()->natural(hyper);
      return *loop.optimizer()->momentum_step(natural, step);
    }

    static Tensor push(const ParameterSet& g, const ParameterSet& w,
                       const MomentumStep& rule) {
      return rule.weight_decay == 0 ? g.tensors()[0]
                                    : add(g, rule.weight_decay, w).tensors()[0];
    }
  };

  std::optional<MomentumStep> first_step() const {
    const ParameterSet natural = problem().natural(problem().initial_hyper());
    return loop_.optimizer()->momentum_step(natural, 0);
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "reversible", Reversible)

}  // namespace
}  // namespace nestgrad
