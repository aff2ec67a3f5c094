#include "experiments/judge/check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "core/platform/exceptions.h"
#include "experiments/judge/check_verdict.h"
#include "experiments/setup/precision.h"

namespace nestgrad {
namespace {

/// The largest relative uncertainty of central differences that may judge an
/// estimate.
constexpr double kUncertain = 1e-3;

/// A tensor whose share of the hypergradient is below this is judged by the
/// length of the whole.
constexpr double kSmallShare = 1e-3;

/// How far, relatively, the smoothing by perturbations may move a mean.
constexpr double kSmoothing = 0.02;

/// The length that errors are relative to: that of the truth, 1 if it is zero.
double scale(const Tensor& truth) {
  const auto length = truth.norm().item<double>();
  return length > 0 ? length : 1;
}

class Check {
 public:
  Check(const Config& config, const CheckOptions& options)
      : config_(config),
        section_(config.object("estimator")),
        options_(options),
        experiment_(in_float64(config)),
        hyper_(experiment_.initial_hyper()) {
    require_tuning(experiment_);
    if (number_type(config) != at::kDouble) as_configured_.emplace(config);
  }

  CheckResult result() {
    CheckResult out = measured();
    const CheckVerdict verdict = verdict_on(out, options_);
    out.passed = verdict.passed;
    out.verdict = verdict.text;
    return out;
  }

 private:
  CheckResult measured() const {
    CheckResult out;
    out.estimator = section_.json();
    out.windows = options_.windows;
    out.hyperparameters = hyper_.numel();
    tell("training and the estimate");
    const auto [estimator, estimate] = ask({});
    out.target = estimator->target();
    out.status = estimate.status;
    out.trouble = estimate.trouble;
    out.finite = all_finite(estimate.gradient);
    if (!out.finite) return out;
    const Objective claim = estimator->claim();
    if (claim) {
      tell("central differences of the claim");
      out.claim = judge_by_claim(estimate.gradient, claim);
      out.claim->parts_error = estimator->parts_error();
      // NaN does not hold either.
      out.claim->holds =
          out.claim->holds && out.claim->parts_error <= options_.tolerance;
    }
    if (as_configured_) out.precision = judge_precision(estimate.gradient);
    tell("the reference for the target");
    const Reference reference = make_reference(experiment_, section_, hyper_,
                                               estimator->target(), turns());
    out.bias = judge_by_target(estimate.gradient, reference);
    if (!estimator->reseed(Key())) return out;
    tell(fmt::format("{} draws of the method's randomness", options_.keys));
    const Draws draws = draw_estimates(options_.keys, [&](const Key& key) {
      return ask(key).second.gradient;
    });
    out.random = judge_randomness(draws, reference);
    if (const Objective mean = estimator->mean_claim(); !claim && mean) {
      tell("central differences of what the draws should have for a mean");
      out.mean_claim = judge_mean(draws, mean);
    }
    return out;
  }

  void tell(const std::string& what) const {
    if (options_.progress) options_.progress(what);
  }

  /// How often an estimator is asked until it has trained for these windows.
  std::int64_t turns() const {
    const Truncation cut = Truncation::read(section_);
    return (options_.windows - 1) * cut.outer_steps_per_window + 1;
  }

  /// A fresh estimator after these windows, and its last estimate. With a key,
  /// the method's own randomness follows it.
  std::pair<std::unique_ptr<HypergradientEstimator>, Estimate> ask(
      const std::optional<Key>& key) const {
    auto estimator = asked(experiment_, section_, turns() - 1, key);
    Estimate estimate = estimator->estimate(hyper_);
    return {std::move(estimator), std::move(estimate)};
  }

  /// The estimate in the configured precision against the one in float64.
  PrecisionResult judge_precision(const ParameterSet& exact) const {
    PrecisionResult out;
    out.precision = config_.text("precision");
    tell("the estimate in " + out.precision);
    try {
      const auto estimator =
          asked(*as_configured_, section_, turns() - 1, std::nullopt);
      const ParameterSet gradient =
          estimator->estimate(as_configured_->initial_hyper()).gradient;
      if (all_finite(gradient)) {
        out.distance =
            distance(gradient.flatten().to(at::kDouble), exact.flatten());
      } else {
        out.trouble = "the estimate is not finite";
      }
    } catch (const Error& error) {
      out.trouble = error.what();
    } catch (const c10::Error& error) {
      out.trouble = one_line(error);
    }
    return out;
  }

  ClaimResult judge_by_claim(const ParameterSet& gradient,
                             const Objective& claim) const {
    const std::vector<ClaimPart> parts = judge_claim(gradient, claim, hyper_);
    std::vector<Tensor> estimates, references;
    double uncertainty = 0;
    for (const ClaimPart& part : parts) {
      estimates.push_back(part.estimate);
      references.push_back(part.reference);
      uncertainty = std::hypot(uncertainty, part.uncertainty);
    }
    const Tensor reference = at::cat(references);
    const double size = reference.norm().item<double>();
    ClaimResult out;
    out.distance = distance(at::cat(estimates), reference);
    out.uncertainty = size > 0 ? uncertainty / size : uncertainty;
    out.holds = true;
    for (const ClaimPart& part : parts) {
      const double own = part.reference.norm().item<double>();
      const double allowed =
          options_.tolerance * std::max(own, kSmallShare * size) +
          3 * part.uncertainty;
      const bool good = part.error() <= allowed;
      out.holds = out.holds && good;
      out.parts.push_back({part.name,
                           own > 0 ? part.error() / own : part.error(),
                           part.directions, part.all, good});
    }
    out.known = size == 0 ? uncertainty == 0
                          : std::isfinite(uncertainty) &&
                                uncertainty <= kUncertain * size;
    return out;
  }

  static BiasResult judge_by_target(const ParameterSet& gradient,
                                    const Reference& reference) {
    BiasResult out;
    out.reference = reference.how;
    if (reference.gradient.empty()) return out;
    out.known = reference.good();
    out.residual = reference.residual;
    out.distance = distance(gradient.flatten(), reference.gradient.flatten());
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      out.parts.emplace_back(
          gradient.name(i),
          distance(gradient.tensors()[i].reshape(-1),
                   reference.gradient.tensors()[i].reshape(-1)));
    }
    return out;
  }

  RandomResult judge_randomness(const Draws& draws,
                                const Reference& reference) const {
    const bool known = !reference.gradient.empty();
    const Tensor mean = draws.mean.flatten();
    const Tensor r = known ? reference.gradient.flatten() : mean;
    const double size = scale(r);
    RandomResult out;
    if (known) out.distance = distance(mean, r);
    out.keys = options_.keys;
    out.standard_error = draws.standard_error / size;
    out.standard_deviation = draws.standard_deviation / size;
    out.deviation_low = out.standard_deviation / draws.deviation_factor;
    out.deviation_high = out.standard_deviation * draws.deviation_factor;
    return out;
  }

  MeanClaimResult judge_mean(const Draws& draws,
                             const Objective& mean_claim) const {
    std::vector<Tensor> estimates, references;
    for (const ClaimPart& part : judge_claim(draws.mean, mean_claim, hyper_)) {
      estimates.push_back(part.estimate);
      references.push_back(part.reference);
    }
    const Tensor reference = at::cat(references);
    MeanClaimResult out;
    out.distance = distance(at::cat(estimates), reference);
    out.standard_error = draws.standard_error / scale(reference);
    out.holds = out.distance.error <= 3 * out.standard_error + kSmoothing;
    return out;
  }

  Config config_, section_;
  CheckOptions options_;
  Experiment experiment_;  // in float64
  ParameterSet hyper_;
  std::optional<Experiment> as_configured_;  // in another precision, if it is
};

}  // namespace

CheckResult check_estimator(const Config& config, const CheckOptions& options) {
  return Check(config, options).result();
}

}  // namespace nestgrad
