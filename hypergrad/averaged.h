#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/distributed/world.h"
#include "hypergrad/several.h"

namespace nestgrad {

/// Several estimators of one method, each with inner training from starts of
/// its own (initial weights, minibatches and noise). The estimate is their
/// mean,
///
///   g = 1/S sum_s g_s,   L = 1/S sum_s L_s,   s = 0 ... S - 1
///
/// and ranks divide them: each trains S / R of the S shares, and once per
/// estimate hypergradients travel, and what is said of them. Share 0 is what
/// the method is alone; its weights are those that are handed out.
///
/// A metric is the mean of those of the shares; products and lost particles are
/// added up, of residuals and curvatures the extremes are taken. Settings that
/// the method had to find itself are those of share 0.
class Averaged : public SeveralEstimators {
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

 private:
  void persist_own(Archive& archive);

  std::shared_ptr<World> world_;
  std::int64_t shares_;
  Division part_;  // the shares of this rank, which are members_
};

}  // namespace nestgrad
