#include <ATen/ATen.h>

#include <cmath>

#include "core/tensor/autodiff.h"
#include "hypergrad/adjoint.h"
#include "hypergrad/unrolled/window_estimator.h"

namespace nestgrad {
namespace {

/// Unbiased online recurrent optimization (Tallec and Ollivier 2018): forward
/// mode over all of training, with a random product u v' of two vectors in the
/// place of the matrix of tangents. With random signs nu, new in every step,
///
///   u <- rho_0 (ds'/ds) u + rho_1 nu,   v <- v / rho_0 + nu' (ds'/dh) / rho_1,
///   g  = dL/dh + (dL/ds . u) v,
///
/// and E[u v'] = ds/dh. rho_0 and rho_1 make both terms equally long. It takes
/// the memory of one step and the time of three, whatever the number of
/// hyperparameters; the variance is large.
class Uoro : public WindowEstimator {
 public:
  Uoro(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop) {}

  static Schema schema() {
    return Schema(
               "Unbiased online recurrent optimization: forward mode over all "
               "of training by one random product of vectors.")
        .also(WindowLoss::key());
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    WindowEstimator::begin(hyper, key);
    noise_key_ = key.fold("signs");
    steps_ = 0;
  }

  bool reseed(const Key& key) override {
    noise_key_ = key;
    return true;
  }

  void persist(Archive& archive) override {
    WindowEstimator::persist(archive);
    archive("noise_key", noise_key_);
    archive("steps", steps_);
    archive("of_state", of_state_);
    archive("of_hyper", of_hyper_);
  }

  /// None, since a single estimate is random.
  Objective claim() const override { return {}; }

  /// h -> L(w_n(h), h) for the n steps of the run so far.
  Objective mean_claim() const override {
    return [this](const ParameterSet& hyper) {
      const auto [start, key] = before_.window_start(hyper.detach());
      return value(trained(start.step + before_.length(), hyper, key), hyper);
    };
  }

  Footprint footprint() const override {
    const std::int64_t window = run_.truncation().window;
    return {window, window, 1, 3};
  }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    auto [state, key] = run_.window_start(hyper.leaves());
    for (const Tensor& t : state.weights.tensors()) {
      if (!t.requires_grad()) continue;
      throw Unsupported("uoro cannot tune what the first weights depend on");
    }
    ParameterSet u = of_state_, v = of_hyper_;
    if (state.step == 0) {
      u = state.joined().zeros();
      v = hyper.zeros();
    }
    std::int64_t count = steps_;
    for (std::int64_t t = run_.length(); t > 0; --t) {
      const TapedSteps step(loop_, state, 1, hyper, key);
      const ParameterSet end = step.end.joined();
      const ParameterSet nu =
          noise_key_.fold(static_cast<std::uint64_t>(count++)).signs(u);
      const ParameterSet pushed = Pushforward(end, step.start.joined())(u);
      const ParameterSet pulled = vjp(end, step.hyper, nu);
      const double rho_0 = balance(v, pushed), rho_1 = balance(pulled, nu);
      u = add(rho_0 * pushed, rho_1, nu);
      v = add((1 / rho_0) * v, 1 / rho_1, pulled);
      state = step.end.detach();
    }
    if (run_.finish_turn(state)) {
      of_state_ = u;
      of_hyper_ = v;
      steps_ = count;
    }
    const Partials loss = partials_at(state, hyper);
    const double along = dot(loss.weights, u).item<double>();
    return {add(loss.hyper, along, v), loss.loss};
  }

  /// sqrt(|a| / |b|), never 0 or infinite.
  static double balance(const ParameterSet& a, const ParameterSet& b) {
    constexpr double kSmall = 1e-7;
    return std::sqrt((length(a) + kSmall) / (length(b) + kSmall));
  }

  Key noise_key_;
  std::int64_t steps_ = 0;            // signs drawn so far
  ParameterSet of_state_, of_hyper_;  // u and v where run_ stands
};

NESTGRAD_REGISTER(EstimatorRegistry, "uoro", Uoro)

}  // namespace
}  // namespace nestgrad
