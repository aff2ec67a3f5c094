#pragma once

#include <string>
#include <vector>

#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

/// A folder for runs of several ranks.
class RankRuns : public TemporaryFolder {
 public:
  /// Runs `config` on so many ranks, in the folder `out`.
  Ended run(const Json& config, const std::string& out, int ranks,
            const std::string& more = "") const {
    write(out + ".json", config.dump());
    return program(path(""), fmt::format("run {0}.json --quiet --out {0} "
                                         "--ranks {1} {2}",
                                         out, ranks, more));
  }

  /// Resumes `run` on so many ranks, to its end.
  void resume(const std::string& run, int ranks) const {
    const Ended ended = program(
        path(""), fmt::format("resume {} --quiet --ranks {}", run, ranks));
    CAPTURE(ended.output);
    REQUIRE(ended.code == 0);
  }

  /// Leaves a run of 12 steps with a checkpoint after every 5 as a kill after
  /// step 7 leaves it.
  void lose_after_step_5(const std::string& run) const {
    for (const char* later : {"000002", "000003", "000004"}) {
      remove_file(path(run + "/checkpoints/checkpoint-" + later));
    }
    remove_file(path(run + "/summary.json"));
  }

  std::string bytes(const std::string& name) const {
    return read_file(path(name));
  }

  /// The lines of metrics.jsonl without times and memory.
  std::vector<Json> metrics(const std::string& run) const {
    std::vector<Json> lines = parse_json_lines(bytes(run + "/metrics.jsonl"));
    for (Json& line : lines) {
      for (const char* key : {"seconds", "estimate_seconds", "estimate_mib",
                              "tensor_mib", "memory_mib"}) {
        line.erase(key);
      }
    }
    return lines;
  }

  /// Whether the hyperparameters are the same up to a relative difference, and
  /// the work was.
  void check_close(const std::string& a, const std::string& b,
                   double most) const {
    CAPTURE(a, b);
    const char* const file = "/hyperparameters.safetensors";
    const ParameterSet x = load_safetensors(path(a + file)),
                       y = load_safetensors(path(b + file));
    CHECK(length(x - y) <= most * length(y));
    const std::vector<Json> lines = metrics(a), others = metrics(b);
    REQUIRE(lines.size() == others.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(lines[i]["train_gradients"] == others[i]["train_gradients"]);
      if (lines[i]["outer_loss"].is_null()) continue;  // of the start
      CHECK(lines[i]["outer_loss"].get<double>() ==
            Approx(others[i]["outer_loss"].get<double>()).epsilon(most));
    }
  }

  void check_same(const std::string& a, const std::string& b) const {
    CAPTURE(a, b);
    CHECK(bytes(a + "/hyperparameters.safetensors") ==
          bytes(b + "/hyperparameters.safetensors"));
    CHECK(bytes(a + "/weights.safetensors") ==
          bytes(b + "/weights.safetensors"));
    const std::vector<Json> x = metrics(a), y = metrics(b);
    REQUIRE(x.size() == y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(x[i]["outer_loss"] == y[i]["outer_loss"]);
      CHECK(x[i]["step"] == y[i]["step"]);
    }
  }
};

}  // namespace nestgrad
