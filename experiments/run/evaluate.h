#pragma once

#include <functional>
#include <string>

#include "experiments/run/final_runs.h"

namespace nestgrad {

/// What is judged, and how.
struct EvaluateOptions {
  std::string file;    ///< examples, as the coreset "file" reads them; or ""
  std::string labels;  ///< the file of their labels, if it is another; else ""
  bool standardized = false;  ///< inputs are not in the units of the source

  /// Without a file, the coreset that the examples are, and how many it has; 0:
  /// as many as there are real ones.
  Json coreset = "all";
  std::int64_t examples = 0;

  Json protocol = "dc";
  Json data = {{"type", "fashion_mnist"}, {"standardize", true}};
  std::int64_t seed = 1;
  std::int64_t threads = 0;

  /// Told what comes next, in words; may be empty.
  std::function<void(const std::string&)> progress = {};
};

/// What networks that were trained on these examples know.
struct EvaluationResult {
  std::int64_t examples = 0;
  std::int64_t steps = 0;  ///< of training, for each network
  Json protocol;           ///< with all its keys
  FinalRun run;
  double seconds = 0;

  Json to_json() const;
  std::string text() const;
};

/// Trains networks from scratch on a small training set by a protocol, and
/// judges them on real examples. Throws Error and ConfigError.
EvaluationResult evaluate_examples(const EvaluateOptions& options);

}  // namespace nestgrad
