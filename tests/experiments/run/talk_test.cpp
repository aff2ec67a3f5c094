#include <filesystem>

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
  CHECK(tells("--quiet").empty());
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

}  // namespace nestgrad
