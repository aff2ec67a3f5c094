#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/judge/judge.h"

namespace nestgrad {

/// What one estimate costs, with the training of its window.
struct EstimateCost {
  std::int64_t train_gradients = 0;  ///< evaluations of the training loss
  std::int64_t valid_gradients = 0;  ///< evaluations of the validation loss
  std::int64_t products = 0;         ///< Hessian products
  std::int64_t peak_bytes = 0;       ///< of tensors
};

/// How far the estimates of several keys scatter, relative to the length of the
/// reference.
struct Scatter {
  double standard_error = 0;      ///< of the mean
  double standard_deviation = 0;  ///< of one estimate
};

/// One of the estimators that were compared.
struct ComparisonRow {
  std::string name;         ///< its section in words: "unrolled, last 10"
  Json estimator;           ///< its section, with all defaults
  std::int64_t window = 0;  ///< training steps of an estimate

  // Empty if the method failed before they were known.
  std::optional<EstimateCost> cost;
  std::optional<double> seconds;     ///< median over the estimates that follow
  std::optional<Scatter> scatter;    ///< empty for a single key, too
  std::optional<Distance> distance;  ///< of the estimate or the mean of several

  /// The relative distance between one estimate in the precision of the
  /// configuration and the same in float64; empty if that is float64.
  std::optional<double> rounding;

  std::string status;   ///< of the estimate, or "failed"
  std::string trouble;  ///< a sentence, unless the status is "ok"

  Json to_json() const;
};

/// Estimators that were asked for a hypergradient at the same weights.
struct ComparisonResult {
  Target target = Target::kTraining;  ///< of the reference
  std::string reference;              ///< how it was obtained
  double residual = 0;                ///< of the linear system behind it
  double norm = 0;                    ///< its length
  bool known = false;                 ///< it is good enough to judge by
  std::int64_t training_steps = 0;    ///< before the estimates
  std::int64_t keys = 1;              ///< of every random method
  std::int64_t hyperparameters = 0;   ///< how many numbers are tuned
  std::string precision;              ///< of the configuration
  std::vector<ComparisonRow> rows;

  /// Whether estimators differ in the length of their windows.
  bool over_windows() const;

  /// Whether means of several draws were judged.
  bool over_keys() const { return keys > 1; }

  /// What was compared with what, in a sentence without a full stop.
  std::string title() const;

  Json to_json() const;

  /// A table for people.
  std::string text() const;

  /// Draws error against seconds and against memory as a PNG file; over several
  /// keys, bias and standard deviation against seconds. If windows differ, both
  /// pictures are over their length.
  void draw(const std::string& path) const;
};

}  // namespace nestgrad
