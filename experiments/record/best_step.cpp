#include "experiments/record/best_step.h"

#include <cmath>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/storage/snapshot_file.h"
#include "experiments/record/recorder.h"

namespace nestgrad {

void BestStep::Sets::persist(Archive& archive) {
  archive("hyper", hyper);
  archive("weights", weights);
}

Observer::Verdict BestStep::on_step(const OuterStep& step) {
  if (is_evaluated(step, every_)) consider(step);
  return Verdict::kContinue;
}

void BestStep::consider(const OuterStep& step) {
  const Metrics evaluation = step.evaluate();
  const auto found = evaluation.find(judged_);
  const bool has_metric = found != evaluation.end();
  const std::string metric = has_metric ? judged_ : "outer_loss";
  const double value = has_metric ? found->second : step.objective;
  // Estimates from other starts have other losses; evaluations do not.
  if (!has_metric && step.position.start != 0) return;
  if (!std::isfinite(value)) return;
  const std::int64_t trained = step.position.trained;
  if (truncated_ && trained < trained_) return;
  ++candidates_;
  last_candidate_ = step.step;
  const bool longer = truncated_ && trained > trained_;
  if (known() && !longer &&
      !(to_minimize(metric, value) < to_minimize(metric, value_))) {
    return;
  }
  step_ = step.step;
  metric_ = metric;
  value_ = value;
  trained_ = trained;
  evaluation_ = evaluation;
  write({*step.hyper, step.weights()});
}

void BestStep::write(Sets sets) const {
  save_snapshot(path_, save(sets, Tensors::kShared), Json::object());
}

BestStep::Sets BestStep::sets() const {
  Sets out;
  restore(out, load_snapshot(path_).snapshot);
  return out;
}

void BestStep::forget() {
  step_ = last_candidate_ = -1;
  trained_ = candidates_ = 0;
  remove_file(path_);
}

void BestStep::persist(Archive& archive) {
  archive("step", step_);
  archive("metric", metric_);
  archive("value", value_);
  archive("evaluation", evaluation_);
  archive("trained", trained_);
  archive("candidates", candidates_);
  archive("last_candidate", last_candidate_);
  Sets all;
  if (!archive.restoring() && known()) all = sets();
  archive("sets", all);
  if (archive.restoring() && known()) write(std::move(all));
}

}  // namespace nestgrad
