#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/problem.h"
#include "experiments/attribute/target.h"
#include "experiments/attribute/verification.h"

namespace nestgrad {

/// What training examples did to some losses.
struct AttributionResults {
  std::string method;      ///< the estimator
  std::int64_t steps = 0;  ///< of training
  std::vector<AttributionTarget> targets;
  std::vector<double> losses;  ///< of the targets
  Tensor influence;            ///< float64 [targets, training examples]
  KnownExamples examples;      ///< those of training

  // If networks were trained without some examples:
  std::int64_t networks = 0;
  double share = 0;  ///< of the examples that each went without
  std::optional<Estimated> score = {};

  /// The examples with the largest influence, or the smallest, on a target.
  std::vector<std::int64_t> most_harmful(std::size_t target) const;
  std::vector<std::int64_t> most_helpful(std::size_t target) const;

  /// If some labels were made wrong on purpose: how well influence on a target
  /// tells them from the others, as the area under the curve.
  std::optional<double> wrong_labels_found(std::size_t target) const;

  /// The first sixty targets, as the page of the attribution shows them.
  Json to_json() const;
  std::string csv() const;

  /// The first targets, for people.
  std::string text() const;

  /// Writes attribution.npz, attribution.csv, results.json and, of images,
  /// attribution.png. `problem` shows the examples of targets.
  void write(const std::string& folder, const BilevelProblem& problem) const;

 private:
  std::vector<std::int64_t> first_of(std::size_t target, bool harmful) const;

  /// The class of a training example by its name, or its number.
  std::string label(std::int64_t example) const;

  Json listed(std::size_t target, const std::vector<std::int64_t>& which) const;
  void draw(const std::string& path, const BilevelProblem& problem) const;
};

}  // namespace nestgrad
