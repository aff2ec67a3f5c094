#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hypergrad/single_run.h"

namespace nestgrad {

/// Base of the evolution strategies, which ask for values of the loss alone:
///
///   g = 1 / (2 M sigma^2) sum_m xi_m (L(h + eps_m) - L(h - eps_m))
///
/// over M antithetic pairs of perturbations eps ~ N(0, sigma^2), in the
/// coordinates in which hyperparameters are tuned. It is an unbiased estimate
/// of the gradient of the smoothed loss E L(h + eps). No derivative is taken,
/// so the loss may be an accuracy and training may explode; the variance grows
/// with the number of hyperparameters.
///
/// Subclasses say where a particle starts a window, and what its score xi is.
/// All particles advance together (core/particles.h) and see the same
/// minibatches and the same noise of training. A pair with a loss that is not
/// finite is left out and counted.
///
/// There may be several groups of particles, each with minibatches of its own,
/// whose gradients are averaged. Groups that are `staggered` stand at different
/// places of their runs, so that every estimate sees all of training: group c
/// of C starts again first after (c + 1) / C of the horizon.
///
/// One more run in each group, without perturbation, gives the objective and
/// that of the first group the weights.
class Evolution : public SingleRun {
 public:
  void begin(const ParameterSet& hyper, const Key& key) override;
  Estimate estimate(const ParameterSet& hyper) override;
  void persist(Archive& archive) override;

  bool differentiates_training() const override { return false; }

  /// With a metric it is no hypergradient of the validation loss.
  Target target() const override;

  /// expectation(), if central differences can tell: counts have none, and what
  /// is trained by counts neither.
  Objective mean_claim() const final;

  bool reseed(const Key& key) override;
  Footprint footprint() const override;

 protected:
  /// Keys of all of them.
  static Schema with_common_keys(Schema schema);

  Evolution(const Config& config, const TrainingLoop& loop);

  struct Group {
    explicit Group(const InnerRun& run)
        : base(run), particles(run), before(run) {}

    InnerRun base;       ///< unperturbed
    InnerRun particles;  ///< h + eps of every pair, then h - eps of every pair

    // Of each pair, in a first axis of every tensor:
    ParameterSet noise;    ///< eps of this window
    ParameterSet score;    ///< xi of this window
    ParameterSet earlier;  ///< xi of the window before; zeros at a reset
    Tensor difference;     ///< L+ - L- of the window before; 0 at a reset

    std::int64_t age = 0;  ///< windows of the present run
    bool open = false;     ///< this window's perturbations are drawn

    InnerRun before;          ///< base as it was before the last estimate
    Draw draw, earlier_draw;  ///< of its loss, and of that before

    void persist(Archive& archive);
  };

  /// Sets what belongs to a window that is about to begin: the particles, their
  /// noise and their score. `draw`: new perturbations, to be taken or not.
  virtual void open(Group& group, const ParameterSet& draw) const = 0;

  /// What estimates are the gradient of on average, but for smoothing.
  virtual Objective expectation() const = 0;

  /// h -> the loss at the end of the last window, on average over groups: of
  /// the window alone, of all of its run, and at the end of the window before
  /// (0 if it was the first).
  Objective of_window() const;
  Objective of_run() const;
  Objective of_run_before() const;

  /// The sum over pairs of what each adds to the gradient, times 2 sigma^2.
  /// `difference`: L+ - L- of each; `whole`: false for those to be left out,
  /// whose differences are 0 then; `slope`: the derivative of the unperturbed
  /// window, if with_slope().
  virtual ParameterSet contribution(const Group& group,
                                    const Tensor& difference,
                                    const Tensor& whole,
                                    const ParameterSet& slope) const;
  virtual bool with_slope() const { return false; }

  std::int64_t particles() const { return 2 * pairs_; }

 private:
  /// What is minimised, in the turn that `draw` belongs to; with draw.particles
  /// of each of them.
  double loss(const ParameterSet& weights, const ParameterSet& hyper,
              const Draw& draw) const;
  Tensor losses(const ParameterSet& weights, const ParameterSet& hyper,
                const Draw& draw) const;
  double metric(const ParameterSet& weights, const ParameterSet& hyper) const;

  /// Trains the unperturbed run; its loss and, if wanted, the slope.
  std::pair<TrainState, Estimate> unperturbed(const Group& group,
                                              const ParameterSet& hyper) const;

  Estimate estimate(Group& group, std::size_t number,
                    const ParameterSet& hyper);

  using GroupLoss = double (Evolution::*)(const Group&,
                                          const ParameterSet&) const;
  Objective mean_of(GroupLoss loss) const;
  double window_loss(const Group& group, const ParameterSet& hyper) const;
  double run_loss(const Group& group, const ParameterSet& hyper) const;
  double run_loss_before(const Group& group, const ParameterSet& hyper) const;

  double sigma_;
  std::int64_t pairs_, limit_;
  std::string metric_;  // "" for the validation loss
  bool normalized_, staggered_;
  std::vector<Group> groups_;
  Key noise_key_;
  std::int64_t windows_ = 0;  // estimates so far
};

}  // namespace nestgrad
