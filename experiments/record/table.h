#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/problem.h"
#include "experiments/record/tuned_hyper.h"

namespace nestgrad {

struct Row {
  std::string name;
  Metrics metrics;
  Metrics deviation = {};  ///< shown as "mean ± deviation"
};

/// A number as tables show it: "0.5538", "81.14 %", "0.5538 ± 0.0081".
std::string format_metric(const std::string& metric, double value,
                          std::optional<double> deviation = {});

/// The name in words, "valid recall.old_cat": what follows the first dot is the
/// name of a class or target.
std::string title_of(const std::string& metric);

/// A table for a terminal: one line per row, one column per metric of any row.
/// Losses come before accuracies, train before valid before test. Other scores
/// of the validation and the test examples ("valid_recall.cat") follow in a
/// table of their own, with a line for each score and a column for each row;
/// those of the training examples are left out.
std::string format_table(const std::vector<Row>& rows);

/// "weight_decay  0.0001 -> 0.00317", one line per number.
std::string format_hyperparameters(const ParameterSet& start,
                                   const ParameterSet& found,
                                   const NumberNames& names = {});

}  // namespace nestgrad
