#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "core/config/json_file.h"
#include "core/observer.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// What the estimates of a run were and what they cost.
struct EstimateReport {
  /// Of the inner linear system, relative to its right-hand side.
  struct Residual {
    double last = 0, largest = 0;
  };

  /// v'A v / v'v over all products A v.
  struct Curvature {
    double smallest = 0, largest = 0;
    double condition_at_least = 0;  ///< of one estimate; 0 if not known

    std::string sign() const;  ///< "positive", "indefinite", "negative"
  };

  Json given;  ///< the estimator's section, defaults included
  Json used;   ///< the same with the settings that the method found itself
  Json found;  ///< these settings alone, as a part of the section
  std::int64_t estimates = 0;
  std::int64_t not_converged = 0;  ///< estimates with another status than ok
  std::string last_trouble;        ///< of these; "" if there are none
  bool failed = false;             ///< the last of these was not followed
  Metrics last_metrics;            ///< of the last estimate
  double products = 0;             ///< Hessian products of all estimates
  std::optional<Residual> residual;
  std::optional<Curvature> curvature;
  double seconds = 0;      ///< of all estimates, with their training
  std::int64_t bytes = 0;  ///< of tensors, at the peak of an estimate

  /// What the troubles mean for the result and how to find out more, in one or
  /// two sentences; "" if there were none.
  std::string meaning() const;

  /// For summary.json. Keys that say nothing about this method are left out.
  Json to_json() const;

  /// Some lines for people; "" without estimates.
  std::string text() const;
};

/// Watches a run and adds up its estimates.
class EstimateSummary : public Observer {
 public:
  /// `estimator`: the section of the configuration.
  explicit EstimateSummary(Json estimator) : given_(std::move(estimator)) {}

  Verdict on_step(const OuterStep& step) override;
  void on_failure(const OuterStep& step) override {
    on_step(step);
    failed_ = true;
  }

  void persist(Archive& archive);

  /// Hessian products of the whole run.
  double products() const { return products_; }

  EstimateReport report() const;

 private:
  Json given_;
  Json found_ = Json::object();  // the last value of each setting
  std::int64_t estimates_ = 0, not_converged_ = 0;
  std::string trouble_;  // the last
  bool failed_ = false;  // the last estimate could not be followed
  double products_ = 0;
  Metrics last_metrics_;
  double last_residual_ = 0, largest_residual_ = -INFINITY;
  double smallest_ = INFINITY, largest_ = -INFINITY;  // v'A v / v'v
  double condition_ = 0;  // the largest of one estimate; 0: unknown
  double seconds_ = 0;
  std::int64_t bytes_ = 0;  // at the peak
};

}  // namespace nestgrad
