#include "experiments/judge/plan.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "core/config/alternatives.h"
#include "core/platform/exceptions.h"
#include "core/platform/stopwatch.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// Windows of the rehearsals, in training steps. A window of at most kLong
/// steps is rehearsed as it is; for a longer one both are, and costs lie on a
/// line through them.
constexpr std::int64_t kShort = 4, kLong = 16;

/// The largest number of training steps in one rehearsal.
constexpr std::int64_t kFewSteps = 500;

/// Two outer steps with another window.
struct Rehearsal {
  Footprint footprint;
  std::int64_t window = 0;
  double seconds = 0;               // of the second estimate
  std::int64_t bytes = 0;           // of tensors at the peak of everything
  std::int64_t estimate_bytes = 0;  // at the peak of an estimate
};

class Plan {
 public:
  Plan(const Config& config, const Experiment& experiment,
       const MemoryMeter& memory)
      : config_(config),
        experiment_(experiment),
        loaded_(memory.current()),
        building_(memory.peak()) {}

  PlanResult result() const {
    const ParameterSet hyper = experiment_.initial_hyper();
    const TrainState start = experiment_.loop().start(hyper, Key());
    PlanResult out;
    out.weights = shapes(start.weights);
    out.weight_count = start.weights.numel();
    out.hyperparameters = shapes(experiment_.natural(hyper));
    out.hyperparameter_count = hyper.numel();
    out.outer_steps = experiment_.outer_steps();
    out.window = cut().window;
    out.horizon = cut().horizon;
    out.outer_steps_per_window = cut().outer_steps_per_window;
    out.warm_up = experiment_.estimator().warm_up();
    out.retraining_steps = experiment_.retraining_steps();
    out.second_derivative = second_derivative(start.weights, hyper);
    try {
      out.cost = cost(start, hyper);
    } catch (const Unsupported& error) {
      // Often an operator that LibTorch cannot differentiate twice.
      out.trouble = error.what();
    } catch (const c10::Error& error) {
      if (is_out_of_memory(error)) throw;
      out.trouble = one_line(error);
    }
    return out;
  }

 private:
  static PlanResult::Shapes shapes(const ParameterSet& set) {
    PlanResult::Shapes out;
    for (std::size_t i = 0; i < set.size(); ++i) {
      out.emplace_back(set.name(i), set.tensors()[i].sizes().vec());
    }
    return out;
  }

  Truncation cut() const {
    return Truncation::read(config_.object("estimator"));
  }

  /// Whether the training loss can be differentiated twice; if not, the
  /// operator that cannot be. An operator whose derivative is computed off the
  /// tape shows itself by a product with the Hessian that is zero although the
  /// gradient changes with the weights.
  SecondDerivative second_derivative(const ParameterSet& weights,
                                     const ParameterSet& hyper) const {
    if (!experiment_.problem().abilities().second_derivatives)
      return {false, "", {}, {}};
    const auto gradient_at = [&](const ParameterSet& w, Tape tape) {
      const Draw draw{0, Key(1)};
      return gradient(experiment_.problem().train_loss(w, hyper, draw), w,
                      tape);
    };
    const ParameterSet w = weights.leaves();
    const ParameterSet v = gradient_at(w, Tape::kOff);
    try {
      const ParameterSet product = vjp(gradient_at(w, Tape::kOn), w, v);
      if (norm(product).item<double>() > 0) return {};
    } catch (const Unsupported& error) {
      const std::string what = error.what();
      std::smatch found;
      const bool named = std::regex_search(
          what, found, std::regex("derivative for '?([\\w:]+)'? is not"));
      return missing(named ? found[1].str() : what);
    }
    const ParameterSet moved =
        gradient_at(add(weights.detach(), -0.1, v).leaves(), Tape::kOff);
    if (norm(moved - v).item<double>() == 0) return {};
    return missing("an operator whose derivative is on no tape");
  }

  /// No second derivative, and what could be done about it.
  SecondDerivative missing(std::string missing_operator) const {
    SecondDerivative out{false, std::move(missing_operator), {}, {}};
    const EstimatorRegistry& registry = EstimatorRegistry::instance();
    out.estimators_without = names_where(
        registry,
        [&](const HypergradientEstimator& estimator) {
          return !estimator.differentiates_twice();
        },
        experiment_.loop());
    std::vector<Json> settings;
    const std::vector<std::string> others = names_where(
        registry,
        [&](const HypergradientEstimator& estimator) {
          const Json setting = estimator.setting_without_second_derivatives();
          if (setting.is_null() || !estimator.differentiates_twice()) {
            return false;
          }
          settings.push_back(setting);
          return true;
        },
        experiment_.loop());
    for (std::size_t i = 0; i < others.size(); ++i) {
      out.settings_without.emplace_back(others[i], settings[i]);
    }
    return out;
  }

  Rehearsal rehearse(std::int64_t window,
                     std::int64_t outer_steps_per_window = 1) const {
    Rehearsal out;
    out.window = window;
    MemoryMeter memory;
    const Config section = config_.object("estimator");
    const auto estimator = experiment_.make_estimator(
        Config(experiment_.estimator().rehearsal(section.json(), window,
                                                 outer_steps_per_window),
               section.pointer(), section.folders()));
    out.footprint = estimator->footprint();
    OuterLoop loop(*estimator, experiment_.problem(), experiment_.outer_rule(),
                   2);
    class Watch : public Observer {
     public:
      Watch(Rehearsal& to, const MemoryMeter& meter) : out(to), memory(meter) {}
      Verdict on_step(const OuterStep& step) override {
        out.seconds = step.estimate_seconds;
        out.estimate_bytes = std::max(out.estimate_bytes,
                                      memory.current() + step.estimate_bytes);
        if (step.step == step.steps) step.evaluate();
        return Verdict::kContinue;
      }
      Rehearsal& out;
      const MemoryMeter& memory;
    };
    loop.add(std::make_shared<Watch>(out, memory));
    loop.begin(experiment_.initial_hyper(), experiment_.tuning_key());
    loop.run();
    experiment_.retrain(experiment_.initial_hyper(), 2);
    out.bytes = memory.peak();
    return out;
  }

  /// Bytes of tensors at the peak of an estimate, and its seconds.
  struct WindowCost {
    double bytes = 0;
    double seconds = 0;
  };

  /// The window of the longest rehearsal.
  std::int64_t longest() const {
    const Footprint whole = experiment_.estimator().footprint();
    const std::int64_t window = std::max<std::int64_t>(cut().window, 1);
    return whole.steps / window * kLong > kFewSteps ? 2 : kLong;
  }

  /// From the rehearsal `b` and a shorter one to the real window. Memory that
  /// depends on the window is taken to be proportional to the steps on the tape
  /// and the states kept, time to the training steps.
  WindowCost extrapolated(const Rehearsal& b, const TrainState& start,
                          double step) const {
    const Footprint whole = experiment_.estimator().footprint();
    const Rehearsal a = rehearse(longest() == kLong ? kShort : 1);
    const auto difference = [](std::int64_t x, std::int64_t y) {
      return static_cast<double>(x - y);
    };
    const auto slope = [](double rise, double run) {
      return run > 0 ? std::max(0.0, rise / run) : 0.0;
    };
    double state = 0;
    for (const Tensor& t : start.joined().tensors()) {
      state += static_cast<double>(t.nbytes());
    }
    const Footprint &first = a.footprint, &last = b.footprint;
    const double on_tape =
        slope(difference(b.estimate_bytes, a.estimate_bytes) -
                  state * difference(last.states, first.states),
              difference(last.on_tape, first.on_tape));
    const auto plain = [](const Footprint& f, std::int64_t w) {
      return f.steps > 0 ? f.steps - f.taped : w;
    };
    const double taped = slope(
        b.seconds - a.seconds -
            step * difference(plain(last, b.window), plain(first, a.window)),
        difference(last.taped, first.taped));
    WindowCost out{static_cast<double>(b.estimate_bytes), b.seconds};
    out.bytes += on_tape * difference(whole.on_tape, last.on_tape) +
                 state * difference(whole.states, last.states);
    out.seconds +=
        taped * difference(whole.taped, last.taped) +
        step * difference(plain(whole, cut().window), plain(last, b.window));
    return out;
  }

  PlanCost cost(const TrainState& start, const ParameterSet& hyper) const {
    PlanCost out;
    out.training_step = step_seconds(start, hyper);
    const Stopwatch watch;
    experiment_.problem().evaluate(
        experiment_.problem().deployed(start.weights, hyper), hyper);
    out.evaluation = watch.seconds();
    const std::int64_t rehearsed = std::min(cut().window, longest());
    const Rehearsal last = rehearse(rehearsed);
    const WindowCost estimate =
        cut().window > longest()
            ? extrapolated(last, start, out.training_step)
            : WindowCost{static_cast<double>(last.estimate_bytes),
                         last.seconds};
    out.estimate = estimate.seconds;
    out.tuning = tuning_seconds(out, rehearsed);
    out.retraining = retraining_seconds(out);
    // An experiment with another model loads the data again.
    const std::int64_t other_models =
        config_.object("record").objects("other_models").empty() ? 0
                                                                 : building_;
    out.loaded = loaded_;
    out.peak = std::max(
        building_,
        loaded_ + std::max({last.bytes, other_models,
                            static_cast<std::int64_t>(estimate.bytes)}));
    return out;
  }

  double tuning_seconds(const PlanCost& each, std::int64_t rehearsed) const {
    const auto outer = static_cast<double>(experiment_.outer_steps());
    const auto every =
        static_cast<double>(config_.object("record").integer("every"));
    const auto warm_up = static_cast<double>(experiment_.estimator().warm_up());
    // Only one of the outer steps of a window comes after training. A method
    // with a tape goes through the window again in each of the others.
    const auto turns = static_cast<double>(cut().outer_steps_per_window);
    const bool alike =
        turns == 1 || experiment_.estimator().footprint().taped > 0;
    const double staying =
        alike ? each.estimate : rehearse(rehearsed, 2).seconds;
    return outer * (each.estimate + (turns - 1) * staying) / turns +
           warm_up * each.estimate + std::ceil(outer / every) * each.evaluation;
  }

  double retraining_seconds(const PlanCost& each) const {
    if (experiment_.retraining_steps() == 0) return 0;
    const Config record = config_.object("record");
    const std::size_t runs = 2 + record.objects("other_models").size() +
                             experiment_.problem().baselines().size();
    return static_cast<double>(runs) *
           static_cast<double>(record.integer("networks")) *
           (each.training_step *
                static_cast<double>(experiment_.retraining_steps()) +
            each.evaluation);
  }

  double step_seconds(const TrainState& start,
                      const ParameterSet& hyper) const {
    const TrainingLoop& loop = experiment_.loop();
    const TrainState first = loop.step(start.detach(), hyper, Key());
    const Stopwatch watch;
    loop.steps(first, 5, hyper, Key());
    return watch.seconds() / 5;
  }

  const Config& config_;
  const Experiment& experiment_;
  std::int64_t loaded_, building_;  // bytes of tensors, now and at the peak
};

}  // namespace

PlanResult make_plan(const Config& config) {
  const MemoryMeter memory;  // from before the data are loaded
  const Experiment experiment(config);
  return make_plan(config, experiment, memory);
}

PlanResult make_plan(const Config& config, const Experiment& experiment,
                     const MemoryMeter& memory) {
  return Plan(config, experiment, memory).result();
}

}  // namespace nestgrad
