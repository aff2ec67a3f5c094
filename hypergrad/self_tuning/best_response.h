#pragma once

#include <optional>

#include "hypergrad/hyper_limit.h"
#include "hypergrad/self_tuning/response_problem.h"
#include "hypergrad/single_run.h"

namespace nestgrad {

/// Base of the methods that learn how the inner optimum answers the
/// hyperparameters, while training once:
///
///   g = d/dh  mean_e L(w(h + s e), h + s e)  -  tau sum_i log s_i
///
/// for the validation loss L, weights w(h) that a ResponseProblem trains, noise
/// e ~ N(0, 1) and its deviation s, which descends the same function by its own
/// training rule. No training loss is differentiated by a hyperparameter, so
/// dropout rates and numbers of holes can be tuned.
class BestResponse : public SingleRun {
 public:
  static Schema common_keys();

  void begin(const ParameterSet& hyper, const Key& key) override;
  Estimate estimate(const ParameterSet& hyper) override;
  ParameterSet weights(const ParameterSet& hyper) const override;
  void persist(Archive& archive) override;
  Objective claim() const override;
  Target target() const override { return Target::kStationarity; }
  bool reseed(const Key& key) override;
  bool differentiates_training() const override { return false; }
  std::int64_t warm_up() const override { return warm_up_; }
  Footprint footprint() const override {
    return {run_.truncation().window, 0, 0, 0};
  }

 protected:
  BestResponse(const Config& config, const TrainingLoop& loop,
               std::shared_ptr<ResponseProblem> problem);

  /// The response that the section names.
  static std::shared_ptr<const Response> response(const Config& config);

 private:
  /// s = log(1 + exp(rho)).
  Tensor deviation() const;

  /// `hyper` and the deviation.
  ParameterSet extended(const ParameterSet& hyper,
                        const Tensor& deviation) const;

  std::shared_ptr<ResponseProblem> response_;
  std::shared_ptr<const Optimizer> rule_;  // of rho
  double initial_, entropy_;
  bool learned_;
  std::int64_t warm_up_;
  HyperLimit limit_;

  bool warm_ = false;
  TrainState rho_;
  std::optional<ParameterSet> last_;  // extended, of the last estimate
};

}  // namespace nestgrad
