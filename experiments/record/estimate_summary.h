#pragma once

#include <string>

#include "core/config/json_file.h"
#include "core/observer.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// Adds up what the estimates of a run were and what they cost: how often the
/// method was in trouble, Hessian products, residuals, what has been seen of
/// the curvature, seconds and bytes.
class EstimateSummary : public Observer {
 public:
  /// `estimator`: the section of the configuration.
  explicit EstimateSummary(Json estimator) : given_(std::move(estimator)) {}

  Verdict on_step(const OuterStep& step) override;
  void on_failure(const OuterStep& step) override { on_step(step); }

  void persist(Archive& archive);

  /// Hessian products of the whole run.
  double products() const { return products_; }

  /// For summary.json. Keys that say nothing about this method are left out.
  Json json() const;

  /// The same for people, some lines.
  std::string text() const;

 private:
  /// An inverse Hessian has looked along some directions.
  bool residual_is_known() const { return largest_residual_ >= 0; }
  bool curvature_is_known() const { return smallest_ <= largest_; }
  std::string curvature() const;

  Json given_;
  std::int64_t estimates_ = 0, not_converged_ = 0;
  std::string trouble_;  // the last
  double products_ = 0;
  Metrics last_metrics_;
  double last_residual_ = 0, largest_residual_ = -INFINITY;
  double smallest_ = INFINITY, largest_ = -INFINITY;  // v'A v / v'v
  double condition_ = 0;  // the largest of one estimate; 0: unknown
  double seconds_ = 0;
  std::int64_t bytes_ = 0;  // at the peak
};

}  // namespace nestgrad
