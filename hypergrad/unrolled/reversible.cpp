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
/// Exact for the window it trains, which differs from that in floating point by
/// rounding: m to the next n / d with d up to 2^16 (exact for 0.9 and the
/// like), m v by less than n 2^-52.
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
        "Backpropagation through a window of SGD with momentum that runs "
        "training backwards instead of keeping it.");
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
    Position at(window.first);
    std::string trouble;
    const std::int64_t length = run_.length();
    for (std::int64_t i = 0; i < length; ++i) {
      trouble = training.step(at);
      if (!trouble.empty()) break;
    }
    const double bits = static_cast<double>(at.lost.bits());
    const TrainState end = training.state(at);
    run_.finish_turn(end);
    const ParameterSet w = end.weights.leaves();
    const Partials loss =
        partials(problem().valid_loss(w, h, run_.draw("valid")), w, h);
    if (!trouble.empty()) {
      return {hyper.zeros(), loss.loss, Status::kDiverged, {}, trouble};
    }

    Adjoint adjoint(loop_, window.second, hyper, end, loss);
    while (at.step > window.first.step) training.undo(at, adjoint);
    Estimate out{adjoint.gradient(), loss.loss};
    out.metrics["bits_per_weight_and_step"] =
        bits / static_cast<double>(length * w.numel());
    const Position start(window.first);
    if (!(at.w == start.w && at.v == start.v && at.lost.empty())) {
      out.status = Status::kDiverged;
      out.trouble =
          "training could not be run backwards: gradients of the training "
          "loss, computed again, are not the same bit for bit";
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
          lost(v),
          step(start.step) {}

    ExactVector w, v;
    BitBuffer lost;  // what the products with m push out of v
    std::int64_t step;
  };

  /// The step from a position to the next, and back.
  struct Training {
    const TrainingLoop& loop;
    ParameterSet hyper;
    Key run;
    TrainState like;  // the set names

    TrainState state(const Position& at) const {
      return {like.weights.with({at.w.values()}),
              like.slots.with({at.v.values()}), at.step};
    }

    /// Returns what is wrong, or "".
    std::string step(Position& at) const {
      const MomentumStep rule = rule_of(at.step);
      if (!(rule.momentum > 0 && rule.momentum <= 1)) {
        return fmt::format(
            "the momentum of training step {} is {}; to be run "
            "backwards it must be above 0 and at most 1",
            at.step + 1, rule.momentum);
      }
      const TrainState now{like.weights.with({at.w.values()}), {}, at.step};
      const ParameterSet g = loop.train_gradient(now, hyper, run, Tape::kOff);
      at.lost.multiply(at.v, Ratio::near(rule.momentum));
      at.v.add(push(g, now.weights, rule));
      at.w.subtract(rule.lr, at.v);
      ++at.step;
      if (!at.w.overflowed() && !at.v.overflowed()) return "";
      return fmt::format(
          "a weight or its velocity is not below 2048 after "
          "training step {}, which training that is to be run "
          "backwards cannot hold",
          at.step);
    }

    void undo(Position& at, Adjoint& adjoint) const {
      --at.step;
      const MomentumStep rule = rule_of(at.step);
      at.w.add(rule.lr, at.v);
      const ParameterSet w = like.weights.with({at.w.values()});
      adjoint.through(w, at.step, [&](const ParameterSet& g) {
        at.v.subtract(push(g, w, rule));
        at.lost.divide(at.v, Ratio::near(rule.momentum));
        return like.slots.with({at.v.values()});
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
