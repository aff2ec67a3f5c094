#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "core/json_file.h"
#include "core/observer.h"
#include "experiments/chart.h"

namespace nestgrad {

/// Hyperparameters as a record shows them, in their own units: a number by
/// name, a few numbers as "name.0", "name.1", ..., and many as "name.mean",
/// "name.min" and "name.max".
std::vector<std::pair<std::string, double>> summary_of(
    const ParameterSet& natural);

/// Writes one line of metrics.jsonl per outer step and remembers the
/// trajectories.
class Recorder : public Observer {
 public:
  /// Evaluates at every `every`th step and at the last. Throws Error if the
  /// file cannot be written.
  Recorder(const std::string& path, std::int64_t every);
  ~Recorder() override;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  Verdict on_step(const OuterStep& step) override;

  /// The line of an estimate that could not be followed.
  void on_failure(const OuterStep& step) override;

  /// Loss and hyperparameters over outer steps, for draw_chart(). Positive
  /// hyperparameters that change by a factor of ten get a logarithmic axis.
  std::vector<Panel> panels() const;

  /// What the evaluation of the last step said.
  const Metrics& last_evaluation() const { return last_evaluation_; }

 private:
  /// What the line says about the estimate. A hyperparameter that is called
  /// like something else there is "hyper.NAME".
  Json line_of(const OuterStep& step) const;

  void write_line(const Json& line);
  void remember(const std::string& panel, const std::string& curve, double x,
                double y);

  std::string path_;
  std::int64_t every_;
  std::FILE* file_;
  Metrics last_evaluation_;
  std::vector<Panel> panels_;
};

}  // namespace nestgrad
