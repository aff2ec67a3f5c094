#include <cmath>

#include "core/tensor/autodiff.h"
#include "hypergrad/implicit/implicit_system.h"
#include "hypergrad/single_run.h"

namespace nestgrad {
namespace {

/// One loop for training, the inverse Hessian and the hyperparameters (Dagreou,
/// Ablin, Vaiter and Moreau 2022, "A framework for bilevel optimization that
/// enables stochastic and global variance reduction algorithms"). A vector v
/// follows H^-1 dL/dw, H = d2f/dw2, by one step per window:
///
///   D_v = H v - dL/dw                   v <- v - scale D_v
///   D_h = dL/dh - (d2f / dh dw) v       the hypergradient
///
/// both at the same (w, v, h) and on the same minibatch, so that D_h is linear
/// in what is random. With windows of one step this is the published loop with
/// one difference: here the weights move first, under the h that D_h is for; in
/// the paper all three move at once.
///
/// v starts at zero, and so does the indirect part of the hypergradient; with
/// constant w and h it becomes that of implicit differentiation. v moves when
/// the weights do: several outer steps in one window share it.
class Soba : public SingleRun {
 public:
  Soba(const Config& config, const TrainingLoop& loop)
      : SingleRun(config, loop),
        scale_(config.is_text("scale") ? 0 : config.number("scale")) {}

  static Schema schema() {
    return Schema(
               "A single loop: one step of an iteration for the inverse "
               "Hessian per window (SOBA). Windows of 1 step are meant.")
        .number("scale", "auto",
                "Step of the iteration, below 2 / (largest eigenvalue of the "
                "Hessian); auto: 1 / (its estimate by power iteration, one "
                "more product per estimate).",
                above(0), {"auto"});
  }

  void begin(const ParameterSet& hyper, const Key& key) override {
    SingleRun::begin(hyper, key);
    v_ = next_ = power_ = run_.state().weights.zeros();
  }

  Estimate estimate(const ParameterSet& hyper) override {
    if (run_.advance(hyper)) v_ = next_;
    const Partials direct = direct_partials(hyper);
    const ImplicitSystem system = ImplicitSystem::stationarity(run_, hyper);
    const LinearMap hessian = system.transposed();
    const ParameterSet product = hessian(v_);
    const ParameterSet direction = product - direct.weights;
    const double scale = scale_ > 0 ? scale_
                                    : automatic_scale(hessian, direct.weights,
                                                      ratio(product, v_));
    next_ = add(v_, -scale, direction);

    const double residual = ratio(direction, direct.weights);
    Estimate out{direct.hyper - system.hyper_transposed(v_), direct.loss};
    out.metrics = {{"residual", residual},
                   {"scale", scale},
                   {"products", scale_ > 0 ? 1 : 2}};
    out.used = {{"scale", scale}};
    if (!all_finite(next_)) {
      out.status = Status::kDiverged;
      out.trouble =
          "the vector v of soba is not finite; a smaller \"scale\" helps";
    } else if (residual > 1) {
      out.status = Status::kNotConverged;
      out.trouble = fmt::format(
          "the residual of v is {:.3g} times that of zeros: the scale {:.3g} "
          "is above 2 / (largest eigenvalue), curvature is negative, or "
          "weights and hyperparameters move too fast for v to follow; a "
          "smaller \"scale\" or smaller learning rates help",
          residual, scale);
    }
    return out;
  }

  void persist(Archive& archive) override {
    SingleRun::persist(archive);
    archive("v", v_);
    archive("next", next_);
    archive("power", power_);
  }

  /// h -> L(w, h) - v'df/dw(w, h), with w and v constant.
  Objective claim() const override {
    return [this](const ParameterSet& hyper) {
      const ParameterSet& w = run_.state().weights;
      return valid_loss(w, hyper) -
             dot(v_, train_gradient(w, hyper)).item<double>();
    };
  }

  Target target() const override { return Target::kStationarity; }

 private:
  static double ratio(const ParameterSet& a, const ParameterSet& b) {
    return length(a) / length(b);
  }

  /// 1 / (largest eigenvalue), estimated by one step of power iteration per
  /// call. `growth` is |H v| / |v|, or NaN: a larger eigenvalue that the power
  /// iteration has not met yet shows there.
  double automatic_scale(const LinearMap& hessian, const ParameterSet& start,
                         double growth) {
    if (length(power_) == 0) power_ = start;
    const double size = length(power_);
    if (size == 0) return 1;
    power_ = hessian(1 / size * power_);
    const double largest = std::fmax(length(power_), growth);
    return largest > 0 ? 1 / largest : 1;
  }

  double scale_;        // 0 for "auto"
  ParameterSet v_;      // of this window
  ParameterSet next_;   // of the next
  ParameterSet power_;  // the iterate of power iteration
};

NESTGRAD_REGISTER(EstimatorRegistry, "soba", Soba)

}  // namespace
}  // namespace nestgrad
