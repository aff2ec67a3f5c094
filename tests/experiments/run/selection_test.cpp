// Which outer step is handed out, and which hyperparameters a line of
// metrics.jsonl has.

#include <filesystem>

#include "core/storage/safetensors.h"
#include "experiments/record/json_lines.h"
#include "experiments/setup/experiment.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

std::vector<Json> lines_in(const TemporaryFolder& folder,
                           const std::string& run) {
  return parse_json_lines(read_file(folder.path(run + "/metrics.jsonl")));
}

/// Cold start, so that a line can be computed from its hyperparameters alone.
Json cold(std::int64_t steps) {
  Json json = small(steps);
  json["precision"] = "float64";
  json["problem"]["batch"] = 0;
  json["problem"]["valid_batch"] = 0;
  json["hyperparameters"]["lr"] = {{"initial", 0.3}};
  json["inner"] = {{"type", "sgd"}, {"lr", "$lr"}};
  json["estimator"] = {
      {"type", "unrolled"}, {"window", 8}, {"horizon", 8}, {"starts", 1}};
  json["record"]["every"] = 2;
  return json;
}

/// The loss of a run of its own from the first start, under the values of a
/// line.
double loss_under(const Json& line) {
  Json there = cold(1);
  for (const char* name : {"lr", "weight_decay"}) {
    there["hyperparameters"][name]["initial"] = line[name];
  }
  const Config whole(complete(experiment_schema(), there));
  const Experiment experiment(whole);
  const auto method = experiment.make_estimator(whole.object("estimator"));
  method->begin(experiment.initial_hyper(), experiment.tuning_key());
  return method->estimate(experiment.initial_hyper()).objective;
}

}  // namespace

TEST_CASE("in cold start from several starts the first one is evaluated",
          "[selection]") {
  const TemporaryFolder folder;
  Json config = cold(8);
  config["estimator"]["starts"] = 3;
  config["record"]["every"] = 1;
  config["record"]["retrain"] = 0;
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const auto lines = lines_in(folder, "run");
  REQUIRE(lines.size() == 9);
  for (std::size_t k = 1; k < lines.size(); ++k) {
    CAPTURE(k);
    const double first = loss_under(lines[k]);
    CHECK(lines[k]["evaluated.valid_loss"].get<double>() ==
          Approx(first).epsilon(1e-9));
    const bool is_first = (k - 1) % 3 == 0;
    CHECK((lines[k]["outer_loss"].get<double>() ==
           Approx(first).epsilon(1e-9)) == is_first);
  }
  const Json summary = json_of(folder.path("run/summary.json"));
  CHECK(summary["selected"]["evaluations"] == 9);
  // The weights handed out are those of the evaluation.
  const ParameterSet weights =
      load_safetensors(folder.path("run/weights.safetensors"));
  const Experiment experiment(Config(complete(experiment_schema(), config)));
  CHECK(experiment.problem()
            .evaluate(weights, experiment.initial_hyper())
            .at("valid_loss") ==
        Approx(summary["selected"]["value"].get<double>()));
}

TEST_CASE("the step at which tuning is stopped is a candidate", "[selection]") {
  const TemporaryFolder folder;
  Json config = cold(100);
  config["record"]["every"] = 50;
  config["record"]["retrain"] = 0;
  config["outer"]["stop"] = {{"train_gradients", 60}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const Json summary = json_of(folder.path("run/summary.json"));
  const auto last = summary["outer_steps"].get<int>();
  REQUIRE((last > 1 && last < 50));
  CHECK(summary["selected"]["step"] == last);
  CHECK(summary["selected"]["evaluations"] == 3);
  CHECK(lines_in(folder, "run").back()["evaluated.valid_loss"] ==
        summary["selected"]["value"]);
}

TEST_CASE(
    "every line has the hyperparameters that its loss and its evaluation "
    "belong to",
    "[selection]") {
  const TemporaryFolder folder;
  folder.write("a.json", cold(6).dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const auto lines = lines_in(folder, "run");
  REQUIRE(lines.size() == 7);
  for (std::size_t k = 0; k < lines.size(); ++k) {
    CHECK(lines[k]["step"] == k);
    CHECK(lines[k].contains("evaluated.valid_loss") == (k < 2 || k % 2 == 0));
  }
  CHECK_FALSE(lines[0].contains("outer_loss"));
  CHECK(lines[0]["lr"].get<double>() == Approx(0.3));
  CHECK(lines[1]["lr"] == lines[0]["lr"]);
  CHECK(lines[2]["lr"] != lines[1]["lr"]);
  // The start is evaluated before any training.
  CHECK(lines[0]["evaluated.valid_loss"].get<double>() >
        1.2 * lines[1]["evaluated.valid_loss"].get<double>());

  for (const std::size_t k : {1, 2, 4, 6}) {
    CAPTURE(k);
    // Another run that starts there has the same losses.
    const double loss = loss_under(lines[k]);
    CHECK(lines[k]["outer_loss"].get<double>() == Approx(loss).epsilon(1e-9));
    CHECK(lines[k]["evaluated.valid_loss"].get<double>() ==
          Approx(loss).epsilon(1e-9));
  }
}

TEST_CASE("what is handed out is of the best step or of the last",
          "[selection]") {
  const TemporaryFolder folder;
  Json config = cold(12);
  config["outer"]["lr"] = 1.5;  // so large that the loss rises again
  config["record"]["retrain"] = 0;
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out best").code == 0);
  REQUIRE(program(folder.path(""),
                  "run a.json --quiet --out last --set outer.select=last")
              .code == 0);
  const auto lines = lines_in(folder, "best");
  // The selection changes nothing of tuning itself.
  const auto others = lines_in(folder, "last");
  REQUIRE(others.size() == lines.size());
  for (std::size_t k = 1; k < lines.size(); ++k) {
    CHECK(others[k]["outer_loss"] == lines[k]["outer_loss"]);
  }

  const Json best = json_of(folder.path("best/summary.json"));
  std::size_t least = 0;
  for (std::size_t k = 1; k < lines.size(); ++k) {
    if (!lines[k].contains("evaluated.valid_loss")) continue;
    if (lines[k]["evaluated.valid_loss"] <
        lines[least]["evaluated.valid_loss"]) {
      least = k;
    }
  }
  CAPTURE(least);
  REQUIRE((least > 1 && least < 12));
  CHECK(best["selected"]["select"] == "best");
  CHECK(best["selected"]["step"] == least);
  CHECK(best["selected"]["evaluations"] == 8);  // 0, 1, 2, 4, ..., 12
  CHECK(best["tuned"]["valid_loss"] == lines[least]["evaluated.valid_loss"]);
  const Json found = json_of(folder.path("best/hyperparameters.json"));
  CHECK(found["lr"] == lines[least]["lr"]);
  CHECK(best["hyperparameters"]["lr"]["found"] == lines[least]["lr"]);
  // The weights are those that the step has led to.
  Config whole(complete(experiment_schema(), config));
  const Experiment experiment(whole);
  const ParameterSet weights =
      load_safetensors(folder.path("best/weights.safetensors"));
  CHECK(experiment.problem()
            .evaluate(weights, experiment.initial_hyper())
            .at("valid_loss") ==
        Approx(lines[least]["evaluated.valid_loss"].get<double>()));

  const Json last = json_of(folder.path("last/summary.json"));
  CHECK(last["selected"] == Json{{"select", "last"}, {"step", 12}});
  CHECK(last["hyperparameters"]["lr"]["found"] != lines[12]["lr"]);
  CHECK(read_file(folder.path("last/weights.safetensors")) !=
        read_file(folder.path("best/weights.safetensors")));
  CHECK_FALSE(fs::exists(folder.path("best/best_step")));
}

TEST_CASE("the start is handed out if tuning has made everything worse",
          "[selection]") {
  const TemporaryFolder folder;
  Json config = cold(6);
  config["record"]["every"] = 1;
  config["record"]["networks"] = 2;
  // Uphill, from the second step on.
  config["hyperparameters"] = {{"lr", {{"initial", 1.0}}}};
  config["outer"] = {{"type", "sgd"}, {"lr", 30}, {"steps", 6}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json summary = json_of(folder.path("run/summary.json"));
  REQUIRE(summary["selected"]["step"] == 1);
  CHECK(summary["hyperparameters"]["lr"]["found"] ==
        summary["hyperparameters"]["lr"]["start"]);
  CHECK(summary["retrained_found"] == summary["retrained_start"]);
  CHECK(summary["verdict"]["outcome"] == "no difference");
  CHECK_THAT(ended.output,
             ContainsSubstring("handed out          the start (outer step 1") &&
                 ContainsSubstring("the start itself is handed out"));
  CHECK(ended.output.find("did not move") == std::string::npos);
  // The verdict is the last line.
  const std::size_t end = ended.output.rfind('\n', ended.output.size() - 2);
  CHECK(ended.output.substr(end + 1).rfind("Retrained from scratch, ", 0) == 0);
}

TEST_CASE("a run that is resumed hands out the same step",
          "[selection][resume]") {
  const TemporaryFolder folder;
  Json config = cold(12);
  config["outer"]["lr"] = 1.5;
  config["record"]["checkpoint"] = {{"steps", 1}, {"keep", 100}};
  folder.write("a.json", config.dump());
  REQUIRE(program(folder.path(""), "run a.json --quiet --out run").code == 0);
  const Json before = json_of(folder.path("run/summary.json"));
  const std::string weights = read_file(folder.path("run/weights.safetensors"));
  const auto step = before["selected"]["step"].get<int>();
  REQUIRE((step > 1 && step < 11));
  // Once from before the best step, once from after it.
  for (const int last : {step - 1, step + 1}) {
    CAPTURE(last);
    fs::remove_all(folder.path("copy"));
    fs::copy(folder.path("run"), folder.path("copy"),
             fs::copy_options::recursive);
    for (const std::string& name : names_in(folder.path("copy/checkpoints"))) {
      if (std::stoi(name.substr(11)) > last) {
        fs::remove(folder.path("copy/checkpoints/" + name));
      }
    }
    fs::remove(folder.path("copy/summary.json"));
    REQUIRE(program(folder.path(""), "resume copy --quiet").code == 0);
    const Json after = json_of(folder.path("copy/summary.json"));
    for (const char* key :
         {"selected", "tuned", "retrained_found", "verdict"}) {
      CAPTURE(key);
      CHECK(after[key] == before[key]);
    }
    CHECK(read_file(folder.path("copy/weights.safetensors")) == weights);
  }
  // With more steps, the best of before is still a candidate.
  REQUIRE(program(folder.path(""),
                  "resume run --quiet --set outer.steps=14 --set outer.lr=3")
              .code == 0);
  const Json longer = json_of(folder.path("run/summary.json"));
  CHECK(longer["selected"]["value"] <= before["selected"]["value"]);
  CHECK(longer["selected"]["evaluations"] == 9);
  const Ended none = program(folder.path(""),
                             "run a.json --quiet --out l --set "
                             "outer.select=last; '" NESTGRAD_PROGRAM
                             "' resume l --set outer.select=best");
  CHECK_THAT(none.output,
             ContainsSubstring("the checkpoint knows no best step"));
}

TEST_CASE("a run that diverges hands out the best step before", "[selection]") {
  const TemporaryFolder folder;
  Json config = cold(40);
  config["record"]["every"] = 1;
  config["outer"] = {{"type", "sgd"}, {"lr", 1e4}, {"steps", 40}};
  folder.write("a.json", config.dump());
  const Ended ended = program(folder.path(""), "run a.json --out run");
  CAPTURE(ended.output);
  REQUIRE(ended.code == 3);
  const Json summary = json_of(folder.path("run/summary.json"));
  CHECK(summary["termination"] == "diverged");
  CHECK(summary["selected"]["select"] == "best");
  CHECK(summary["tuned"]["valid_loss"] == summary["selected"]["value"]);
  CHECK_FALSE(summary.contains("verdict"));
}

TEST_CASE("final runs have three networks where that is cheap", "[selection]") {
  const auto networks = [](const Json& networks, const TuningWork& work) {
    Json json = small(10);
    json["record"]["networks"] = networks;
    // Two final runs of a hundred steps.
    return networks_of_final_runs(Config(complete(experiment_schema(), json)),
                                  2, 100, work);
  };
  CHECK(networks("auto", {600, 0}) == 3);
  CHECK(networks("auto", {599, 0}) == 1);
  CHECK(networks("auto", {0, 200}) == 3);
  CHECK(networks("auto", {0, 199}) == 1);
  CHECK(networks(5, {0, 0}) == 5);
  CHECK(networks(1, {1e9, 0}) == 1);
}

}  // namespace nestgrad
