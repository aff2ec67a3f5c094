#include "tests/experiments/report/probed.h"

namespace nestgrad {
namespace {

/// A folder `run` of a run that has ended, with three evaluations.
void write_run(const TemporaryFolder& folder, const Json& hyperparameters,
               const Json& facts, const Json& first, const Json& last,
               const Json& summary) {
  std::filesystem::create_directory(folder.path("run"));
  folder.write("run/config.json",
               Json{{"hyperparameters", hyperparameters}}.dump());
  folder.write("run/run.json", Json{{"hyperparameters", facts}}.dump());
  Json start = first, end = last;
  start["step"] = 0;
  end["step"] = 1;
  end["outer_loss"] = 0.5;
  folder.write("run/metrics.jsonl", start.dump() + "\n" + end.dump() + "\n");
  if (!summary.is_null()) folder.write("run/summary.json", summary.dump());
}

Json fact(const char* meaning, bool logarithmic, int numbers,
          const Json& start) {
  return {{"meaning", meaning},
          {"logarithmic", logarithmic},
          {"numbers", numbers},
          {"start", start}};
}

}  // namespace

TEST_CASE(
    "hyperparameters tuned in logarithms change by a factor, others by a "
    "difference",
    "[report]") {
  const TemporaryFolder folder;
  write_run(
      folder,
      {{"rate", Json::object()},
       {"same", Json::object()},
       {"share", {{"per", "layer"}}},
       {"fixed", {{"initial", 0.25}, {"tuned", false}}}},
      {{"rate", fact("Learning rate, per step", true, 1, {{"rate", 0.1}})},
       {"same", fact("", false, 1, {{"same", 3}})},
       {"share",
        fact("A share.", false, 2, {{"share.0", 0.9}, {"share.1", 0.25}})}},
      {{"rate", 0.1}, {"same", 3}, {"share.0", 0.9}, {"share.1", 0.25}},
      {{"rate", 0.4}, {"same", 3}, {"share.0", 0.5}, {"share.1", 0.75}},
      {{"termination", "finished"}});
  const Json probe = page_of(folder, "run");
  const Json& rows = probe["tables"]["Hyperparameters of run"];
  REQUIRE(rows.size() == 5);
  CHECK(rows[1] ==
        Json{"rate", "0.1000", "0.4000", "× 4", "Learning rate, per step."});
  CHECK(rows[2] == Json{"same", "3", "3", "unchanged", ""});
  CHECK(rows[3] == Json{"share.0", "0.9000", "0.5000", "-0.4000",
                        "A share. One number per layer."});
  // The cell with the meaning reaches down to here.
  CHECK(rows[4] == Json{"share.1", "0.2500", "0.7500", "+0.5000"});
  CHECK_THAT(probe["text"].get<std::string>(),
             ContainsSubstring("Held constant: fixed 0.2500."));
}

TEST_CASE("of many numbers a page shows the mean, the least and the largest",
          "[report]") {
  const TemporaryFolder folder;
  const Json start{{"w.mean", 1}, {"w.min", 1}, {"w.max", 1}};
  write_run(folder, {{"w", {{"per", "example"}}}},
            {{"w", fact("A weight.", true, 40, start)}}, start,
            {{"w.mean", 2}, {"w.min", 0.5}, {"w.max", 4}},
            {{"termination", "finished"}});
  const Json probe = page_of(folder, "run");
  const Json& rows = probe["tables"]["Hyperparameters of run"];
  REQUIRE(rows.size() == 4);
  CHECK(rows[1] == Json{"w, mean of 40", "1", "2", "× 2",
                        "A weight. One number per example."});
  CHECK(rows[2] == Json{"w, min of 40", "1", "0.5000", "× 0.5000"});
  CHECK(rows[3] == Json{"w, max of 40", "1", "4", "× 4"});
}

TEST_CASE("the losses of a run stand below what it found, start beside found",
          "[report]") {
  const TemporaryFolder folder;
  write_run(folder, {{"d", Json::object()}},
            {{"d", fact("A decay.", true, 1, {{"d", 1}})}}, {{"d", 1}},
            {{"d", 2}},
            {{"termination", "finished"},
             {"selected", {{"select", "last"}, {"step", 1}}},
             {"retrained_start", {{"valid_loss", 2}, {"test_accuracy", 0.5}}},
             {"retrained_found",
              {{"valid_loss", 1.5},
               {"test_accuracy", 0.75},
               {"train_loss", 1},
               {"deviation", {{"valid_loss", 0.125}}}}},
             {"tuned", {{"valid_loss", 1.25}}}});
  const Json probe = page_of(folder, "run");
  CHECK(probe["headings"] == Json{"run", "Found", "Results", "run"});
  CHECK(probe["tables"]["Results"] ==
        Json{{"metric", "start", "found", "tuned"},
             {"validation loss", "2", "1.500± 0.13", "1.250"},
             {"test accuracy", "50.00 %", "75.00 %", "–"}});
  const auto text = probe["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("±: standard deviation over networks"));
  CHECK_THAT(text,
             ContainsSubstring(
                 "Ended: finished; handed out: outer step 1 (the last)."));
}

TEST_CASE("what a run has found so far is not called found", "[report]") {
  const TemporaryFolder folder;
  write_run(folder, {{"d", Json::object()}},
            {{"d", fact("A decay.", true, 1, {{"d", 1}})}}, {{"d", 1}},
            {{"d", 2}}, nullptr);
  const Json probe = page_of(folder, "run");
  CHECK(probe["tables"]["Hyperparameters of run"][0][2] == "so far");
  CHECK(probe["tables"].count("Results") == 0);
  CHECK_THAT(probe["text"].get<std::string>(), ContainsSubstring("Not ended."));
}

TEST_CASE("a run that tunes nothing says so and calls its weights trained",
          "[report]") {
  const TemporaryFolder folder;
  write_run(folder, {{"d", {{"initial", 0.5}, {"tuned", false}}}},
            Json::object(), Json::object(), Json::object(),
            {{"termination", "finished"}, {"tuned", {{"valid_loss", 1.25}}}});
  const Json probe = page_of(folder, "run");
  CHECK(probe["headings"] == Json{"run", "Found", "Results", "run"});
  CHECK(probe["tables"]["Results"] ==
        Json::array({{"metric", "trained"}, {"validation loss", "1.250"}}));
  const auto text = probe["text"].get<std::string>();
  CHECK_THAT(text, ContainsSubstring("This run tunes no hyperparameter."));
  CHECK_THAT(text, ContainsSubstring("Held constant: d 0.5000."));
  CHECK(text.find("tuning has led to") == std::string::npos);
}

TEST_CASE("a page about learned images begins with them", "[report]") {
  const TemporaryFolder folder;
  run_shortened(folder, "distill_logistic", "learned");
  const Json probe = page_of(folder, "learned");
  CHECK(probe["images"] == 2);
  // Their course over the outer steps is a part of the run.
  CHECK(probe["headings_of_pictures"] == Json{"Found", "learned"});
}

}  // namespace nestgrad
