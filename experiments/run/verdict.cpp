#include "experiments/run/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/metric.h"
#include "experiments/record/table.h"

namespace nestgrad {
namespace {

/// Fewer outer steps seldom move hyperparameters far.
constexpr std::int64_t kFewSteps = 10;

/// A smaller gap between the weights of tuning and retrained ones, relative to
/// the metric, explains nothing.
constexpr double kNotableGap = 0.05;

constexpr double kRounding = 1e-6;

/// The 97.5th percentile of Student's t distribution.
double student(std::size_t degrees) {
  constexpr double kFew[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                             2.447,  2.365, 2.306, 2.262, 2.228};
  if (degrees <= std::size(kFew)) return kFew[degrees - 1];
  // The first terms of the expansion in 1 / degrees.
  const double z = 1.959964, n = static_cast<double>(degrees);
  const double cube = z * z * z;
  return z + (cube + z) / (4 * n) +
         (5 * cube * z * z + 16 * cube + 3 * z) / (96 * n * n);
}

/// Whether all networks of a run have a metric.
bool has(const FinalRun& run, const std::string& metric) {
  return !run.networks.empty() &&
         std::all_of(run.networks.begin(), run.networks.end(),
                     [&](const FinalNetwork& network) {
                       return network.metrics.count(metric) > 0;
                     });
}

/// How much better `found` is than `start`, network by network. REQUIRES that
/// all networks have the metric.
std::vector<double> improvements(const FinalRun& start, const FinalRun& found,
                                 const std::string& metric) {
  std::vector<double> out;
  const std::size_t n = std::min(start.networks.size(), found.networks.size());
  for (std::size_t i = 0; i < n; ++i) {
    out.push_back(to_minimize(metric, start.networks[i].metrics.at(metric)) -
                  to_minimize(metric, found.networks[i].metrics.at(metric)));
  }
  return out;
}

constexpr const char* kValid = "valid_";

bool is_of_validation(const std::string& metric) {
  return metric.rfind(kValid, 0) == 0;
}

/// What follows "valid_".
std::string name_of(const std::string& metric) {
  return metric.substr(std::string(kValid).size());
}

/// The metric that is judged: that of the facts or, if the final runs do not
/// have it, the validation loss or the first metric of validation data.
std::string metric_of(const VerdictFacts& facts) {
  std::vector<std::string> choice = {facts.metric, "valid_loss"};
  for (const auto& entry : facts.found.metrics) {
    if (is_of_validation(entry.first)) choice.push_back(entry.first);
  }
  for (const std::string& metric : choice) {
    if (has(facts.start, metric) && has(facts.found, metric)) return metric;
  }
  return "";
}

std::string words(const std::string& metric) {
  return is_of_validation(metric) ? "validation " + title_of(name_of(metric))
                                  : title_of(metric);
}

std::string value_of(const FinalRun& run, const std::string& metric) {
  const auto spread = run.deviation.find(metric);
  return spread == run.deviation.end()
             ? format_metric(metric, run.metrics.at(metric))
             : format_metric(metric, run.metrics.at(metric), spread->second);
}

/// "0.027", or "1.2 points" for accuracies.
std::string size_of(const std::string& metric, double difference) {
  return is_accuracy(metric)
             ? fmt::format("{:.2g} points", 100 * std::abs(difference))
             : fmt::format("{:.2g}", std::abs(difference));
}

Verdict::Outcome outcome_of(const PairedMean& mean, double start) {
  const double rounding = kRounding * std::abs(start);
  if (std::abs(mean.mean) <= rounding) return Verdict::Outcome::kNoDifference;
  if (std::isnan(mean.half_width)) return Verdict::Outcome::kUnknown;
  const double least = std::max(mean.half_width, rounding);
  return mean.mean > least    ? Verdict::Outcome::kBetter
         : mean.mean < -least ? Verdict::Outcome::kWorse
                              : Verdict::Outcome::kNoDifference;
}

/// "by 0.03, more than the noise".
std::string beyond_noise(const std::string& metric, const PairedMean& mean) {
  return fmt::format("by {}, {}", size_of(metric, mean.mean),
                     mean.half_width > kRounding * std::abs(mean.mean)
                         ? "more than the noise"
                         : "the same for all networks");
}

/// What the outcome says about the difference.
std::string ending_of(const Verdict& verdict, const PairedMean& mean) {
  const std::string size = size_of(verdict.metric, verdict.difference);
  switch (verdict.outcome) {
    case Verdict::Outcome::kBetter:
      return "better " + beyond_noise(verdict.metric, mean);
    case Verdict::Outcome::kWorse:
      return "worse " + beyond_noise(verdict.metric, mean);
    case Verdict::Outcome::kNoDifference:
      return verdict.difference == 0 || std::isnan(verdict.noise)
                 ? "no difference"
                 : fmt::format("no difference beyond the noise ({} {}, ± {})",
                               size,
                               verdict.difference > 0 ? "better" : "worse",
                               size_of(verdict.metric, verdict.noise));
    case Verdict::Outcome::kUnknown:
      break;
  }
  return fmt::format(
      "{} by {}, but one network does not tell the noise (\"networks\": 3 in "
      "\"record\" does)",
      verdict.difference < 0 ? "worse" : "better", size);
}

/// What the run knows that may explain a result that is not better.
std::vector<std::string> reasons_for(const VerdictFacts& facts,
                                     const Verdict& verdict) {
  std::vector<std::string> out;
  if (facts.start_is_best) {
    out.push_back(
        "no evaluation of tuning was better than that of the start, so the "
        "start itself is handed out");
  }
  if (facts.trained_less) {
    out.push_back(
        "in warm start, weights of early steps have been trained less than "
        "those of later ones, which alone may make them the best (\"select\": "
        "\"last\" in \"outer\" hands out the last step)");
  }
  if (facts.outer_steps < kFewSteps) {
    out.push_back(
        facts.outer_steps == 1
            ? "only one outer step was made"
            : fmt::format("only {} outer steps were made", facts.outer_steps));
  }
  if (facts.last_is_best && !facts.start_is_best) {
    out.push_back(
        "the best evaluation was the last, so more outer steps may help");
  }
  for (const std::string& name : facts.at_ends) {
    out.push_back(fmt::format("'{}' is at an end of its range", name));
  }
  const auto tuned = facts.tuned.find(verdict.metric);
  if (tuned != facts.tuned.end() && facts.found.trouble.empty()) {
    const double retrained = facts.found.metrics.at(verdict.metric);
    const double gap = to_minimize(verdict.metric, retrained) -
                       to_minimize(verdict.metric, tuned->second);
    // Near zero, what is notable is told by the noise.
    const double noise = std::isnan(verdict.noise) ? 0 : verdict.noise;
    if (gap > std::max(noise, kNotableGap * std::abs(retrained))) {
      out.push_back(fmt::format(
          "the weights of tuning have {}: what was found suits them better "
          "than training from scratch",
          format_metric(verdict.metric, tuned->second)));
    }
  }
  if (!facts.estimator_trouble.empty()) {
    out.push_back(facts.estimator_trouble);
  }
  return out;
}

/// What test data say, if they do not confirm that the found hyperparameters
/// are better, or that they are no worse; "" otherwise. Validation data have
/// chosen the hyperparameters, test data have not.
std::string disagreement(const VerdictFacts& facts, const Verdict& verdict) {
  if (verdict.outcome == Verdict::Outcome::kWorse ||
      !is_of_validation(verdict.metric)) {
    return "";
  }
  const std::string metric = "test_" + name_of(verdict.metric);
  if (!has(facts.start, metric) || !has(facts.found, metric)) return "";
  const PairedMean mean(improvements(facts.start, facts.found, metric));
  switch (outcome_of(mean, facts.start.metrics.at(metric))) {
    case Verdict::Outcome::kWorse:
      return fmt::format(
          "the {} is worse {}: the hyperparameters may be fitted to the "
          "validation set; more validation examples or fewer hyperparameters "
          "help",
          words(metric), beyond_noise(metric, mean));
    case Verdict::Outcome::kNoDifference:
      return verdict.outcome == Verdict::Outcome::kBetter
                 ? fmt::format("the {} shows no difference beyond the noise",
                               words(metric))
                 : "";
    default:
      return "";
  }
}

/// The verdict if training or its loss under one of them is not finite.
Verdict of_divergence(const VerdictFacts& facts, const std::string& metric,
                      bool start, bool found) {
  Verdict out;
  out.noise = std::nan("");
  out.outcome = start && found ? Verdict::Outcome::kUnknown
                : found        ? Verdict::Outcome::kWorse
                               : Verdict::Outcome::kBetter;
  const bool diverged =
      !facts.start.trouble.empty() || !facts.found.trouble.empty();
  const std::string what =
      diverged ? "training diverges"
               : fmt::format("the {} is not finite", words(metric));
  out.sentence = start && found
                     ? fmt::format(
                           "Retrained from scratch, {} under the found "
                           "hyperparameters and under those of the start",
                           what)
                     : fmt::format(
                           "Retrained from scratch, {} under the {} "
                           "hyperparameters and not under {}: {}",
                           what, found ? "found" : "initial",
                           found ? "those of the start" : "those found",
                           found ? "worse" : "better");
  return out;
}

}  // namespace

PairedMean::PairedMean(const std::vector<double>& numbers) {
  const auto n = static_cast<double>(numbers.size());
  for (const double x : numbers) mean += x;
  mean /= n;
  double squares = 0;
  for (const double x : numbers) squares += (x - mean) * (x - mean);
  half_width = numbers.size() < 2 ? std::nan("")
                                  : student(numbers.size() - 1) *
                                        std::sqrt(squares / (n - 1) / n);
}

std::optional<Verdict> verdict_on(const VerdictFacts& facts) {
  Verdict out;
  const std::string metric = metric_of(facts);
  const auto is_bad = [&](const FinalRun& run) {
    return !run.trouble.empty() ||
           (!metric.empty() && !std::isfinite(run.metrics.at(metric)));
  };
  const bool start = is_bad(facts.start), found = is_bad(facts.found);
  if (start || found) {
    out = of_divergence(facts, metric, start, found);
  } else {
    out.metric = metric;
    if (metric.empty()) return {};
    const PairedMean mean(improvements(facts.start, facts.found, out.metric));
    out.networks = static_cast<std::int64_t>(facts.found.networks.size());
    out.difference = mean.mean;
    out.noise = mean.half_width;
    out.outcome = outcome_of(mean, facts.start.metrics.at(out.metric));
    out.sentence = fmt::format(
        "Retrained from scratch, the found hyperparameters have a {} of {} "
        "({}), the start {}: {}",
        words(out.metric), value_of(facts.found, out.metric),
        out.networks == 1 ? "one network"
                          : fmt::format("{} networks", out.networks),
        value_of(facts.start, out.metric), ending_of(out, mean));
  }
  const bool is_better =
      out.outcome == Verdict::Outcome::kBetter ||
      (out.outcome == Verdict::Outcome::kUnknown && out.difference > 0);
  if (!is_better) out.reasons = reasons_for(facts, out);
  if (!start && !found) {
    const std::string other = disagreement(facts, out);
    if (!other.empty()) out.reasons.push_back(other);
  }
  return out;
}

const char* Verdict::word() const {
  switch (outcome) {
    case Outcome::kBetter:
      return "better";
    case Outcome::kNoDifference:
      return "no difference";
    case Outcome::kWorse:
      return "worse";
    case Outcome::kUnknown:
      break;
  }
  return "unknown";
}

std::string Verdict::text() const {
  if (reasons.empty()) return sentence + ".";
  return fmt::format(
      "{}. {}: {}.", sentence,
      outcome == Outcome::kBetter ? "But" : "Facts that may explain it",
      fmt::join(reasons, "; "));
}

Json Verdict::to_json() const {
  Json out = {{"outcome", word()}, {"text", text()}, {"reasons", reasons}};
  if (metric.empty()) return out;
  out["metric"] = metric;
  out["networks"] = networks;
  out["difference"] = difference;
  if (!std::isnan(noise)) out["noise"] = noise;
  return out;
}

}  // namespace nestgrad
