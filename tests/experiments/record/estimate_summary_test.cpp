#include "experiments/record/estimate_summary.h"

#include "tests/support/support.h"

namespace nestgrad {
namespace {

void tell(EstimateSummary& summary, const Metrics& metrics, Status status,
          const std::string& trouble = "", const Json& used = Json::object()) {
  OuterStep step;
  step.metrics = &metrics;
  step.used = &used;
  step.status = status;
  step.trouble = &trouble;
  step.estimate_seconds = 0.25;
  step.estimate_bytes = 1 << 20;
  CHECK(summary.on_step(step) == Observer::Verdict::kContinue);
}

}  // namespace

TEST_CASE("a summary of estimates adds up what they cost and what they met",
          "[estimate_summary]") {
  EstimateSummary summary(
      Json{{"type", "ift"},
           {"solver", {{"type", "conjugate_gradient"}, {"scale", "auto"}}}});
  tell(summary,
       {{"products", 5},
        {"residual", 0.5},
        {"smallest_curvature", 0.1},
        {"largest_curvature", 3},
        {"condition_at_least", 30}},
       Status::kOk);
  tell(summary,
       {{"products", 7},
        {"residual", 0.25},
        {"smallest_curvature", 0.2},
        {"largest_curvature", 4},
        {"condition_at_least", 20},
        {"scale", 0.125}},
       Status::kNotConverged, "it stopped", {{"solver", {{"scale", 0.125}}}});
  const Json got = summary.report().to_json();
  CHECK(got["estimates"] == 2);
  CHECK(got["not_converged"] == 1);
  CHECK(got["last_trouble"] == "it stopped");
  CHECK(got["products"] == 12);
  CHECK(got["last_residual"] == 0.25);
  CHECK(got["largest_residual"] == 0.5);
  CHECK(got["curvature"] == "positive");
  // Of one system, not of the extremes of several.
  CHECK(got["condition_at_least"] == 30);
  CHECK(got["given"]["solver"]["scale"] == "auto");
  CHECK(got["used"]["solver"]["scale"] == 0.125);
  CHECK(got["seconds"] == 0.5);
  CHECK(got["tensor_mib"] == 1);
  CHECK(got["last_metrics"]["products"] == 7);
  const std::string text = summary.report().text();
  for (const char* part : {"ift, conjugate_gradient", "2, 1 not converged",
                           "it stopped", "12, 6 per estimate", "positive",
                           "condition number at least 30", "scale 0.125"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
}

TEST_CASE(
    "a summary of estimates tells negative curvature and has no condition",
    "[estimate_summary]") {
  EstimateSummary summary(Json{{"type", "ift"}});
  tell(summary, {{"smallest_curvature", -1}, {"largest_curvature", 3}},
       Status::kOk);
  CHECK(summary.report().to_json()["curvature"] == "indefinite");
  CHECK_FALSE(summary.report().to_json().contains("condition_at_least"));
  EstimateSummary negative(Json{{"type", "ift"}});
  tell(negative, {{"smallest_curvature", -3}, {"largest_curvature", -2}},
       Status::kOk);
  CHECK(negative.report().to_json()["curvature"] == "negative");
}

TEST_CASE("a summary of estimates leaves out what a method does not have",
          "[estimate_summary]") {
  EstimateSummary summary(Json{{"type", "unrolled"}});
  CHECK(summary.report().text().empty());
  tell(summary, {}, Status::kOk);
  for (const char* key : {"products", "last_residual", "curvature",
                          "last_trouble", "condition_at_least"}) {
    CHECK_FALSE(summary.report().to_json().contains(key));
  }
  CHECK_THAT(summary.report().text(), !ContainsSubstring("residual"));
}

TEST_CASE("troubles come with what they mean for the result",
          "[estimate_summary]") {
  EstimateSummary summary(Json{{"type", "ift"}});
  tell(summary, {}, Status::kNotConverged, "it stopped");
  CHECK_THAT(summary.report().meaning(),
             ContainsSubstring("1 of 1 outer steps followed an estimate that "
                               "is only approximate; the result may suffer") &&
                 ContainsSubstring("nestgrad check"));
  for (int i = 0; i < 60; ++i) tell(summary, {}, Status::kOk);
  CHECK_THAT(summary.report().meaning(),
             ContainsSubstring("1 of 61") &&
                 ContainsSubstring("so few matter little"));
  CHECK_THAT(summary.report().text(), ContainsSubstring("matter little"));
  CHECK(summary.report().to_json()["trouble_means"] ==
        summary.report().meaning());

  EstimateSummary failed(Json{{"type", "ift"}});
  for (int i = 0; i < 3; ++i) tell(failed, {}, Status::kOk);
  CHECK(failed.report().meaning().empty());
  const Metrics none;
  const Json nothing = Json::object();
  const std::string trouble = "it is not finite";
  OuterStep step;
  step.status = Status::kDiverged;
  step.trouble = &trouble;
  step.metrics = &none;
  step.used = &nothing;
  failed.on_failure(step);
  CHECK(failed.report().meaning() ==
        "tuning ended because the last estimate could not be followed");
}

TEST_CASE("a metric is no setting, whatever its name", "[estimate_summary]") {
  EstimateSummary summary(Json{
      {"type", "ift"}, {"penalty", 10}, {"solver", {{"products", "exact"}}}});
  tell(summary, {{"products", 12}, {"penalty", 10.5}}, Status::kOk);
  const Json got = summary.report().to_json();
  CHECK(got["used"] == got["given"]);
  CHECK(got["products"] == 12);
}

TEST_CASE("settings that a method has found survive a checkpoint",
          "[estimate_summary]") {
  const Json section = {{"type", "unrolled"}, {"checkpoints", "none"}};
  EstimateSummary before(section), after(section);
  tell(before, {}, Status::kOk, "", {{"checkpoints", 7}});
  restore(after, save(before));
  CHECK(after.report().used["checkpoints"] == 7);
  // A later estimate that finds nothing new does not take it away.
  tell(after, {}, Status::kOk);
  CHECK(after.report().used["checkpoints"] == 7);
  CHECK_THAT(after.report().text(), ContainsSubstring("checkpoints 7"));
}

}  // namespace nestgrad
