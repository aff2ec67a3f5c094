#include "hypergrad/evolution/evolution.h"

namespace nestgrad {
namespace {

/// The evolution strategy of a window (Salimans et al. 2017, "Evolution
/// strategies as a scalable alternative to reinforcement learning"). In every
/// window all particles start where the run without perturbation stands, with
/// fresh perturbations:
///
///   xi = eps,   g = 1 / (2 M sigma^2) sum_m xi_m (L_m^+ - L_m^-)
///
/// In cold start these are whole training runs. In warm start or truncation the
/// estimate does not see what h did to the state before the window (truncation
/// bias; see pes).
class Es : public Evolution {
 public:
  Es(const Config& config, const TrainingLoop& loop)
      : Evolution(config, loop) {}

  static Schema schema() {
    return with_common_keys(
        Schema("Evolution strategy: windows trained at perturbed "
               "hyperparameters; no derivatives.")
            .also(WindowLoss::key()));
  }

 private:
  void begin_window(ParticleGroup& group,
                    const ParameterSet& fresh) const override {
    group.particles = group.base.branched(group.own_particles());
    group.noise = group.score = fresh;
  }

  /// h -> L(w_T(h), h) of the last window.
  Objective expectation() const override { return of_window(); }
};

NESTGRAD_REGISTER(EstimatorRegistry, "es", Es)

}  // namespace
}  // namespace nestgrad
