#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/record/console.h"

namespace nestgrad {

struct AttributeOptions {
  std::vector<std::string> targets = {"valid"};  ///< see read_targets()

  /// The estimator whose approximation is made; "": that of the configuration.
  std::string method = {};

  std::int64_t steps = 0;   ///< of training; 0: as many as a final run has
  std::int64_t verify = 0;  ///< networks that are trained without some examples
  double share = 0.1;       ///< of the examples that each of them goes without
  bool only_plan = false;   ///< tells what it would cost, and does nothing
  std::string folder = {};  ///< "": runs/NAME-attribute-N
  Talk talk = {};
};

/// Tells what every training example did to the loss of other examples: the
/// derivatives of the targets f_j by the weight p_i of each training example,
/// at p = 1, through training under the initial hyperparameters of a
/// configuration. To first order, training without the examples S changes f_j
/// by
///
///   - sum of df_j / dp_i over i in S.
///
/// Examples with a positive derivative are harmful: f_j is a loss, and rises
/// with their weight. Returns the exit code.
///
/// Files in the folder:
///
///   attribute.json       the options and the configuration
///   attribution.npz      `influence`, float64 [targets, training examples],
///                        the derivatives; `loss` [targets]; `row` [training
///                        examples], where they stand in the source; `label`
///   attribution.csv      the same as a table, one line per example
///   attribution.png      images: the most helpful and most harmful examples
///   verification.jsonl   one line per network trained without some examples
///   results.json         what is shown at the end
int attribute(const JsonFile& config, const AttributeOptions& options);

/// Whether the folder belongs to an attribution.
bool is_attribution(const std::string& folder);

/// Continues one.
int resume_attribution(const std::string& folder, const Talk& talk);

}  // namespace nestgrad
