#include "experiments/judge/check_result.h"

#include <fmt/format.h>

#include <cmath>

namespace nestgrad {
namespace {

Json json_of(const Distance& distance) {
  return {{"error", distance.error},
          {"cosine", distance.cosine},
          {"norm_ratio", distance.norm_ratio}};
}

Json json_of(const ClaimResult& claim) {
  Json out = json_of(claim.distance);
  out["uncertainty"] = claim.uncertainty;
  out["parts"] = Json::object();
  for (const ClaimResult::Part& part : claim.parts) {
    out["parts"][part.name] = {{"error", part.error},
                               {"directions", part.directions},
                               {"all", part.all},
                               {"holds", part.holds}};
  }
  out["known"] = claim.known;
  out["holds"] = claim.holds;
  out["parts_error"] = claim.parts_error;
  return out;
}

Json json_of(const BiasResult& bias) {
  if (!bias.distance) {
    return {{"reference", bias.reference}, {"known", bias.known}};
  }
  Json out = json_of(*bias.distance);
  out["reference"] = bias.reference;
  out["residual"] = bias.residual;
  out["known"] = bias.known;
  out["parts"] = Json::object();
  for (const auto& [name, part] : bias.parts) {
    out["parts"][name] = json_of(part);
  }
  return out;
}

Json json_of(const RandomResult& random) {
  Json out = Json::object();
  if (random.distance) out = json_of(*random.distance);
  out["keys"] = random.keys;
  out["standard_error"] = random.standard_error;
  out["standard_deviation"] = random.standard_deviation;
  out["standard_deviation_interval"] = {random.deviation_low,
                                        random.deviation_high};
  return out;
}

Json json_of(const MeanClaimResult& mean) {
  Json out = json_of(mean.distance);
  out["standard_error"] = mean.standard_error;
  out["holds"] = mean.holds;
  return out;
}

Json json_of(const PrecisionResult& precision) {
  Json out = Json::object();
  if (precision.distance) out = json_of(*precision.distance);
  out["name"] = precision.precision;
  if (!precision.trouble.empty()) out["trouble"] = precision.trouble;
  return out;
}

std::string line(const std::string& name, const std::string& value) {
  return fmt::format("{:22}{}\n", name, value);
}

std::string numbers(const Distance& distance) {
  // There is no angle to a vector of zeros, and nothing is relative to one.
  const std::string cosine = std::isfinite(distance.cosine)
                                 ? fmt::format("{:.6f}", distance.cosine)
                                 : "none";
  if (!std::isfinite(distance.norm_ratio)) {
    return "the reference is zero, the estimate is not";
  }
  return fmt::format("error {:.2e}   cosine {}   norm ratio {:.6f}",
                     distance.error, cosine, distance.norm_ratio);
}

std::string text_of(const ClaimResult& claim) {
  std::string out = line("against its claim", numbers(claim.distance));
  out += line("", fmt::format("central differences, good to {:.1e}",
                              claim.uncertainty));
  if (claim.parts_error != 0) {
    out += line("  its solver",
                fmt::format("error {:.2e}   against its formula, 12 unknowns",
                            claim.parts_error));
  }
  for (const ClaimResult::Part& part : claim.parts) {
    out += line("  " + part.name,
                fmt::format("error {:.2e}   {}{} {}", part.error,
                            part.all ? "all " : "", part.directions,
                            part.all ? "coordinates" : "directions"));
  }
  return out;
}

/// `draws`: of a random method, 0 for others.
std::string text_of(const BiasResult& bias, std::int64_t draws) {
  if (!bias.distance) return "";
  if (!bias.known) {
    return line("its target", "no reference to be trusted") +
           line("", bias.reference);
  }
  std::string out = line("against its target", numbers(*bias.distance)) +
                    line("", bias.reference);
  if (draws > 0) {
    out += line("",
                "by one draw of the method's randomness; the mean of "
                "several is below");
  }
  for (const auto& [name, part] : bias.parts) {
    out += line("  " + name, numbers(part));
  }
  return out;
}

/// `known`: the reference is good enough to compare the mean with it.
std::string text_of(const RandomResult& random, bool known) {
  return line(fmt::format("mean of {} keys", random.keys),
              random.distance && known ? numbers(*random.distance)
                                       : "no reference to compare it with") +
         line("", fmt::format("standard error {:.2e}, standard deviation of "
                              "one estimate {:.2e} ({:.2e} to {:.2e})",
                              random.standard_error, random.standard_deviation,
                              random.deviation_low, random.deviation_high));
}

}  // namespace

Json CheckResult::to_json() const {
  Json out = {{"estimator", estimator},
              {"windows", windows},
              {"hyperparameters", hyperparameters},
              {"target", to_string(target)},
              {"status", to_string(status)}};
  if (!trouble.empty()) out["trouble"] = trouble;
  if (claim) out["claim"] = json_of(*claim);
  if (bias) {
    out["bias"] = json_of(*bias);
    if (random) out["bias"]["draws"] = 1;
  }
  if (random) out["random"] = json_of(*random);
  if (mean_claim) out["mean_claim"] = json_of(*mean_claim);
  if (precision) out["precision"] = json_of(*precision);
  out["passed"] = passed;
  out["verdict"] = verdict;
  return out;
}

std::string CheckResult::text() const {
  std::string out;
  if (!trouble.empty()) out += line("trouble", trouble);
  if (claim) out += text_of(*claim);
  if (bias) out += text_of(*bias, random ? random->keys : 0);
  if (mean_claim) {
    out += line("its mean", numbers(mean_claim->distance)) +
           line("",
                "against central differences of what it should be on "
                "average");
  }
  if (random) out += text_of(*random, bias && bias->known);
  if (precision) {
    out += line("in " + precision->precision,
                precision->distance ? numbers(*precision->distance)
                                    : precision->trouble) +
           line("", "against the same estimate in float64");
  }
  return out + "\n" + verdict + "\n";
}

}  // namespace nestgrad
