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
/// All particles of all pairs see the same minibatches and the same noise of
/// training. A pair with a loss that is not finite is left out and counted.
///
/// One more run, without perturbation, gives the weights and the objective.
class Evolution : public SingleRun {
 public:
  void begin(const ParameterSet& hyper, const Key& key) override;
  Estimate estimate(const ParameterSet& hyper) override;
  void persist(Archive& archive) override;

  bool differentiates_training() const override { return false; }
  bool reseed(const Key& key) override;
  Footprint footprint() const override;

 protected:
  /// Keys of all of them.
  static Schema with_common_keys(Schema schema);

  Evolution(const Config& config, const TrainingLoop& loop);

  /// Two particles, perturbed in opposite directions.
  struct Pair {
    InnerRun up, down;
    ParameterSet noise;     ///< eps of this window
    ParameterSet score;     ///< xi of this window
    ParameterSet earlier;   ///< xi of the window before; zeros at a reset
    double difference = 0;  ///< L+ - L- of the window before; 0 at a reset

    void persist(Archive& archive);
  };

  /// Sets what belongs to a window that is about to begin: the pair's runs, its
  /// noise and its score. `age`: windows since training started; `draw`: a new
  /// perturbation, to be taken or not.
  virtual void open(Pair& pair, std::int64_t age,
                    const ParameterSet& draw) const = 0;

  /// h -> the loss at the end of the last window: of the window alone, of all
  /// of its run, and at the end of the window before (0 if it was the first).
  Objective of_window() const;
  Objective of_run() const;
  Objective of_run_before() const;

  /// What a pair adds to the gradient, times 2 sigma^2. `slope`: the derivative
  /// of the unperturbed window, if with_slope().
  virtual ParameterSet contribution(const Pair& pair, double difference,
                                    const ParameterSet& slope) const {
    (void)slope;
    return difference * pair.score;
  }
  virtual bool with_slope() const { return false; }

 private:
  /// What is minimised, in the turn that `draw` belongs to.
  double loss(const ParameterSet& weights, const ParameterSet& hyper,
              const Draw& draw) const;

  /// Trains the unperturbed run; its loss and, if wanted, the slope.
  std::pair<TrainState, Estimate> unperturbed(const ParameterSet& hyper) const;

  double sigma_;
  std::int64_t limit_;
  std::string metric_;  // "" for the validation loss
  bool normalized_;
  std::vector<Pair> pairs_;
  InnerRun before_;           // run_ as it was before the last estimate
  Draw draw_, earlier_draw_;  // of its loss, and of that before
  Key noise_key_;
  std::int64_t windows_ = 0;  // begun so far
  std::int64_t age_ = 0;      // windows of the present run
  bool open_ = false;         // this window's perturbations are drawn
};

}  // namespace nestgrad
