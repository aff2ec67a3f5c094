#include "experiments/judge/forecast.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "core/platform/stopwatch.h"
#include "experiments/judge/rehearsal.h"
#include "experiments/setup/protocol.h"

namespace nestgrad {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What all rehearsals together may take: seconds, or a share of the job.
constexpr double kAlways = 10, kShare = 0.1;

/// What the rehearsals of longer windows may take: a share of the job, within
/// these limits in seconds.
constexpr double kShareOfWindows = 0.05, kLeastSeconds = 2, kMostSeconds = 10;

/// Windows that may be rehearsed, the longest first: costs of longer ones lie
/// on a line through the two of a row.
constexpr std::pair<std::int64_t, std::int64_t> kWindows[] = {
    {64, 256}, {16, 64}, {4, 16}, {1, 8}, {1, 4}, {1, 2}};

double bytes_of(const ParameterSet& set) {
  double out = 0;
  for (const Tensor& t : set.tensors()) out += static_cast<double>(t.nbytes());
  return out;
}

double difference(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a - b);
}

double slope(double rise, double run) {
  return run > 0 ? std::max(0.0, rise / run) : 0;
}

/// An outer step at the end of a window.
struct Step {
  double seconds = 0, train_gradients = 0, products = 0;
  double bytes = 0;  // of tensors at the peak of the estimate
  Exchanges exchanges;
};

/// What one final run takes.
struct FinalRunCost {
  double step = 0, evaluation = 0;  // seconds
};

class Forecast {
 public:
  Forecast(const Config& config, const Experiment& experiment,
           const MemoryMeter& memory)
      : config_(config),
        record_(config.object("record")),
        stop_(config.object("outer").object("stop")),
        section_(config.object("estimator")),
        experiment_(experiment),
        cut_(Truncation::read(section_)),
        final_runs_(final_run_count(config, experiment)),
        judge_(config_of_final_runs(config, experiment)),
        loaded_(memory.current()),
        building_(memory.peak()) {}

  PlanCost cost() {
    PlanCost out;
    training_step_ = out.training_step = training_step_seconds(experiment_);
    const Step step = outer_step();
    out.estimate = step.seconds;
    out.exchanges = step.exchanges;
    out.evaluation = probe_.evaluation;
    tuning(step, out);
    out.networks = networks(step, out.outer_steps);
    out.retraining = retraining(out);
    out.loaded = loaded_;
    // An experiment with another model loads the data again.
    const bool again = (has_protocol(config_) && !has_fresh_networks()) ||
                       !record_.objects("other_models").empty();
    if (again) others_ = std::max(others_, building_);
    const std::int64_t stays = (has_fresh_networks() ? building_ : 0) +
                               growth_of_pool(experiment_, section_);
    out.peak = std::max(building_,
                        loaded_ + stays +
                            std::max({probe_.bytes, others_,
                                      static_cast<std::int64_t>(step.bytes)}));
    return out;
  }

 private:
  Rehearsal rehearsal(std::int64_t window, std::int64_t turns = 1,
                      bool whole = false) const {
    return Rehearsal::of(experiment_, section_, window, turns, whole,
                         std::max(0.0, left()));
  }

  /// The seconds that the experiment takes at least.
  double least_job() const {
    const auto outer = static_cast<double>(experiment_.outer_steps());
    const auto window =
        static_cast<double>(cut_.shortest > 0 ? cut_.shortest : cut_.window);
    const double tuning =
        outer *
        (probe_.seconds + (window - 1) * training_step_ /
                              static_cast<double>(cut_.outer_steps_per_window));
    const auto retraining = static_cast<double>(
        final_runs_ * retraining_steps(experiment_.outer_steps()));
    return std::min(tuning, stop_.number_or("seconds", kInfinity)) +
           std::min(retraining * training_step_,
                    record_.number_or("retrain_seconds", kInfinity));
  }

  /// The seconds that are left for rehearsals.
  double left() const {
    return std::max(kAlways, kShare * least_job()) - watch_.seconds();
  }

  /// Whether this many outer steps with windows of these lengths can be
  /// afforded.
  bool is_affordable(std::int64_t windows, std::int64_t training_steps) const {
    const std::int64_t counted = probe_.footprint.steps;
    // On a tape a step takes about three times as long.
    const double each =
        counted == 0
            ? training_step_
            : std::min(probe_.seconds,
                       4 * training_step_ * static_cast<double>(counted));
    const double job = least_job();
    return static_cast<double>(windows) * probe_.seconds +
               static_cast<double>(training_steps) * each <=
           std::min(
               std::clamp(kShareOfWindows * job, kLeastSeconds, kMostSeconds),
               left());
  }

  /// The windows to rehearse. The first is 0 if the last is the real window or
  /// if there is no time for any.
  std::pair<std::int64_t, std::int64_t> windows() const {
    // Three outer steps, since the first is slow.
    if (is_affordable(3, 3 * cut_.window)) return {0, cut_.window};
    for (const auto& [first, last] : kWindows) {
      if (last >= cut_.window) continue;
      if (is_affordable(first == 1 ? 3 : 6, 3 * (first + last))) {
        return {first, last};
      }
    }
    // Memory of a tape needs a second point, whatever it costs.
    if (probe_.footprint.taped > 0 && cut_.window > 1) return {1, 2};
    return {0, 1};
  }

  /// Rehearses and extrapolates to the real window.
  Step outer_step() {
    probe_ = last_ = rehearsal(1, 1, /*whole=*/true);
    const auto [first, last] = windows();
    if (last > 1) last_ = rehearsal(last);
    return extrapolated(first > 1 ? rehearsal(first) : probe_, last_);
  }

  /// Training steps off the tape and on it.
  struct Steps {
    double plain = 0, taped = 0;
    Steps operator-(const Steps& other) const {
      return {plain - other.plain, taped - other.taped};
    }
  };

  static Steps steps_of(const Footprint& f, std::int64_t window) {
    return {static_cast<double>(f.steps > 0 ? f.steps - f.taped : window),
            static_cast<double>(f.taped)};
  }

  /// The footprint of a window that is as long as windows are on average.
  std::pair<Footprint, std::int64_t> mean_footprint() const {
    if (cut_.shortest == 0) {
      return {experiment_.estimator().footprint(), cut_.window};
    }
    const std::int64_t window = (cut_.shortest + cut_.window) / 2;
    const auto estimator = experiment_.make_estimator(
        Config(experiment_.estimator().rehearsal(section_.json(), window, 1),
               section_.pointer(), section_.folders()));
    return {estimator->footprint(), window};
  }

  /// From rehearsals `a` and `b`, the longer one, to the real window. Memory
  /// that depends on the window is taken to be proportional to the steps on the
  /// tape and the states kept, time to the training steps.
  Step extrapolated(const Rehearsal& a, const Rehearsal& b) const {
    Step out{b.seconds, b.train_gradients, b.products,
             static_cast<double>(b.estimate_bytes), b.exchanges};
    const Footprint largest = experiment_.estimator().footprint();
    const auto [mean, window] = mean_footprint();
    const Steps more = steps_of(mean, window) - steps_of(b.footprint, b.window);
    const Steps known =
        steps_of(b.footprint, b.window) - steps_of(a.footprint, a.window);
    out.seconds = std::max(0.0, out.seconds + seconds_of(more, known, a, b));
    out.train_gradients += more.plain + more.taped;
    const double steps = known.plain + known.taped;
    if (steps > 0) {
      out.exchanges = b.exchanges + ((more.plain + more.taped) / steps) *
                                        (b.exchanges - a.exchanges);
    }

    const double state = bytes_of(
        experiment_.loop().start(experiment_.initial_hyper(), Key()).joined());
    const double on_tape =
        slope(difference(b.estimate_bytes, a.estimate_bytes) -
                  state * difference(b.footprint.states, a.footprint.states),
              difference(b.footprint.on_tape, a.footprint.on_tape));
    out.bytes += on_tape * difference(largest.on_tape, b.footprint.on_tape) +
                 state * difference(largest.states, b.footprint.states);
    return out;
  }

  /// The time of further training steps. `known`: by how many b has more than
  /// a.
  double seconds_of(const Steps& more, const Steps& known, const Rehearsal& a,
                    const Rehearsal& b) const {
    const double rise = b.seconds - a.seconds;
    const double plain = training_step_;
    // A method that says nothing of its steps takes those of the window.
    const bool says = b.footprint.steps > 0;
    const double steps = known.plain + known.taped;
    if (says && steps > 0 &&
        known.plain * more.taped == known.taped * more.plain) {
      // The same mixture as between the rehearsals. The steps may be those of
      // particles, which take less time together than one by one.
      return slope(rise, steps) * (more.plain + more.taped);
    }
    if (says && steps == 0) {
      const double each = b.seconds / static_cast<double>(b.footprint.steps);
      return std::min(each, plain) * more.plain + each * more.taped;
    }
    return plain * more.plain +
           slope(rise - plain * known.plain, known.taped) * more.taped;
  }

  /// The seconds of an outer step on average. Only one of the outer steps of a
  /// window comes after training. A method with a tape goes through the window
  /// again in each of the others.
  double mean_seconds(const Step& step) const {
    const auto turns = static_cast<double>(cut_.outer_steps_per_window);
    if (turns == 1 || experiment_.estimator().footprint().taped > 0) {
      return step.seconds;
    }
    const double staying =
        is_affordable(3, 2 * last_.window)
            ? rehearsal(last_.window, 2).staying
            : std::max(0.0, step.seconds - training_step_ * static_cast<double>(
                                                                cut_.window));
    return (step.seconds + (turns - 1) * staying) / turns;
  }

  void tuning(const Step& step, PlanCost& out) {
    const auto every = static_cast<double>(record_.integer("every"));
    const double each = mean_seconds(step);
    const double evaluation = out.evaluation + fresh_network(out);
    const double warm_up =
        static_cast<double>(experiment_.estimator().warm_up()) * step.seconds;
    const double turns = static_cast<double>(cut_.outer_steps_per_window);
    auto outer = static_cast<double>(experiment_.outer_steps());
    const auto end_after = [&](double steps, const char* budget) {
      if (!(std::ceil(steps) < outer)) return;
      outer = std::max(1.0, std::ceil(steps));
      out.ended_by = budget;
    };
    end_after(stop_.number_or("train_gradients", kInfinity) /
                  step.train_gradients * turns,
              "train_gradients");
    end_after(stop_.number_or("products", kInfinity) / step.products,
              "products");
    const auto seconds = [&](double steps) {
      // The start and the first step are evaluated, too.
      return warm_up + steps * each +
             (2 + std::ceil(steps / every)) * evaluation;
    };
    const double budget = stop_.number_or("seconds", kInfinity);
    if (seconds(outer) > budget) {
      const double evaluated = each + evaluation / every;
      end_after((budget - warm_up) / evaluated, "seconds");
    }
    // The step that uses up a budget is made.
    out.tuning = std::min(seconds(outer), std::max(budget, warm_up) + each);
    out.outer_steps = static_cast<std::int64_t>(outer);
  }

  /// The networks of each final run after so many outer steps; 0 if there are
  /// no final runs.
  std::int64_t networks(const Step& step, std::int64_t outer_steps) const {
    if (final_runs_ == 0) return 0;
    const auto outer = static_cast<double>(outer_steps);
    const auto warm_up =
        static_cast<double>(experiment_.estimator().warm_up() * cut_.window);
    const double windows =
        outer / static_cast<double>(cut_.outer_steps_per_window);
    return networks_of_final_runs(
        judge_, final_runs_, retraining_steps(outer_steps),
        {warm_up + windows * step.train_gradients, outer * step.products});
  }

  bool has_fresh_networks() const { return record_.boolean("fresh"); }

  /// The seconds of training and judging a new network at an evaluation.
  double fresh_network(const PlanCost& each) {
    if (!has_fresh_networks()) return 0;
    const FinalRunCost own = own_cost(each);
    const std::int64_t steps = retraining_steps(experiment_.outer_steps());
    return static_cast<double>(steps) * own.step + own.evaluation;
  }

  /// What a final run takes, but for other models.
  FinalRunCost own_cost(const PlanCost& each) {
    if (!own_) {
      own_ = {each.training_step, each.evaluation};
      if (has_protocol(config_)) own_ = cost_with(judge_).value_or(*own_);
    }
    return *own_;
  }

  double retraining(const PlanCost& each) {
    if (final_runs_ == 0) return 0;
    const auto networks = static_cast<double>(each.networks);
    const auto steps = static_cast<double>(retraining_steps(each.outer_steps));
    const auto seconds = [&](const FinalRunCost& one) {
      return networks * (steps * one.step + one.evaluation);
    };
    const FinalRunCost own = own_cost(each);
    double out = 0;
    std::int64_t others = 0;
    for (const Config& model : record_.objects("other_models")) {
      ++others;
      out +=
          seconds(cost_with(config_of_final_runs(config_, experiment_, &model))
                      .value_or(own));
    }
    out += static_cast<double>(final_runs_ - others) * seconds(own);
    return std::min(
        out, record_.number_or("retrain_seconds", kInfinity) +
                 static_cast<double>(final_runs_) * networks * each.evaluation);
  }

  /// Training steps of each final run after so many outer steps.
  std::int64_t retraining_steps(std::int64_t outer_steps) const {
    return steps_of_final_runs(config_, experiment_, outer_steps);
  }

  /// The costs of a final run with another configuration, if there is time to
  /// find them out.
  std::optional<FinalRunCost> cost_with(const Config& config) {
    if (left() < kAlways / 2) return {};
    const MemoryMeter memory;
    const Experiment other(config);
    const ParameterSet hyper = other.initial_hyper();
    FinalRunCost out;
    out.step = training_step_seconds(other);
    const ParameterSet weights =
        other.loop().start(hyper, Key()).detach().weights;
    const Stopwatch watch;
    other.problem().evaluate(other.problem().deployed(weights, hyper), hyper);
    out.evaluation = watch.seconds();
    others_ = std::max(others_, memory.peak());
    return out;
  }

  const Config& config_;
  Config record_, stop_, section_;
  const Experiment& experiment_;
  Truncation cut_;
  std::int64_t final_runs_;
  Config judge_;                    // of final runs, but for other models
  std::int64_t loaded_, building_;  // bytes of tensors, now and at the peak
  std::int64_t others_ = 0;         // bytes at the peak of other final runs
  Stopwatch watch_;
  double training_step_ = 0;
  std::optional<FinalRunCost> own_;  // of final runs, once it is known
  Rehearsal probe_;                  // with a window of one training step
  Rehearsal last_;                   // with the longest window
};

}  // namespace

PlanCost forecast(const Config& config, const Experiment& experiment,
                  const MemoryMeter& memory) {
  return Forecast(config, experiment, memory).cost();
}

}  // namespace nestgrad
