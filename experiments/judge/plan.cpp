#include "experiments/judge/plan.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "core/platform/memory_meter.h"
#include "core/platform/stopwatch.h"
#include "core/tensor/autodiff.h"
#include "experiments/record/console.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

/// Windows of the rehearsals: the real one if it is not longer than the second,
/// otherwise both, and a line through them.
constexpr std::int64_t kShort = 4, kLong = 16;

/// More training steps than this are not made in one rehearsal.
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

  Json json() {
    const ParameterSet hyper = experiment_.initial_hyper();
    const TrainState start = experiment_.loop().start(hyper, Key());
    Json out = {{"weights", shapes(start.weights)},
                {"weight_count", start.weights.numel()},
                {"hyperparameters", shapes(experiment_.natural(hyper))},
                {"hyperparameter_count", hyper.numel()},
                {"outer_steps", experiment_.outer_steps()},
                {"window", cut().window},
                {"horizon", cut().horizon},
                {"outer_steps_per_window", cut().outer_steps_per_window},
                {"warm_up", experiment_.estimator().warm_up()},
                {"retraining_steps", experiment_.retraining_steps()},
                {"second_derivative", second_derivative(start.weights, hyper)}};
    try {
      predict(start, hyper, out);
    } catch (const c10::Error& error) {
      // What LibTorch cannot differentiate is named above; this may be why.
      const std::string what = error.what_without_backtrace();
      out["trouble"] = what.substr(0, what.find('\n'));
    }
    return out;
  }

 private:
  static Json shapes(const ParameterSet& set) {
    Json out = Json::object();
    for (std::size_t i = 0; i < set.size(); ++i) {
      out[set.name(i)] = set.tensors()[i].sizes().vec();
    }
    return out;
  }

  Truncation cut() const {
    return Truncation::read(config_.object("estimator"));
  }

  /// Whether the training loss can be differentiated twice; if not, which
  /// operator is to blame. One whose derivative is computed off the tape is
  /// found out by a product with the Hessian that is zero where gradients
  /// differ.
  Json second_derivative(const ParameterSet& weights,
                         const ParameterSet& hyper) const {
    const auto gradient_at = [&](const ParameterSet& w, Tape tape) {
      const Draw draw{0, Key(1)};
      return gradient(experiment_.problem().train_loss(w, hyper, draw), w,
                      tape);
    };
    if (!experiment_.problem().abilities().second_derivatives) {
      return {{"exists", false}};  // no operator is to blame
    }
    const ParameterSet w = weights.leaves();
    const ParameterSet v = gradient_at(w, Tape::kOff);
    try {
      const ParameterSet product = vjp(gradient_at(w, Tape::kOn), w, v);
      if (norm(product).item<double>() > 0) return {{"exists", true}};
    } catch (const c10::Error& error) {
      const std::string what = error.what_without_backtrace();
      std::smatch found;
      const bool named = std::regex_search(
          what, found, std::regex("derivative for '?([\\w:]+)'? is not"));
      return {{"exists", false}, {"operator", named ? found[1].str() : what}};
    }
    const ParameterSet moved =
        gradient_at(add(weights.detach(), -0.1, v).leaves(), Tape::kOff);
    if (norm(moved - v).item<double>() == 0) return {{"exists", true}};
    return {{"exists", false},
            {"operator", "an operator whose derivative is on no tape"}};
  }

  Config section(std::int64_t window,
                 std::int64_t outer_steps_per_window) const {
    Json json = config_.object("estimator").json();
    json["window"] = window;
    json["outer_steps_per_window"] = outer_steps_per_window;
    json["horizon"] = window * (cut().horizon / cut().window);
    json["shortest"] = 0;
    if (json.contains("warm_up")) json["warm_up"] = 0;
    if (json.contains("last")) {
      json["last"] = std::min(window, json["last"].get<std::int64_t>());
    }
    return Config(std::move(json), "/estimator");
  }

  Rehearsal rehearse(std::int64_t window,
                     std::int64_t outer_steps_per_window = 1) const {
    Rehearsal out;
    out.window = window;
    MemoryMeter memory;
    const auto estimator = EstimatorRegistry::instance().make(
        section(window, outer_steps_per_window), experiment_.loop());
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

  /// Peak of tensors and seconds of an estimate: what depends on the window is
  /// taken to be proportional to the steps on the tape and the states kept.
  void predict(const TrainState& start, const ParameterSet& hyper, Json& out) {
    const double step = step_seconds(start, hyper);
    const Stopwatch watch;
    experiment_.problem().evaluate(
        experiment_.problem().deployed(start.weights, hyper), hyper);
    const double evaluation = watch.seconds();
    const Footprint whole = experiment_.estimator().footprint();
    const std::int64_t window = cut().window;
    const auto dear = [&](std::int64_t w) {
      return whole.steps / std::max<std::int64_t>(window, 1) * w > kFewSteps;
    };
    const std::int64_t longest = dear(kLong) ? 2 : kLong;
    const Rehearsal last = rehearse(std::min(window, longest));
    double bytes = static_cast<double>(last.estimate_bytes);
    double seconds = last.seconds;
    if (window > longest) {
      const Rehearsal first = rehearse(dear(kLong) ? 1 : kShort);
      const auto difference = [](std::int64_t a, std::int64_t b) {
        return static_cast<double>(a - b);
      };
      const auto slope = [](double rise, double run) {
        return run > 0 ? std::max(0.0, rise / run) : 0.0;
      };
      const Footprint &a = first.footprint, &b = last.footprint;
      double state = 0;
      for (const Tensor& t : start.joined().tensors()) {
        state += static_cast<double>(t.nbytes());
      }
      const double on_tape =
          slope(difference(last.estimate_bytes, first.estimate_bytes) -
                    state * difference(b.states, a.states),
                difference(b.on_tape, a.on_tape));
      bytes += on_tape * difference(whole.on_tape, b.on_tape) +
               state * difference(whole.states, b.states);
      const auto plain = [](const Footprint& f, std::int64_t w) {
        return f.steps > 0 ? f.steps - f.taped : w;
      };
      const double taped = slope(
          last.seconds - first.seconds -
              step * difference(plain(b, last.window), plain(a, first.window)),
          difference(b.taped, a.taped));
      seconds += taped * difference(whole.taped, b.taped) +
                 step * difference(plain(whole, window), plain(b, last.window));
    }
    const auto outer = static_cast<double>(experiment_.outer_steps());
    const auto every =
        static_cast<double>(config_.object("record").integer("every"));
    const auto warm_up = static_cast<double>(experiment_.estimator().warm_up());
    // Of the outer steps of a window only one comes after training.
    const auto turns = static_cast<double>(cut().outer_steps_per_window);
    // Methods with a tape go through the window again in each of the others.
    const double seconds_staying =
        turns == 1 || whole.taped > 0
            ? seconds
            : rehearse(std::min(window, longest), 2).seconds;
    const double tuning =
        outer * (seconds + (turns - 1) * seconds_staying) / turns +
        warm_up * seconds + std::ceil(outer / every) * evaluation;
    const Config record = config_.object("record");
    const std::size_t runs = 2 + record.objects("other_models").size() +
                             experiment_.problem().baselines().size();
    const double retraining =
        experiment_.retraining_steps() == 0
            ? 0
            : static_cast<double>(runs) *
                  static_cast<double>(record.integer("networks")) *
                  (step * static_cast<double>(experiment_.retraining_steps()) +
                   evaluation);
    // An experiment with another model loads the data again.
    const std::int64_t other_models =
        record.objects("other_models").empty() ? 0 : building_;
    out["tensor_mib"] = {
        {"loaded", mebibytes(loaded_)},
        {"peak", mebibytes(std::max(
                     building_,
                     loaded_ + std::max({last.bytes, other_models,
                                         static_cast<std::int64_t>(bytes)})))}};
    out["seconds"] = {{"training_step", step},
                      {"estimate", seconds},
                      {"evaluation", evaluation},
                      {"tuning", tuning},
                      {"retraining", retraining}};
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

Json make_plan(const Config& config) {
  const MemoryMeter memory;  // from before the data are loaded
  const Experiment experiment(config);
  return make_plan(config, experiment, memory);
}

Json make_plan(const Config& config, const Experiment& experiment,
               const MemoryMeter& memory) {
  return Plan(config, experiment, memory).json();
}

std::string format_cost(const Json& plan) {
  return fmt::format("up to {:.0f} MiB of tensors, about {}",
                     plan["tensor_mib"]["peak"].get<double>(),
                     duration(plan["seconds"]["tuning"].get<double>() +
                              plan["seconds"]["retraining"].get<double>()));
}

std::string format_plan(const Json& plan) {
  std::string out;
  const auto line = [&](const char* name, const std::string& value) {
    out += fmt::format("{:18}{}\n", name, value);
  };
  const auto list = [&](const char* title, const Json& shapes) {
    for (const auto& [name, shape] : shapes.items()) {
      line(title, fmt::format(
                      "{} [{}]", name,
                      fmt::join(shape.get<std::vector<std::int64_t>>(), ", ")));
      title = "";
    }
  };
  list("weights", plan["weights"]);
  line("", fmt::format("{} numbers", plan["weight_count"].get<std::int64_t>()));
  list("hyperparameters", plan["hyperparameters"]);
  line("", fmt::format("{} numbers",
                       plan["hyperparameter_count"].get<std::int64_t>()));
  const auto window = plan["window"].get<std::int64_t>();
  const auto horizon = plan["horizon"].get<std::int64_t>();
  const auto warm_up = window * plan["warm_up"].get<std::int64_t>();
  const auto turns = plan["outer_steps_per_window"].get<std::int64_t>();
  line(
      "training",
      fmt::format(
          "{} outer steps, {} after a window of {} training steps{}; {}",
          plan["outer_steps"].get<std::int64_t>(),
          turns == 1 ? "each" : fmt::format("{} at a time", turns), window,
          warm_up == 0 ? "" : fmt::format(", the first after {} more", warm_up),
          horizon == 0        ? "warm start"
          : horizon == window ? "cold start"
                              : fmt::format("runs of {}", horizon)));
  const Json& second = plan["second_derivative"];
  if (second["exists"]) {
    line("second derivative", "of the training loss exists");
  } else if (!second.contains("operator")) {
    line("second derivative", "there is none: training takes no derivatives");
  } else {
    line("second derivative",
         fmt::format("is MISSING: {} cannot be differentiated twice",
                     second["operator"].get<std::string>()));
    line("",
         "take an estimator without (f2sa, sama, finite_difference) or, with "
         "one_step and the");
    line("", "solvers of ift, \"products\": \"finite_difference\"");
  }
  if (plan.contains("trouble")) {
    line("memory and time",
         "are not known, since the estimator as configured "
         "does not run:");
    line("", plan["trouble"].get<std::string>());
    return out;
  }
  const Json& memory = plan["tensor_mib"];
  line("memory of tensors",
       fmt::format("{:.1f} MiB at the peak, {:.1f} MiB of them loaded data",
                   memory["peak"].get<double>(),
                   memory["loaded"].get<double>()));
  const Json& time = plan["seconds"];
  const auto seconds = [&](const char* key) { return time[key].get<double>(); };
  line("time", fmt::format("{}: tuning {} ({:.3g} s per estimate), final runs "
                           "{}",
                           duration(seconds("tuning") + seconds("retraining")),
                           duration(seconds("tuning")), seconds("estimate"),
                           duration(seconds("retraining"))));
  return out;
}

}  // namespace nestgrad
