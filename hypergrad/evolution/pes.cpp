#include "core/particles.h"
#include "hypergrad/evolution/evolution.h"

namespace nestgrad {
namespace {

/// Persistent evolution strategies (Vicol, Metz and Sohl-Dickstein 2021,
/// "Unbiased gradient estimation in unrolled computation graphs with persistent
/// evolution strategies"). Every particle keeps a run of its own, and its score
/// is the sum of all perturbations since that run began,
///
///   xi <- xi + eps,   g = 1 / (2 M sigma^2) sum_m xi_m (L_m^+ - L_m^-),
///
/// so that what h did to the state before the window counts: unbiased for the
/// loss of each window by all of training, if h stands still. `redraw` windows
/// share a perturbation; with one for the whole run it is ES-Single (Vicol,
/// Kolter and Swersky 2023; noise-reuse ES, Li et al. 2023, "Noise-reuse in
/// online evolution strategies"), whose variance does not grow with the number
/// of windows.
///
/// `analytic` (PES with an analytic gradient) takes the derivative a through
/// the present window of the unperturbed run from the tape and leaves only the
/// past to the particles: g = a + mean of (L^+ - L^- - 2 eps . a) xi_old / (2
/// sigma^2). `telescoped` is for the loss at the end of a run: the sum of its
/// estimates, xi (L^+ - L^-) - xi_old (L^+_old - L^-_old), over all windows of
/// a run is the estimate for its last loss.
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
    if (analytic_ && telescoped_) {
      config.fail("analytic", "cannot be combined with \"telescoped\"");
    }
    if (analytic_ && config.has("metric")) {
      config.fail("analytic", "needs a loss with derivatives, not a metric");
    }
    if (analytic_ && redraw_ != 1) {
      config.fail("analytic",
                  "needs a perturbation of its own for every "
                  "window (\"redraw\": 1)");
    }
  }

  static Schema schema() {
    return with_redraw(
        "Persistent evolution strategies: particles with runs of their own, "
        "unbiased by truncation; no derivatives.",
        1);
  }

  bool differentiates_training() const override { return analytic_; }

 protected:
  static Schema with_redraw(const char* meaning, std::int64_t redraw) {
    return with_common_keys(Schema(meaning))
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
  /// h -> L(w_n(h), h) for the n steps of the run so far. What is telescoped is
  /// the change of that since the window before.
  Objective expectation() const override {
    const Objective now = of_run();
    if (!telescoped_) return now;
    const Objective before = of_run_before();
    return [now, before](const ParameterSet& hyper) {
      return now(hyper) - before(hyper);
    };
  }

  void open(Group& group, const ParameterSet& draw) const override {
    const bool fresh =
        group.age == 0 || (redraw_ > 0 && group.age % redraw_ == 0);
    if (!fresh) return;
    group.noise = draw;
    group.score = group.score + draw;
  }

  ParameterSet contribution(const Group& group, const Tensor& difference,
                            const Tensor& whole,
                            const ParameterSet& slope) const override {
    if (analytic_) {
      const Tensor unexplained = difference - 2 * dots(group.noise, slope);
      return weighted_sum(unexplained.masked_fill(~whole, 0), group.earlier);
    }
    const ParameterSet now = weighted_sum(difference, group.score);
    if (!telescoped_) return now;
    return now -
           weighted_sum(group.difference.masked_fill(~whole, 0), group.earlier);
  }

  bool with_slope() const override { return analytic_; }

  std::int64_t redraw_;
  bool analytic_, telescoped_;
};

/// The same with one perturbation for all of a run.
class EsSingle : public Pes {
 public:
  using Pes::Pes;

  static Schema schema() {
    return with_redraw(
        "ES-Single: particles with runs of their own, one perturbation for all "
        "of a run; no derivatives.",
        0);
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "pes", Pes)
NESTGRAD_REGISTER(EstimatorRegistry, "es_single", EsSingle)

}  // namespace
}  // namespace nestgrad
