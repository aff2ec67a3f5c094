#include "core/particles.h"
#include "hypergrad/evolution/evolution.h"

namespace nestgrad {
namespace {

/// Persistent evolution strategies (Vicol, Metz and Sohl-Dickstein 2021,
/// "Unbiased gradient estimation in unrolled computation graphs with persistent
/// evolution strategies"). Every particle keeps its own run, and its score is
/// the sum of all perturbations since that run began,
///
///   xi <- xi + eps,   g = 1 / (2 M sigma^2) sum_m xi_m (L_m^+ - L_m^-),
///
/// so that what h did to the state before the window counts. If h is constant,
/// the estimate is unbiased for the derivative of each window's loss through
/// all of training. `redraw` windows share a perturbation; if a whole run
/// shares one, this is ES-Single (Vicol, Kolter and Swersky 2023; noise-reuse
/// ES, Li et al. 2023, "Noise-reuse in online evolution strategies"), whose
/// variance does not grow with the number of windows.
///
/// `analytic` (PES with an analytic gradient) takes the derivative a through
/// the present window of the run without perturbation from the tape and leaves
/// only the past, xi_old = xi - eps, to the particles:
///
///   g = a + 1 / (2 M sigma^2) sum_m xi_old (L_m^+ - L_m^- - 2 eps_m . a)
///
/// `telescoped` is for the loss at the end of a run. Each window estimates the
/// derivative of the change of the loss since the window before,
///
///   g = 1 / (2 M sigma^2) sum_m [xi (L^+ - L^-) - xi_old (L_old^+ - L_old^-)],
///
/// and the sum over all windows of a run is the estimate for its last loss.
///
/// In warm start a run never ends and the variance of PES grows without bound:
/// give a horizon.
class Pes : public Evolution {
 public:
  Pes(const Config& config, const TrainingLoop& loop)
      : Evolution(config, loop),
        redraw_(config.integer("redraw")),
        analytic_(config.boolean("analytic")),
        telescoped_(config.boolean("telescoped")) {
    if (telescoped_ && !WindowLoss(config).at_end()) {
      config.fail("telescoped",
                  "is for the loss at the end of a run; \"objective\" asks for "
                  "those of all steps");
    }
    if (analytic_ && telescoped_) {
      config.fail("analytic", "cannot be combined with \"telescoped\"");
    }
    if (analytic_ && config.has("metric")) {
      config.fail("analytic", "needs a loss with derivatives, not a metric");
    }
    if (analytic_ && redraw_ != 1) {
      config.fail("analytic",
                  "needs a new perturbation for every window"
                  " (\"redraw\": 1)");
    }
  }

  static Schema schema() {
    return with_redraw(
        "Persistent evolution strategies: each particle keeps its own run, so "
        "truncation causes no bias; no derivatives.",
        1);
  }

  bool differentiates_training() const override { return analytic_; }

 protected:
  static Schema with_redraw(const char* meaning, std::int64_t redraw) {
    return with_common_keys(Schema(meaning).also(WindowLoss::key()))
        .integer("redraw", redraw,
                 "Windows that share a perturbation: 1 is PES, 0 (all of a "
                 "run) is ES-Single.",
                 at_least(0))
        .boolean("analytic", false,
                 "Whether the derivative through the present window is taken "
                 "from the tape.")
        .boolean("telescoped", false,
                 "Whether the objective is the loss at the end of a run, to "
                 "which every window contributes the change of its loss.");
  }

 private:
  void begin_window(ParticleGroup& group,
                    const ParameterSet& fresh) const override {
    const bool redraw =
        group.age == 0 || (redraw_ > 0 && group.age % redraw_ == 0);
    if (!redraw) return;
    group.noise = fresh;
    group.score = group.score + fresh;
  }

  ParameterSet formula(const ParticleGroup& group, const PairLosses& losses,
                       const ParameterSet& slope) const override {
    if (analytic_) {
      const Tensor unexplained =
          losses.difference() - 2 * dots(group.noise, slope);
      return slope + factor(losses) * weighted_sum(losses.masked(unexplained),
                                                   group.earlier_score);
    }
    if (!telescoped_) return Evolution::formula(group, losses, slope);
    const Tensor before = losses.masked(group.difference);
    return factor(losses) * (weighted_sum(losses.difference(), group.score) -
                             weighted_sum(before, group.earlier_score));
  }

  /// h -> L(w_n(h), h) for the n steps of the run so far; if telescoped, its
  /// change since the window before.
  Objective expectation() const override {
    const Objective now = of_run();
    if (!telescoped_) return now;
    const Objective before = of_run_before();
    return [now, before](const ParameterSet& hyper) {
      return now(hyper) - before(hyper);
    };
  }

  bool with_slope() const override { return analytic_; }

  std::int64_t redraw_;
  bool analytic_, telescoped_;
};

/// Pes with one perturbation for all of a run.
class EsSingle : public Pes {
 public:
  using Pes::Pes;

  static Schema schema() {
    return with_redraw(
        "ES-Single: each particle keeps its own run, with one perturbation for "
        "all of it; no derivatives.",
        0);
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "pes", Pes)
NESTGRAD_REGISTER(EstimatorRegistry, "es_single", EsSingle)

}  // namespace
}  // namespace nestgrad
