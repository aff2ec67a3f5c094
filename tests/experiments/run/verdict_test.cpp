#include "experiments/run/verdict.h"

#include <algorithm>

#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// A final run with these validation losses, one of each network.
FinalRun run_of(const std::string& name, const std::vector<double>& losses,
                const std::string& metric = "valid_loss") {
  FinalRun out{name};
  double sum = 0;
  for (const double loss : losses) {
    out.networks.push_back({{{metric, loss}}});
    sum += loss;
  }
  out.metrics[metric] = sum / static_cast<double>(losses.size());
  return out;
}

/// Facts that explain nothing.
VerdictFacts facts_of(const std::vector<double>& start,
                      const std::vector<double>& found) {
  VerdictFacts out{
      run_of("start", start), run_of("found", found), "valid_loss", {}, 100};
  return out;
}

bool has_reason(const Verdict& verdict, const std::string& part) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                     [&](const std::string& reason) {
                       return reason.find(part) != std::string::npos;
                     });
}

}  // namespace

TEST_CASE("a mean of pairs has the interval of Student's t distribution",
          "[verdict]") {
  const PairedMean mean({1, 2, 3});
  CHECK(mean.mean == Approx(2));
  CHECK(mean.half_width == Approx(4.303 * 1 / std::sqrt(3.0)));
  // Tables: 2.776 for 4 degrees of freedom, 2.042 for 30.
  CHECK(PairedMean({0, 0, 0, 0, 5}).half_width ==
        Approx(2.776 * std::sqrt(5.0) / std::sqrt(5.0)).epsilon(1e-3));
  std::vector<double> many(31, 1.0);
  for (std::size_t i = 0; i < many.size(); i += 2) many[i] = -1;
  double squares = 0;
  for (const double x : many) squares += (x + 1.0 / 31) * (x + 1.0 / 31);
  CHECK(PairedMean(many).half_width ==
        Approx(2.042 * std::sqrt(squares / 30 / 31)).epsilon(1e-3));
  CHECK(std::isnan(PairedMean({1}).half_width));
}

TEST_CASE("networks are compared in pairs that share their start",
          "[verdict]") {
  // The networks differ by far more than each pair.
  const Verdict better =
      *verdict_on(facts_of({0.40, 0.50, 0.60}, {0.371, 0.470, 0.569}));
  CHECK(better.outcome == Verdict::Outcome::kBetter);
  CHECK(better.difference == Approx(0.03));
  CHECK(better.networks == 3);
  CHECK_THAT(better.text(), ContainsSubstring("validation loss of 0.47") &&
                                ContainsSubstring("(3 networks), the start") &&
                                ContainsSubstring("better by 0.03, more than"));
  CHECK(better.reasons.empty());
  CHECK(better.to_json()["outcome"] == "better");

  const Verdict worse =
      *verdict_on(facts_of({0.371, 0.470, 0.569}, {0.40, 0.50, 0.60}));
  CHECK(worse.outcome == Verdict::Outcome::kWorse);
  CHECK_THAT(worse.text(), ContainsSubstring("worse by 0.03, more than"));

  // Unpaired, these three differ by less than the networks do.
  const Verdict none =
      *verdict_on(facts_of({0.40, 0.50, 0.60}, {0.38, 0.51, 0.58}));
  CHECK(none.outcome == Verdict::Outcome::kNoDifference);
  CHECK_THAT(none.text(),
             ContainsSubstring("no difference beyond the noise (0.01 better"));
}

TEST_CASE("rounding is no difference, and one network tells no noise",
          "[verdict]") {
  const Verdict rounded = *verdict_on(
      facts_of({0.5, 0.5, 0.5}, {0.5 - 1e-8, 0.5 - 1e-8, 0.5 - 1e-8}));
  CHECK(rounded.outcome == Verdict::Outcome::kNoDifference);
  const Verdict small = *verdict_on(
      facts_of({0.5, 0.5, 0.5}, {0.5 - 1e-5, 0.5 - 1e-5, 0.5 - 1e-5}));
  CHECK(small.outcome == Verdict::Outcome::kBetter);
  CHECK_THAT(small.text(),
             ContainsSubstring("better by 1e-05, the same for all networks"));
  const Verdict equal = *verdict_on(facts_of({0.5, 0.6}, {0.5, 0.6}));
  CHECK(equal.outcome == Verdict::Outcome::kNoDifference);
  CHECK_THAT(equal.text(), ContainsSubstring(": no difference."));

  const Verdict same = *verdict_on(facts_of({0.5}, {0.5}));
  CHECK(same.outcome == Verdict::Outcome::kNoDifference);
  CHECK_THAT(same.text(), ContainsSubstring(": no difference."));

  const Verdict nearly = *verdict_on(facts_of({0.5}, {0.5 - 1e-8}));
  CHECK(nearly.outcome == Verdict::Outcome::kNoDifference);
  CHECK_THAT(nearly.text(), ContainsSubstring(": no difference."));

  const Verdict one = *verdict_on(facts_of({0.5}, {0.4}));
  CHECK(one.outcome == Verdict::Outcome::kUnknown);
  CHECK(one.reasons.empty());
  CHECK_FALSE(one.to_json().contains("noise"));
  CHECK_THAT(one.text(), ContainsSubstring("(one network)") &&
                             ContainsSubstring("better by 0.1, but one"));
}

TEST_CASE("a larger accuracy is better, and is judged without a loss",
          "[verdict]") {
  VerdictFacts facts;
  facts.outer_steps = 50;
  facts.start = run_of("start", {0.90, 0.91, 0.92}, "valid_accuracy");
  facts.found = run_of("found", {0.95, 0.96, 0.97}, "valid_accuracy");
  const Verdict verdict = *verdict_on(facts);
  CHECK(verdict.outcome == Verdict::Outcome::kBetter);
  CHECK_THAT(verdict.text(), ContainsSubstring("validation accuracy of 96") &&
                                 ContainsSubstring("better by 5 points"));
  facts.found = run_of("found", {0.95}, "steps");
  facts.start = run_of("start", {0.95}, "steps");
  CHECK_FALSE(verdict_on(facts));
}

TEST_CASE("what is not better is explained by what the run knows",
          "[verdict]") {
  VerdictFacts facts = facts_of({0.5, 0.6}, {0.7, 0.8});
  CHECK(verdict_on(facts)->reasons.empty());
  facts.outer_steps = 3;
  facts.last_is_best = true;
  facts.at_ends = {"dropout"};
  facts.tuned = {{"valid_loss", 0.3}};
  facts.estimator_trouble = "two estimates failed";
  const Verdict verdict = *verdict_on(facts);
  CHECK(verdict.reasons.size() == 5);
  for (const char* part :
       {"only 3 outer steps", "the best evaluation was the last",
        "'dropout' is at an end", "the weights of tuning have 0.3",
        "two estimates failed"}) {
    CAPTURE(part);
    CHECK(has_reason(verdict, part));
  }
  facts.start_is_best = facts.trained_less = true;
  const Verdict start = *verdict_on(facts);
  CHECK(has_reason(start, "the start itself is handed out"));
  CHECK(has_reason(start, "weights of early steps have been trained less"));
  CHECK_FALSE(has_reason(start, "the best evaluation was the last"));
  // None of this explains a good result.
  facts.found = run_of("found", {0.3, 0.4});
  CHECK(verdict_on(facts)->reasons.empty());
}

TEST_CASE("test data that get worse contradict validation data that get better",
          "[verdict]") {
  VerdictFacts facts = facts_of({0.5, 0.6, 0.7}, {0.4, 0.5, 0.6});
  const auto add_test = [](FinalRun& run, double loss) {
    for (FinalNetwork& network : run.networks) {
      network.metrics["test_loss"] = loss;
      loss += 0.1;
    }
    run.metrics["test_loss"] = loss;
  };
  add_test(facts.start, 0.5);
  add_test(facts.found, 0.55);
  const Verdict verdict = *verdict_on(facts);
  CHECK(verdict.outcome == Verdict::Outcome::kBetter);
  CHECK(has_reason(verdict, "the test loss is worse by 0.05"));
  CHECK_THAT(verdict.text(), ContainsSubstring(". But: the test loss"));
  add_test(facts.found, 0.45);
  CHECK(verdict_on(facts)->reasons.empty());
  // A test loss that has not moved is told, too.
  add_test(facts.found, 0.5);
  CHECK(has_reason(*verdict_on(facts), "the test loss shows no difference"));
}

TEST_CASE("a metric that was tuned is judged instead of the loss",
          "[verdict]") {
  VerdictFacts facts = facts_of({0.5, 0.6}, {0.7, 0.8});
  facts.metric = "valid_recall.valid_card";
  for (FinalNetwork& network : facts.start.networks) {
    network.metrics[facts.metric] = 0.5;
  }
  for (FinalNetwork& network : facts.found.networks) {
    network.metrics[facts.metric] = 0.75;
  }
  facts.start.metrics[facts.metric] = 0.5;
  facts.found.metrics[facts.metric] = 0.75;
  const Verdict verdict = *verdict_on(facts);
  CHECK(verdict.outcome == Verdict::Outcome::kBetter);
  CHECK_THAT(verdict.text(),
             ContainsSubstring("a validation recall.valid_card of 0.75"));
  // One network without it is not compared with one that has it.
  facts.found.networks.front().metrics.erase(facts.metric);
  CHECK(verdict_on(facts)->metric == "valid_loss");
}

TEST_CASE("training that diverges is a verdict", "[verdict]") {
  VerdictFacts facts = facts_of({0.5, 0.6}, {0.4, 0.5});
  facts.found = {"found"};
  facts.found.trouble = "the weights are not finite";
  CHECK(verdict_on(facts)->outcome == Verdict::Outcome::kWorse);
  facts.start = facts.found;
  CHECK(verdict_on(facts)->outcome == Verdict::Outcome::kUnknown);
  facts.found = run_of("found", {0.4, 0.5});
  CHECK(verdict_on(facts)->outcome == Verdict::Outcome::kBetter);
  const Verdict infinite =
      *verdict_on(facts_of({0.5, 0.6, 0.7}, {0.4, INFINITY, 0.5}));
  CHECK(infinite.outcome == Verdict::Outcome::kWorse);
  CHECK_THAT(infinite.text(),
             ContainsSubstring("the validation loss is not finite under the "
                               "found hyperparameters"));
}

}  // namespace nestgrad
