#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/distributed/world.h"
#include "hypergrad/estimator.h"

namespace nestgrad {

/// Several estimators of one method, each with inner training from starts of
/// its own (initial weights, minibatches and noise). The estimate is their
/// mean,
///
///   g = 1/S sum_s g_s,   L = 1/S sum_s L_s,   s = 0 ... S - 1
///
/// and ranks divide them: each trains S / R of the S shares, and once per
/// estimate hypergradients travel, and what is said of them. Share 0 is what the
/// method is alone; its weights are those that are handed out.
///
/// A metric is the mean of those of the shares; products and lost particles are
/// added up, of residuals and curvatures the extremes are taken. Settings that
/// the method had to find itself are those of share 0. The commands that judge a
/// method ask it alone.
class Averaged : public HypergradientEstimator {
 public:
  using Make = std::function<std::unique_ptr<HypergradientEstimator>()>;

  /// `shares`: S, a power of two that the number of ranks divides; every such
  /// number of ranks gets the same bits. 0: one share for each rank, and sums
  /// in the order of c10d.
  Averaged(std::shared_ptr<World> world, std::int64_t shares, const Make& make);

  void begin(const ParameterSet& hyper, const Key& key) override;

  /// Collective. If a share has failed, its trouble names it.
  Estimate estimate(const ParameterSet& hyper) override;

  // Those of the first share of this rank.
  ParameterSet weights(const ParameterSet& hyper) const override;
  TrainingPosition position() const override { return first().position(); }

  /// Collective while saving. Saves all shares.
  void persist(Archive& archive) override;

  /// Of all shares of this rank, which train one after another.
  Footprint footprint() const override;

  // What the method says.
  std::int64_t warm_up() const override { return first().warm_up(); }
  std::string metric() const override { return first().metric(); }
  Target target() const override { return first().target(); }
  bool differentiates_training() const override {
    return first().differentiates_training();
  }
  bool differentiates_twice() const override {
    return first().differentiates_twice();
  }
  bool takes_differences() const override {
    return first().takes_differences();
  }
  Json setting_without_second_derivatives() const override {
    return first().setting_without_second_derivatives();
  }
  Json rehearsal(const Json& section, std::int64_t window,
                 std::int64_t outer_steps_per_window) const override {
    return first().rehearsal(section, window, outer_steps_per_window);
  }

 private:
  const HypergradientEstimator& first() const { return *own_.front(); }
  void persist_own(Archive& archive);

  std::shared_ptr<World> world_;
  std::int64_t shares_;
  Division part_;  // the shares of this rank
  std::vector<std::unique_ptr<HypergradientEstimator>> own_;
};

}  // namespace nestgrad
