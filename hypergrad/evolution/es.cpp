#include "hypergrad/evolution/evolution.h"

namespace nestgrad {
namespace {

/// The evolution strategy of a window (Salimans et al. 2017, "Evolution
/// strategies as a scalable alternative to reinforcement learning"): in every
/// window all particles start where the unperturbed run stands, with fresh
/// perturbations, xi = eps. In cold start these are full unrolls. In warm start
/// or truncation what h did to the state before the window is not seen
/// (truncation bias; see pes).
class Es : public Evolution {
 public:
  Es(const Config& config, const TrainingLoop& loop)
      : Evolution(config, loop) {}

  static Schema schema() {
    return with_common_keys(Schema(
        "Evolution strategy: windows trained at perturbed hyperparameters; "
        "no derivatives."));
  }

 private:
  /// h -> L(w_T(h), h) of the last window.
  Objective expectation() const override { return of_window(); }

  void open(Group& group, const ParameterSet& draw) const override {
    group.particles = group.base.branched(particles());
    group.noise = group.score = draw;
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "es", Es)

}  // namespace
}  // namespace nestgrad
