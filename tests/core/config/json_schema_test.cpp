#include "core/config/json_schema.h"

#include <random>
#include <set>

#include "core/platform/files.h"
#include "experiments/setup/experiment.h"
#include "experiments/sweep/sweep_plan.h"
#include "tests/support/mutated_json.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

bool is_accepted(const Json& config) {
  std::vector<Complaint> complaints;
  complete(experiment_schema(), config, "", complaints);
  return complaints.empty();
}

/// Calls `probe` with the configuration once for each number that no call has
/// had yet, which is where a range may begin or end: 0, 1 or a number below.
/// `seen` knows numbers by the type of their object and their key.
template <class Probe>
void at_limits(const Json& config, std::set<std::string>& seen, Probe probe) {
  const Json flat = config.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    if (!value.is_number()) continue;
    const Json::json_pointer place(pointer);
    const Json& object = config.at(place.parent_pointer());
    const std::string type =
        object.is_object() ? object.value("type", "") : std::string();
    const std::string above = place.parent_pointer().to_string();
    if (!seen.insert(above + " " + type + " " + place.back()).second) continue;
    for (const Json& limit : {Json(0), Json(1), Json(-1)}) {
      Json changed = config;
      changed[place] = limit;
      probe(fmt::format("{} = {}", pointer, limit.dump()), changed);
    }
  }
}

}  // namespace

TEST_CASE("an independent validator and the program agree on configurations",
          "[schema]") {
  Random random(1);
  Json cases = Json::array();
  std::size_t refused = 0;
  std::set<std::string> seen;
  const auto add = [&](const std::string& about, const Json& config) {
    const bool accepted = is_accepted(config);
    cases.push_back(
        {{"about", about}, {"config", config}, {"accepted", accepted}});
    if (!accepted) ++refused;
    return accepted;
  };
  std::vector<std::string> paths = shipped_configs();
  for (const std::string& path : shipped_configs("/configs/gpu")) {
    paths.push_back(path);
  }
  for (const std::string& path : paths) {
    CAPTURE(path);
    const Json config = JsonFile::read(path).json();
    const Json effective = complete(experiment_schema(), config);
    REQUIRE(add(path, config));
    REQUIRE(add(path, effective));
    for (int i = 0; i < 8; ++i) {
      const Json changed = mutated(i % 2 == 0 ? config : effective, random);
      add(fmt::format("{} mutated: {}", path,
                      Json::diff(config, changed).dump()),
          changed);
    }
    at_limits(effective, seen, add);
  }
  CHECK(refused > cases.size() / 4);

  const TemporaryFolder folder;
  folder.write("cases.json", cases.dump());
  REQUIRE(program(folder.path(""), "schema > schema.json").code == 0);
  const Ended ended = shell(
      folder.path(""), "/usr/bin/python3 " NESTGRAD_SOURCE_DIR
                       "/tests/core/config/validate.py schema.json cases.json");
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
  CHECK_THAT(ended.output, ContainsSubstring(fmt::format(
                               "{} cases, {} accepted, 0 differences",
                               cases.size(), cases.size() - refused)));
}

TEST_CASE("the schema says what every key means and every type is in it",
          "[schema]") {
  const Json schema = json_schema(experiment_schema());
  const Json of_sweeps = json_schema(sweep_schema());
  const Json& window =
      schema["$defs"]["estimators.ift"]["properties"]["window"];
  CHECK(window["type"] == "integer");
  CHECK(window["default"] == 10);
  CHECK(window["minimum"] == 1);
  CHECK_FALSE(window["description"].get<std::string>().empty());
  for (const auto& [kind, registry] : RegistryBase::all()) {
    // Kinds that a configuration cannot name stand apart: those of other tests,
    // and the searches that the command line names.
    if (kind == "test_solvers" || kind == "animal_queries" ||
        kind == "black_box_searches") {
      continue;
    }
    for (const std::string& name : registry->names()) {
      CAPTURE(kind, name);
      const std::string id = kind + "." + name;
      const bool is_there = schema["$defs"].contains(id) ||
                            schema["$defs"].contains("outer." + id) ||
                            of_sweeps["$defs"].contains(id);
      CHECK(is_there);
    }
  }
}

TEST_CASE("a configuration may name its schema and is printed with defaults",
          "[schema]") {
  const TemporaryFolder folder;
  folder.write("a.json",
               R"({"$schema": "nestgrad.schema.json", "problem": "ridge",
                   "hyperparameters": {"weight_decay": {}}})");
  const Ended printed =
      program(folder.path(""), "run a.json --print-config --seed 5");
  REQUIRE(printed.code == 0);
  const Json config = Json::parse(printed.output);
  CHECK(config["seed"] == 5);
  CHECK(config["estimator"]["type"] == "ift");
  CHECK(config["record"]["checkpoint"]["keep"] == 2);
  CHECK(complete(experiment_schema(), config) == config);
  folder.write("b.json", R"({"$schema": 5, "problem": "ridge",
                             "hyperparameters": {}})");
  CHECK(program(folder.path(""), "run b.json --print-config").code == 2);
}

TEST_CASE("bash completes commands, options, keys and files", "[schema]") {
  const TemporaryFolder folder;
  folder.write("quick.json", "{}");
  const auto completed = [&](const std::string& line) {
    // The last word is the one under the cursor.
    return shell(folder.path(""),
                 fmt::format("bash -c 'source <(\"{}\" completion); "
                             "COMP_WORDS=({}); "
                             "COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); "
                             "_nestgrad; echo \"${{COMPREPLY[@]}}\"'",
                             NESTGRAD_PROGRAM, line))
        .output;
  };
  CHECK(completed("nestgrad res") == "resume\n");
  CHECK(completed("nestgrad run qui") == "quick.json\n");
  CHECK(completed("nestgrad run --pri") == "--print-config\n");
  CHECK(completed("nestgrad run a.json --set estimator.solver.ter") ==
        "estimator.solver.terms=\n");
  CHECK_THAT(completed("nestgrad run a.json --set problem.model.h"),
             ContainsSubstring("problem.model.hidden="));
  CHECK_THAT(completed("nestgrad run a.json --set outer.l"),
             ContainsSubstring("outer.lr="));
  CHECK(completed("nestgrad run a.json --progress js") == "json\n");
  CHECK(completed("nestgrad new es") == "estimator\n");
  CHECK(completed("nestgrad resume run --allow outer.stop.pat") ==
        "outer.stop.patience\n");
  CHECK_THAT(completed("nestgrad explain outer.st"),
             ContainsSubstring("outer.stop.patience"));
  CHECK(completed("nestgrad list estim") == "estimators\n");
}

}  // namespace nestgrad
