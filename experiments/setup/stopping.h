#pragma once

#include <functional>
#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/observer.h"
#include "core/storage/archive.h"

namespace nestgrad {

/// Ends tuning early: when a metric has not improved for a while, or when a
/// budget is used up.
class Stopping : public Observer {
 public:
  /// The costs so far, and the last evaluation.
  struct Sources {
    std::function<std::int64_t()> train_gradients;
    std::function<double()> products;
    std::function<Metrics(const OuterStep&)> evaluation;
  };

  /// The section "stop" of the outer loop.
  static Schema schema();
  Stopping(const Config& config, Sources sources);

  /// Whether the metric comes from evaluations rather than from every step.
  bool needs_evaluation() const { return patience_ > 0 && !is_outer_loss(); }
  const std::string& metric() const { return metric_; }

  /// Whether the section asks for an early end.
  static bool is_wanted(const Config& section);

  /// The budget of time; infinity if there is none.
  double seconds() const { return seconds_; }

  Verdict on_step(const OuterStep& step) override;

  /// Why tuning was ended: "early_stopping" or "budget", and a sentence. Both
  /// are "" until then.
  const std::string& kind() const { return kind_; }
  const std::string& reason() const { return reason_; }

  void persist(Archive& archive);

 private:
  bool is_outer_loss() const { return metric_ == "outer_loss"; }

  Verdict stop(const char* kind, std::string reason);

  Sources sources_;
  std::string metric_;
  std::int64_t patience_;
  double improvement_;
  double seconds_, gradients_, products_;  // budgets; infinity: none
  double best_;                            // smaller is better
  std::int64_t best_step_ = 0;
  std::string kind_, reason_;
};

}  // namespace nestgrad
