#include "experiments/judge/check_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace nestgrad {
namespace {

std::string percent(double error) {
  return error < 1e-3 ? fmt::format("{:.1e}", error)
                      : fmt::format("{:.3g} %", 100 * error);
}

std::string to_words(Target target) {
  return target == Target::kTraining ? "whole run's" : "exact implicit";
}

/// So many draws tell how far their mean scatters.
constexpr std::int64_t kEnoughDraws = 10;

/// For a random method without a claim: by the mean of its draws.
CheckVerdict verdict_on_mean(const CheckResult& measured,
                             const CheckOptions& options) {
  const MeanClaimResult& mean = *measured.mean_claim;
  if (!mean.holds && options.keys < kEnoughDraws) {
    return {
        false,
        fmt::format("CANNOT BE JUDGED: the mean of {} is {} off what the "
                    "method claims on average, which may well be chance; "
                    "--keys 20 draws more.",
                    options.keys == 1 ? "one draw"
                                      : fmt::format("{} draws", options.keys),
                    percent(mean.distance.error))};
  }
  std::string text = fmt::format(
      "{}The mean of {} draws is {} off what the method claims on average, "
      "with a standard error of {}",
      mean.holds ? "" : "WRONG: ", options.keys, percent(mean.distance.error),
      percent(mean.standard_error));
  if (!measured.bias->known) return {mean.holds, text + "."};
  const RandomResult& random = *measured.random;
  const double off = random.distance->error, own = random.standard_error;
  text += fmt::format(
      "; it is {} off the {} hypergradient (95 % interval "
      "from {} to {}), and one draw has a standard deviation "
      "of {} ({} to {}).",
      percent(off), to_words(measured.target),
      percent(std::max(0.0, off - 2 * own)), percent(off + 2 * own),
      percent(random.standard_deviation), percent(random.deviation_low),
      percent(random.deviation_high));
  const bool near = !options.max_bias || off <= *options.max_bias + 3 * own;
  return {mean.holds && near, near ? text : "TOO FAR OFF: " + text};
}

/// Where the claim does not hold.
CheckVerdict wrong(const ClaimResult& claim) {
  std::string worst;
  for (const ClaimResult::Part& part : claim.parts) {
    if (part.holds) continue;
    worst += fmt::format("{}'{}' by {}", worst.empty() ? "" : ", ", part.name,
                         percent(part.error));
  }
  if (worst.empty()) {
    return {false, fmt::format("WRONG: the solver's answer is off its own "
                               "formula by {} on a small system.",
                               percent(claim.parts_error))};
  }
  return {false, fmt::format("WRONG: the estimate is not the derivative of "
                             "what the method claims to differentiate; it "
                             "is off for {}.",
                             worst)};
}

/// Where nothing is known about the bias. `start`: the words on the claim.
CheckVerdict without_reference(const CheckResult& measured,
                               const CheckOptions& options,
                               const std::string& start) {
  const std::string& reason = measured.bias->reference;
  if (!measured.claim || options.max_bias) {
    return {false, fmt::format("CANNOT BE JUDGED: there is no reference to "
                               "be trusted ({}).",
                               reason)};
  }
  if (measured.target == Target::kOwn) {
    return {true, start + "), an objective of its own."};
  }
  return {true, fmt::format("{}); how far that is from the {} hypergradient "
                            "is not known: there is no reference to be "
                            "trusted ({}).",
                            start, to_words(measured.target), reason)};
}

/// Where the estimate or the reference is zero, so that there is no angle
/// between them. `who`: what has been compared.
CheckVerdict without_direction(const CheckResult& measured, const Distance& off,
                               const std::string& start,
                               const std::string& who) {
  const std::string zero =
      off.norm_ratio == 0
          ? fmt::format(
                "{} is zero after {} of training, the {} hypergradient "
                "is not",
                who,
                measured.windows == 1
                    ? "one window"
                    : fmt::format("{} windows", measured.windows),
                to_words(measured.target))
          : fmt::format("the {} hypergradient is zero, {} is not",
                        to_words(measured.target), who);
  return {false, fmt::format("CANNOT BE JUDGED: {}. {}--windows {} trains "
                             "longer first.",
                             zero, measured.claim ? start + "). " : "",
                             10 * measured.windows)};
}

/// " It is zero for 'lr'.": the hyperparameters of which the method sees
/// nothing; "" if there are none.
std::string unseen(const BiasResult& bias) {
  std::string names;
  for (const auto& [name, part] : bias.parts) {
    if (part.norm_ratio != 0) continue;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", name);
  }
  return names.empty() ? "" : fmt::format(" It is zero for {}.", names);
}

/// By the distance to the reference: of the estimate or, for a random method,
/// of the mean of its draws.
CheckVerdict verdict_on_bias(const CheckResult& measured,
                             const CheckOptions& options,
                             const std::string& start) {
  const bool random = measured.random && measured.random->distance;
  const Distance& off =
      random ? *measured.random->distance : *measured.bias->distance;
  const std::string who =
      random ? fmt::format("the mean of {} draws", measured.random->keys)
             : "the estimate";
  if (!std::isfinite(off.cosine)) {
    return without_direction(measured, off, start, who);
  }
  const std::string both = fmt::format(
      "{}{} and {}{} off the {} hypergradient (cosine {:.4g}, norm ratio "
      "{:.4g}).{}",
      start, measured.claim ? ")" : "", random ? who + " is " : "",
      percent(off.error), to_words(measured.target), off.cosine, off.norm_ratio,
      unseen(*measured.bias));
  const double noise = random ? 3 * measured.random->standard_error : 0;
  if (!(off.cosine > 0) && off.norm_ratio <= noise) {
    return {false, "CANNOT BE JUDGED: " + both +
                       " So few draws may point anywhere by chance; --keys "
                       "draws more."};
  }
  if (!(off.cosine > 0)) {
    return {false, "WRONG DIRECTION: " + both +
                       " At these weights the method points away from what it "
                       "approximates; --windows trains longer first."};
  }
  const double most =
      options.max_bias.value_or(measured.claim ? INFINITY : options.tolerance);
  if (!(off.error <= most + noise)) {
    return {false, fmt::format("TOO FAR OFF: {} At most {} is allowed.", both,
                               percent(most))};
  }
  return {true, both};
}

}  // namespace

CheckVerdict verdict_on(const CheckResult& measured,
                        const CheckOptions& options) {
  if (!measured.finite) return {false, "FAILED: the estimate is not finite."};
  if (measured.mean_claim) return verdict_on_mean(measured, options);
  std::string start = "The method makes no claim";
  if (const auto& claim = measured.claim) {
    if (!claim->holds) return wrong(*claim);
    if (!claim->known) {
      return {false,
              fmt::format("CANNOT BE JUDGED: central differences of what the "
                          "method claims are themselves uncertain by {}.",
                          percent(claim->uncertainty))};
    }
    start = fmt::format("The estimate is what the method claims (error {}",
                        percent(claim->distance.error));
  }
  return measured.bias->known ? verdict_on_bias(measured, options, start)
                              : without_reference(measured, options, start);
}

}  // namespace nestgrad
