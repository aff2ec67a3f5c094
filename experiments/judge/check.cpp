#include "experiments/judge/check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "experiments/judge/judge.h"

namespace nestgrad {
namespace {

/// A reference by central differences that is not known to this is none.
/// How far, relatively, the smoothing of perturbations may move a mean.
constexpr double kSmoothing = 0.02;

constexpr double kUncertain = 1e-3;

/// A tensor whose share of the hypergradient is below this is judged by the
/// whole.
constexpr double kSmallShare = 1e-3;

Json json_of(const Distance& distance) {
  return {{"error", distance.error},
          {"cosine", distance.cosine},
          {"norm_ratio", distance.norm_ratio}};
}

std::string percent(double error) {
  return error < 1e-3 ? fmt::format("{:.1e}", error)
                      : fmt::format("{:.3g} %", 100 * error);
}

/// What errors are told by: the length of the truth, 1 if that is zero.
double scale(const Tensor& truth) {
  const auto length = truth.norm().item<double>();
  return length > 0 ? length : 1;
}

class Check {
 public:
  Check(const Config& config, const CheckOptions& options)
      : section_(config.object("estimator")),
        options_(options),
        experiment_(config),
        hyper_(experiment_.initial_hyper()) {
    require_tuning(experiment_);
  }

  Json json() {
    Json out = {{"estimator", section_.json()},
                {"windows", options_.windows},
                {"hyperparameters", hyper_.numel()}};
    tell("training and the estimate");
    const auto [estimator, estimate] = ask({});
    out["target"] = to_string(estimator->target());
    out["status"] = to_string(estimate.status);
    if (!estimate.trouble.empty()) out["trouble"] = estimate.trouble;
    if (!all_finite(estimate.gradient)) {
      return ended(out, false, "FAILED: the estimate is not finite.");
    }
    const Objective claim = estimator->claim();
    if (claim) {
      tell("central differences of the claim");
      judge_by_claim(estimate.gradient, claim, out);
      const double parts = estimator->parts_error();
      out["claim"]["parts_error"] = parts;
      // NaN is no answer either.
      if (!(parts <= options_.tolerance)) out["claim"]["holds"] = false;
    }
    tell("the reference for the target");
    const Reference reference = make_reference(experiment_, section_, hyper_,
                                               estimator->target(), turns());
    judge_by_target(estimate.gradient, reference, out);
    if (estimator->reseed(Key())) {
      tell(fmt::format("{} draws of the method's randomness", options_.keys));
      const Draws draws = draw_estimates(options_.keys, [&](const Key& key) {
        return ask(key).second.gradient;
      });
      judge_randomness(draws, reference, out);
      if (const Objective mean = estimator->mean_claim(); !claim && mean) {
        tell("central differences of what the draws should have for a mean");
        judge_mean(draws, mean, out);
        return verdict_of_mean(out);
      }
    }
    return verdict(claim != nullptr, out);
  }

 private:
  void tell(const std::string& what) const {
    if (options_.progress) options_.progress(what);
  }

  /// How often an estimator is asked until it has trained for these windows.
  std::int64_t turns() const {
    const Truncation cut = Truncation::read(section_);
    return (options_.windows - 1) * cut.outer_steps_per_window + 1;
  }

  /// A fresh estimator after so many windows, and its last estimate. With a
  /// key, that of its own randomness.
  std::pair<std::unique_ptr<HypergradientEstimator>, Estimate> ask(
      const std::optional<Key>& key) const {
    auto estimator = asked(experiment_, section_, turns() - 1, key);
    Estimate estimate = estimator->estimate(hyper_);
    return {std::move(estimator), std::move(estimate)};
  }

  void judge_by_claim(const ParameterSet& gradient, const Objective& claim,
                      Json& out) const {
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
    Json& judged = out["claim"];
    judged = json_of(distance(at::cat(estimates), reference));
    judged["uncertainty"] = size > 0 ? uncertainty / size : uncertainty;
    judged["parts"] = Json::object();
    bool holds = true;
    for (const ClaimPart& part : parts) {
      const double own = part.reference.norm().item<double>();
      const double allowed =
          options_.tolerance * std::max(own, kSmallShare * size) +
          3 * part.uncertainty;
      const bool good = part.error() <= allowed;
      holds = holds && good;
      judged["parts"][part.name] = {
          {"error", own > 0 ? part.error() / own : part.error()},
          {"directions", part.directions},
          {"all", part.all},
          {"holds", good}};
    }
    judged["known"] =
        std::isfinite(uncertainty) && uncertainty <= kUncertain * size;
    if (size == 0) judged["known"] = uncertainty == 0;
    judged["holds"] = holds;
  }

  void judge_by_target(const ParameterSet& gradient, const Reference& reference,
                       Json& out) const {
    Json& judged = out["bias"];
    if (reference.gradient.empty()) {
      judged = {{"reference", reference.how}, {"known", false}};
      return;
    }
    judged =
        json_of(distance(gradient.flatten(), reference.gradient.flatten()));
    judged["reference"] = reference.how;
    judged["residual"] = reference.residual;
    judged["known"] = reference.good();
    judged["parts"] = Json::object();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      judged["parts"][gradient.name(i)] =
          json_of(distance(gradient.tensors()[i].reshape(-1),
                           reference.gradient.tensors()[i].reshape(-1)));
    }
  }

  /// Mean, standard error of the mean and standard deviation over keys with its
  /// 95 % interval, all by the length of the reference.
  void judge_randomness(const Draws& draws, const Reference& reference,
                        Json& out) const {
    // By the length of the mean where there is no reference.
    const bool known = !reference.gradient.empty();
    const Tensor mean = draws.mean.flatten();
    const Tensor r = known ? reference.gradient.flatten() : mean;
    const double size = scale(r);
    Json judged = Json::object();
    if (known) judged = json_of(distance(mean, r));
    judged["keys"] = options_.keys;
    judged["standard_error"] = draws.standard_error / size;
    const double deviation = draws.standard_deviation / size;
    judged["standard_deviation"] = deviation;
    judged["standard_deviation_interval"] = {
        deviation / draws.deviation_factor, deviation * draws.deviation_factor};
    out["random"] = std::move(judged);
  }

  /// The mean of the draws against central differences of what it should be.
  void judge_mean(const Draws& draws, const Objective& mean_claim,
                  Json& out) const {
    std::vector<Tensor> estimates, references;
    for (const ClaimPart& part : judge_claim(draws.mean, mean_claim, hyper_)) {
      estimates.push_back(part.estimate);
      references.push_back(part.reference);
    }
    const Tensor reference = at::cat(references);
    const double size = scale(reference);
    Json judged = json_of(distance(at::cat(estimates), reference));
    judged["standard_error"] = draws.standard_error / size;
    judged["holds"] = judged["error"].get<double>() <=
                      3 * judged["standard_error"].get<double>() + kSmoothing;
    out["mean_claim"] = std::move(judged);
  }

  Json verdict_of_mean(Json& out) const {
    const Json& mean = out["mean_claim"];
    const auto error = mean["error"].get<double>();
    const auto standard_error = mean["standard_error"].get<double>();
    const bool holds = mean["holds"].get<bool>();
    std::string text = fmt::format(
        "{}The mean of {} draws is {} off what the method claims on average, "
        "with a standard error of {}",
        holds ? "" : "WRONG: ", options_.keys, percent(error),
        percent(standard_error));
    const Json& bias = out["bias"];
    if (!bias["known"]) return ended(out, holds, text + ".");
    const auto off = out["random"]["error"].get<double>();
    const auto own = out["random"]["standard_error"].get<double>();
    text += fmt::format(
        "; it is {} off the {} hypergradient (95 % interval "
        "from {} to {}), and one draw has a standard deviation "
        "of {} ({} to {}).",
        percent(off), to_words(out["target"]),
        percent(std::max(0.0, off - 2 * own)), percent(off + 2 * own),
        percent(out["random"]["standard_deviation"]),
        percent(out["random"]["standard_deviation_interval"][0]),
        percent(out["random"]["standard_deviation_interval"][1]));
    const bool near = !options_.max_bias || off <= *options_.max_bias + 3 * own;
    return ended(out, holds && near, near ? text : "TOO FAR OFF: " + text);
  }

  static Json ended(Json& out, bool passed, std::string verdict) {
    out["passed"] = passed;
    out["verdict"] = std::move(verdict);
    return out;
  }

  Json verdict(bool claims, Json& out) const {
    if (claims) {
      const Json& claim = out["claim"];
      const auto error = claim["error"].get<double>();
      if (!claim["holds"]) {
        std::string worst;
        for (const auto& [name, part] : claim["parts"].items()) {
          if (part["holds"]) continue;
          worst += fmt::format("{}'{}' by {}", worst.empty() ? "" : ", ", name,
                               percent(part["error"].get<double>()));
        }
        if (worst.empty()) {
          return ended(out, false,
                       fmt::format("WRONG: the solver's answer is off its own "
                                   "formula by {} on a small system.",
                                   percent(claim["parts_error"])));
        }
        return ended(out, false,
                     fmt::format("WRONG: the estimate is not the derivative of "
                                 "what the method claims to differentiate; it "
                                 "is off for {}.",
                                 worst));
      }
      if (!claim["known"]) {
        return ended(
            out, false,
            fmt::format("CANNOT BE JUDGED: central differences of what the "
                        "method claims are themselves uncertain by {}.",
                        percent(claim["uncertainty"].get<double>())));
      }
      out["claim"]["error"] = error;
    }
    const std::string start =
        claims ? fmt::format(
                     "The estimate is what the method claims (error "
                     "{}",
                     percent(out["claim"]["error"].get<double>()))
               : "The method makes no claim";
    const Json& bias = out["bias"];
    if (!bias["known"]) {
      const std::string reason = bias["reference"].get<std::string>();
      if (!claims || options_.max_bias) {
        return ended(out, false,
                     fmt::format("CANNOT BE JUDGED: there is no reference to "
                                 "be trusted ({}).",
                                 reason));
      }
      if (out["target"] == "own") {
        return ended(out, true, start + "), an objective of its own.");
      }
      return ended(out, true,
                   fmt::format("{}); how far that is from the {} hypergradient "
                               "is not known: there is no reference to be "
                               "trusted ({}).",
                               start, to_words(out["target"]), reason));
    }
    const auto error = bias["error"].get<double>();
    const auto cosine = bias["cosine"].get<double>();
    const std::string distance = fmt::format(
        "{} off the {} hypergradient (cosine {:.4g}, norm ratio {:.4g})",
        percent(error), to_words(out["target"]), cosine,
        bias["norm_ratio"].get<double>());
    const std::string both =
        fmt::format("{}{} and {}.", start, claims ? ")" : "", distance);
    // Not a number if the estimate or the reference is zero: no direction.
    if (!(cosine > 0)) {
      return ended(out, false,
                   "WRONG DIRECTION: " + both +
                       " At these weights the method points away from what it "
                       "approximates; --windows trains longer first.");
    }
    const double most =
        options_.max_bias.value_or(claims ? INFINITY : options_.tolerance);
    if (!(error <= most)) {
      return ended(out, false,
                   fmt::format("TOO FAR OFF: {} At most {} is allowed.", both,
                               percent(most)));
    }
    return ended(out, true, both);
  }

  static std::string to_words(const Json& target) {
    return target == "training" ? "whole run's" : "exact implicit";
  }

  Config section_;
  CheckOptions options_;
  Experiment experiment_;
  ParameterSet hyper_;
};

}  // namespace

Json check_estimator(const Config& config, const CheckOptions& options) {
  return Check(config, options).json();
}

std::string format_check(const Json& result) {
  std::string out;
  const auto line = [&](const std::string& name, const std::string& value) {
    out += fmt::format("{:22}{}\n", name, value);
  };
  const auto numbers = [](const Json& judged) {
    return fmt::format("error {:.2e}   cosine {:.6f}   norm ratio {:.6f}",
                       judged["error"].get<double>(),
                       judged["cosine"].get<double>(),
                       judged["norm_ratio"].get<double>());
  };
  if (result.contains("trouble")) {
    line("trouble", result["trouble"].get<std::string>());
  }
  if (result.contains("claim")) {
    const Json& claim = result["claim"];
    line("against its claim", numbers(claim));
    line("", fmt::format("central differences, good to {:.1e}",
                         claim["uncertainty"].get<double>()));
    if (const auto parts = claim["parts_error"].get<double>(); parts != 0) {
      line("  its solver",
           fmt::format("error {:.2e}   against its formula, 12 unknowns",
                       parts));
    }
    for (const auto& [name, part] : claim["parts"].items()) {
      line("  " + name,
           fmt::format("error {:.2e}   {}{} {}", part["error"].get<double>(),
                       part["all"].get<bool>() ? "all " : "",
                       part["directions"].get<std::int64_t>(),
                       part["all"].get<bool>() ? "coordinates" : "directions"));
    }
  }
  if (result.contains("bias") && result["bias"].contains("error")) {
    const Json& bias = result["bias"];
    if (!bias["known"]) {
      line("its target", "no reference to be trusted");
      line("", bias["reference"].get<std::string>());
    } else {
      line("against its target", numbers(bias));
      line("", bias["reference"].get<std::string>());
      for (const auto& [name, part] : bias["parts"].items()) {
        line("  " + name, numbers(part));
      }
    }
  }
  if (result.contains("mean_claim")) {
    line("its mean", numbers(result["mean_claim"]));
    line("", "against central differences of what it should be on average");
  }
  if (result.contains("random")) {
    const Json& random = result["random"];
    const auto keys = random["keys"].get<std::int64_t>();
    line(fmt::format("mean of {} keys", keys),
         random.contains("error") && result["bias"]["known"]
             ? numbers(random)
             : "no reference to compare it with");
    const Json& interval = random["standard_deviation_interval"];
    line("", fmt::format("standard error {:.2e}, standard deviation of one "
                         "estimate {:.2e} ({:.2e} to {:.2e})",
                         random["standard_error"].get<double>(),
                         random["standard_deviation"].get<double>(),
                         interval[0].get<double>(), interval[1].get<double>()));
  }
  out += "\n" + result["verdict"].get<std::string>() + "\n";
  return out;
}

}  // namespace nestgrad
