#include <filesystem>
#include <sstream>

#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

namespace fs = std::filesystem;

TEST_CASE("a run tells as much as is asked for", "[resume]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(10).dump());
  const auto tells = [&](const std::string& options) {
    fs::remove_all(folder.path("run"));
    const Ended ended =
        program(folder.path(""), "run a.json --out run " + options);
    CHECK(ended.code == 0);
    return ended.output;
  };
  CHECK(tells("--quiet") ==
        "Results are in run; 'nestgrad report run' makes a page of them\n");
  CHECK(tells("--quiet --quiet").empty());
  CHECK(tells("-qq").empty());
  const std::string normal = tells("");
  CHECK_THAT(normal, ContainsSubstring("step 5/10"));
  CHECK(normal.find("step 4/10") == std::string::npos);
  const std::string verbose = tells("--verbose");
  CHECK_THAT(verbose, ContainsSubstring("step 4/10"));
  CHECK_THAT(verbose, ContainsSubstring("checkpoint after outer step 4"));
  const std::vector<Json> events = parse_json_lines(tells("--progress json"));
  REQUIRE(events.size() >= 6);
  CHECK(events.front()["event"] == "start");
  CHECK(events.back() == Json{{"event", "end"},
                              {"code", 0},
                              {"termination", "finished"},
                              {"folder", "run"}});
  for (const char* name : {"step", "checkpoint", "final_run"}) {
    CHECK(std::any_of(events.begin(), events.end(),
                      [&](const Json& e) { return e["event"] == name; }));
  }
}

TEST_CASE("progress is one line of a terminal of any width", "[talk]") {
  const TemporaryFolder folder;
  Json config = small(40);
  config["hyperparameters"]["weight_decay"]["per"] = "tensor";
  config["hyperparameters"]["example_weight"] = {{"per", "class"}};
  folder.write("a.json", config.dump());
  for (const int columns : {160, 80, 40, 20}) {
    CAPTURE(columns);
    fs::remove_all(folder.path("run"));
    const Ended ended = shell(
        folder.path(""),
        fmt::format("OPENBLAS_NUM_THREADS=1 /usr/bin/python3 {}/tests/"
                    "experiments/run/terminal.py {} '{}' run a.json --out run",
                    NESTGRAD_SOURCE_DIR, columns, NESTGRAD_PROGRAM));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
    std::istringstream screen(ended.output);
    std::vector<std::string> progress;
    for (std::string row; std::getline(screen, row);) {
      if (row.rfind("step ", 0) == 0) progress.push_back(row);
    }
    REQUIRE(progress.size() == 1);
    CHECK_THAT(progress[0], ContainsSubstring("step 40/40"));
    CHECK(progress[0].size() < static_cast<std::size_t>(columns));
    if (columns >= 80) CHECK_THAT(progress[0], ContainsSubstring(" s"));
    if (columns == 160) {
      CHECK_THAT(progress[0], ContainsSubstring("weight_decay.2"));
    }
    // Neither colours nor other control sequences, whatever NO_COLOR says.
    CHECK(ended.output.find("ESC") == std::string::npos);
  }
}

}  // namespace nestgrad
