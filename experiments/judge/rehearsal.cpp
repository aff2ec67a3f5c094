#include "experiments/judge/rehearsal.h"

#include <algorithm>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"

namespace nestgrad {
namespace {

/// Short outer steps are repeated, because the time of one is imprecise.
constexpr std::int64_t kMostSteps = 8;
constexpr double kPrecise = 0.2;  // seconds

constexpr std::int64_t kMostTrainingSteps = 50;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The bytes of `set` but for tensors that are those of `known`.
std::int64_t bytes_beside(const ParameterSet& known, const ParameterSet& set) {
  std::int64_t out = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const Tensor& t = set.tensors()[i];
    const bool same = known.contains(set.name(i)) &&
                      known.at(set.name(i)).data_ptr() == t.data_ptr();
    if (!same) out += static_cast<std::int64_t>(t.nbytes());
  }
  return out;
}

/// Measures outer steps and ends the loop when enough is known.
class Watch : public Observer {
 public:
  Watch(const Experiment& experiment, const MemoryMeter& memory,
        std::int64_t turns, bool evaluates, double limit)
      : experiment_(experiment),
        memory_(memory),
        turns_(turns),
        evaluates_(evaluates),
        limit_(limit) {}

  Verdict on_step(const OuterStep& step) override {
    seconds_.push_back(step.seconds - before_);
    before_ = step.seconds;
    // The new hyperparameters, and those in their own units, have come since.
    const std::int64_t since = bytes_beside(*step.hyper, *step.next) +
                               bytes_beside(*step.hyper, *step.natural);
    estimate_bytes = std::max(estimate_bytes,
                              memory_.current() - since + step.estimate_bytes);
    const std::int64_t gradients = experiment_.problem().train_losses();
    const Exchanges exchanged = Exchanges::of(experiment_.world());
    if (moves(step.step)) {
      exchanges = exchanged - exchanged_;
      train_gradients = static_cast<double>(gradients - gradients_);
      const auto found = step.metrics->find("products");
      if (found != step.metrics->end()) products = found->second;
    }
    gradients_ = gradients;
    exchanged_ = exchanged;
    if (!is_enough(step)) return Verdict::kContinue;
    if (evaluates_) evaluate(step);
    return Verdict::kStop;
  }

  /// Seconds of an outer step at the end of a window, or of one that stays. The
  /// first of all is slower than the others, so it counts only if it is alone.
  double typical(bool moving) const {
    std::vector<double> out;
    for (std::size_t i = 1; i < seconds_.size(); ++i) {
      if (moves(static_cast<std::int64_t>(i) + 1) == moving) {
        out.push_back(seconds_[i]);
      }
    }
    if (out.empty() && moving && !seconds_.empty()) return seconds_.front();
    return median(std::move(out));
  }

  bool empty() const { return seconds_.empty(); }

  std::int64_t estimate_bytes = 0, evaluation_bytes = 0;
  double train_gradients = 0, products = 0, evaluation = 0;
  Exchanges exchanges;

 private:
  bool moves(std::int64_t step) const { return (step - 1) % turns_ == 0; }

  bool is_enough(const OuterStep& step) const {
    if (step.step == step.steps || step.seconds >= limit_) return true;
    // The second step has all that the method keeps from one to the next; one
    // more, since the time of a single step may be far off.
    const std::int64_t least = turns_ == 1 ? 3 : turns_ + 1;
    return step.step >= least && step.seconds >= kPrecise;
  }

  void evaluate(const OuterStep& step) {
    const MemoryMeter memory;
    const Stopwatch watch;
    step.evaluate();
    evaluation = watch.seconds();
    evaluation_bytes = memory.peak();
  }

  const Experiment& experiment_;
  const MemoryMeter& memory_;
  std::int64_t turns_;
  bool evaluates_;
  double limit_;
  std::vector<double> seconds_;
  double before_ = 0;
  std::int64_t gradients_ = experiment_.problem().train_losses();
  Exchanges exchanged_ = Exchanges::of(experiment_.world());
};

}  // namespace

Rehearsal Rehearsal::of(const Experiment& experiment, const Config& section,
                        std::int64_t window, std::int64_t turns, bool whole,
                        double seconds) {
  Rehearsal out;
  out.window = window;
  const MemoryMeter memory;
  const auto estimator = experiment.make_estimator(
      Config(experiment.estimator().rehearsal(section.json(), window, turns),
             section.pointer(), section.folders()));
  out.footprint = estimator->footprint();
  OuterLoop loop(*estimator, experiment.problem(), experiment.outer_rule(),
                 kMostSteps);
  const auto watch =
      std::make_shared<Watch>(experiment, memory, turns, whole, seconds);
  loop.add(watch);
  loop.begin(experiment.initial_hyper(), experiment.tuning_key());
  const OuterResult result = loop.run();
  if (watch->empty()) throw NotFinite(result.message);
  out.seconds = watch->typical(/*moving=*/true);
  out.staying = watch->typical(/*moving=*/false);
  out.train_gradients = watch->train_gradients;
  out.products = watch->products;
  out.exchanges = watch->exchanges;
  out.estimate_bytes = watch->estimate_bytes;
  out.evaluation = watch->evaluation;
  if (whole && experiment.retraining_steps() > 0) {
    // What is handed out may be of another step than the last.
    const ParameterSet found = experiment.initial_hyper().clone();
    TrainState state;
    std::int64_t steps = 0;
    experiment.retrain(found, 3, 0, state, [&] { return ++steps < 2; });
    out.bytes = memory.current() + watch->evaluation_bytes;
  }
  out.bytes = std::max(out.bytes, memory.peak());
  return out;
}

std::int64_t growth_of_pool(const Experiment& experiment,
                            const Config& section) {
  const std::int64_t pool = Truncation::read(section).pool;
  if (pool == 1) return 0;
  Json one = section.json();
  one["pool"] = 1;
  const auto estimator = experiment.make_estimator(
      Config(experiment.estimator().rehearsal(one, 1, 1), section.pointer(),
             section.folders()));
  const MemoryMeter memory;
  const ParameterSet hyper = experiment.initial_hyper();
  estimator->begin(hyper, experiment.tuning_key());
  const std::int64_t before = memory.current();
  // The first estimate starts a run, which others go on with.
  for (int i = 0; i < 2; ++i) estimator->estimate(hyper);
  const std::int64_t grown = memory.current() - before;
  return (pool - 1) * std::max<std::int64_t>(grown, 0);
}

double training_step_seconds(const Experiment& experiment) {
  const ParameterSet hyper = experiment.initial_hyper();
  const TrainingLoop& loop = experiment.own_loop();
  TrainState state = loop.start(hyper, Key()).detach();
  state = loop.step(state, hyper, Key());
  const Stopwatch watch;
  std::int64_t steps = 0;
  do {
    state = loop.step(state, hyper, Key());
  } while (++steps < kMostTrainingSteps && watch.seconds() < kPrecise / 2);
  return watch.seconds() / static_cast<double>(steps);
}

}  // namespace nestgrad
