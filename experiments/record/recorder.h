#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/observer.h"
#include "experiments/plot/chart.h"
#include "experiments/record/json_lines.h"
#include "experiments/setup/counted.h"

namespace nestgrad {

/// Hyperparameters as a record shows them, in their own units: a number by
/// name, a few numbers as "name.0", "name.1", ..., and many as "name.mean",
/// "name.min" and "name.max".
std::vector<std::pair<std::string, double>> summary_of(
    const ParameterSet& natural);

/// What stands before the metrics of an evaluation in a line.
inline constexpr const char* kEvaluated = "evaluated.";

/// Whether summary_of() shows this one by its mean, least and largest number.
bool is_summarized(const Tensor& natural);

/// Writes one line per outer step and remembers the trajectories:
///
///   metrics.jsonl     the estimate and the hyperparameters; at some steps also
///                     what the problem says about the weights
///                     ("evaluated.NAME")
///   histograms.jsonl  at those steps, how the numbers of a hyperparameter are
///                     distributed that summary_of() does not show one by one
class Recorder : public Observer {
 public:
  /// Evaluates at every `every`th step and at the last. `natural`: the
  /// hyperparameters, for their names. Throws Error if a file in `folder`
  /// cannot be written.
  Recorder(const std::string& folder, std::int64_t every,
           const Counted& problem, const ParameterSet& natural);

  Verdict on_step(const OuterStep& step) override;

  /// The line of an estimate that could not be followed.
  void on_failure(const OuterStep& step) override;

  /// Loss and hyperparameters over outer steps, for draw_chart(). Positive
  /// hyperparameters that change by a factor of ten get a logarithmic axis.
  std::vector<Panel> panels() const;

  /// What the last evaluation said, and the step it came after (0: none).
  const Metrics& last_evaluation() const { return last_evaluation_; }
  std::int64_t last_evaluation_step() const { return last_evaluation_step_; }

  void flush();

  /// The lines themselves are the memory; restored, what came later is cut off.
  void persist(Archive& archive);

 private:
  /// What the line says about the estimate. A hyperparameter that is called
  /// like something else there is "hyper.NAME".
  Json line_of(const OuterStep& step) const;

  /// Takes the trajectories and the evaluation from a line.
  void remember(const Json& line);
  void remember(const std::string& panel, const std::string& curve, double x,
                double y);

  JsonLines lines_;
  std::unique_ptr<JsonLines> histograms_;  // null if all is shown one by one
  std::int64_t every_;
  const Counted& problem_;
  std::vector<std::string> names_;  // of summary_of()
  Metrics last_evaluation_;
  std::int64_t last_evaluation_step_ = 0;
  std::vector<Panel> panels_;
};

}  // namespace nestgrad
