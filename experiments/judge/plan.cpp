#include "experiments/judge/plan.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <regex>

#include "core/config/alternatives.h"
#include "core/platform/exceptions.h"
#include "core/tensor/autodiff.h"
#include "experiments/judge/forecast.h"
#include "experiments/setup/protocol.h"

namespace nestgrad {
namespace {

class Plan {
 public:
  Plan(const Config& config, const Experiment& experiment,
       const MemoryMeter& memory)
      : config_(config), experiment_(experiment), memory_(memory) {}

  PlanResult result(bool asks_second_derivative) const {
    PlanResult out;
    {
      const ParameterSet hyper = experiment_.initial_hyper();
      const ParameterSet weights =
          experiment_.loop().start(hyper, Key()).weights;
      out.weights = shapes(weights);
      out.weight_count = weights.numel();
      out.hyperparameters = shapes(experiment_.natural(hyper));
      out.hyperparameter_count = hyper.numel();
    }
    out.outer_steps = experiment_.outer_steps();
    out.window = cut().window;
    out.horizon = cut().horizon;
    out.outer_steps_per_window = cut().outer_steps_per_window;
    out.warm_up = experiment_.estimator().warm_up();
    out.retraining_steps =
        steps_of_final_runs(config_, experiment_, experiment_.outer_steps());
    try {
      out.cost = forecast(config_, experiment_, memory_);
    } catch (const NotFinite& error) {
      out.trouble = error.what();
    } catch (const Unsupported& error) {
      // Often an operator that LibTorch cannot differentiate twice.
      out.trouble = error.what();
    } catch (const c10::Error& error) {
      if (is_out_of_memory(error)) throw;
      out.trouble = one_line(error);
    }
    if (asks_second_derivative) {
      const ParameterSet hyper = experiment_.initial_hyper();
      out.second_derivative = second_derivative(
          experiment_.loop().start(hyper, Key()).weights, hyper);
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
      return train_gradient(experiment_.problem(), w, hyper, draw, tape);
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

  const Config& config_;
  const Experiment& experiment_;
  const MemoryMeter& memory_;
};

}  // namespace

PlanResult make_plan(const Config& config) {
  const MemoryMeter memory;  // from before the data are loaded
  const Experiment experiment(config);
  return Plan(config, experiment, memory).result(true);
}

PlanResult make_plan(const Config& config, const Experiment& experiment,
                     const MemoryMeter& memory) {
  return Plan(config, experiment, memory).result(false);
}

}  // namespace nestgrad
