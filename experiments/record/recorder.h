#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/observer.h"
#include "experiments/plot/chart.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/tuned_hyper.h"
#include "experiments/setup/counted.h"

namespace nestgrad {

/// Hyperparameters in their own units as records show them: one number by name,
/// a few numbers as "name.0", "name.1", ... (or "name.cat", "name.dog", ... if
/// `names` has some), many as "name.mean", "name.min" and "name.max".
std::vector<std::pair<std::string, double>> summary_of(
    const ParameterSet& natural, const NumberNames& names = {});

/// The prefix of evaluated metrics in a line.
inline constexpr const char* kEvaluated = "evaluated.";

/// Whether `raw`, in coordinates, is the logarithm of `natural`.
bool are_logarithms(const Tensor& natural, const Tensor& raw);

/// Whether summary_of() shows it by mean, least and largest number.
bool is_summarized(const Tensor& natural);

/// Whether the problem is evaluated at a step: at the start, at the first step,
/// which is the first that has trained under the start's hyperparameters, at
/// every `every`th step and at the last.
bool is_evaluated(const OuterStep& step, std::int64_t every);

/// Writes one line per outer step, and one before for the start, and remembers
/// the trajectories:
///
///   metrics.jsonl     the hyperparameters and the estimate at them; at some
///                     steps also the problem's metrics ("evaluated.NAME") of
///                     the weights that training under them has led to. See
///                     OuterStep. The start (step 0) has no estimate.
///   histograms.jsonl  at those steps, the distribution of the elements of each
///                     hyperparameter that summary_of() does not list one by
///                     one
class Recorder : public Observer {
 public:
  /// Evaluates as is_evaluated() says. `tuned`: all hyperparameters that the
  /// run tunes. Throws Error if a file in `folder` cannot be written.
  Recorder(const std::string& folder, std::int64_t every,
           const Counted& problem, std::vector<TunedHyper> tuned);

  void on_start(const OuterStep& start) override;
  Verdict on_step(const OuterStep& step) override;

  /// Writes the line of an unusable estimate.
  void on_failure(const OuterStep& step) override;

  /// Panels of loss and hyperparameters over outer steps, for draw_chart(). A
  /// schedule is drawn over training steps, at its start and as it is in
  /// `natural`, the present hyperparameters in their own units. Those that are
  /// moved in logarithms, and positive ones that change by a factor of ten, get
  /// a logarithmic axis.
  std::vector<Panel> panels(const ParameterSet& natural) const;

  /// The evaluations of the two metrics of BilevelProblem::plane().
  const Curve& path() const { return path_; }

  /// The metrics of the last evaluation.
  const Metrics& last_evaluation() const { return last_evaluation_; }

  /// The hyperparameters and their start, for run.json.
  Json tuned() const;
  const std::vector<TunedHyper>& hypers() const { return tuned_; }

  const NumberNames& number_names() const { return number_names_; }

  void flush();

  /// The trajectories are read back from the lines. Later lines are cut off.
  void persist(Archive& archive);

 private:
  /// The line of a step without its evaluation. A hyperparameter whose name is
  /// already a key is written as "hyper.NAME".
  Json line_of(const OuterStep& step) const;

  /// Writes and remembers the line of a step.
  void record(const OuterStep& step);

  /// Writes the line of the start, which waits for the next one: a name that a
  /// metric of the estimates has, too, is "hyper.NAME" in all lines.
  void write_start(const Json& next);
  void write_histograms(const OuterStep& step);

  /// Adds the trajectories and the evaluation of a line.
  void remember(const Json& line);
  void remember(const std::string& panel, const std::string& curve, double x,
                double y);

  JsonLines lines_;
  Json start_;  // the line of the start until it is written; null then
  std::unique_ptr<JsonLines> histograms_;  // null if none is needed
  std::int64_t every_;
  const Counted& problem_;
  std::vector<TunedHyper> tuned_;
  NumberNames number_names_;
  Metrics last_evaluation_;
  std::vector<Panel> panels_;
  Curve path_;
};

}  // namespace nestgrad
