// Runs of several processes.

#include <chrono>
#include <csignal>

#include "tests/experiments/run/rank_runs.h"

namespace nestgrad {
namespace {

/// Tunes one decay by an evolution strategy, with 7 pairs of particles.
Json evolved(const std::string& type, std::int64_t steps,
             const Json& more = Json::object()) {
  Json out = small(steps);
  out["precision"] = "float64";
  out["seed"] = 5;
  out["threads"] = 1;  // which the bits depend on
  out["estimator"] = {{"type", type},
                      {"particles", 14},
                      {"window", 3},
                      {"horizon", 9},
                      {"starts", 2}};
  out["estimator"].update(more);
  out["distributed"] = {{"silent_seconds", 3}};
  return out;
}

/// How a run ended, and the seconds from what was done to it to its end.
struct Disturbed {
  int code;
  std::string output;
  double seconds;
};

/// Starts a run of three ranks that goes on for long; once it tunes, does
/// `then`, where $r0 and $r1 are the processes of ranks 0 and 1 and $p the
/// launcher's.
Disturbed disturbed(const RankRuns& folder, const std::string& then) {
  Json config = evolved("es", 1000000);
  config["record"]["checkpoint"] = {{"minutes", 60}};
  folder.write("long.json", config.dump());
  folder.write("then.sh", R"sh(
rm -rf long
"$1" run long.json --quiet --out long --ranks 3 &
p=$!
until [ -s long/metrics.jsonl ] || ! kill -0 $p; do sleep 0.1; done
sleep 1
for f in /proc/[0-9]*; do
  grep -q "^PPid:.$p\$" $f/status 2>/dev/null || continue
  tr '\0' '\n' <$f/environ | grep -q '^RANK=0$' && r0=${f#/proc/}
  tr '\0' '\n' <$f/environ | grep -q '^RANK=1$' && r1=${f#/proc/}
done
start=$(date +%s%N)
)sh" + then + R"sh(
wait $p
echo "code $?"
echo "milliseconds $(( ($(date +%s%N) - start) / 1000000 ))"
)sh");
  const Ended ended =
      shell(folder.path(""), fmt::format("sh then.sh '{}'", NESTGRAD_PROGRAM));
  CAPTURE(ended.output);
  const auto number_after = [&](const std::string& word) {
    const std::size_t at = ended.output.rfind(word + " ");
    REQUIRE(at != std::string::npos);
    return std::stod(ended.output.substr(at + word.size()));
  };
  return {static_cast<int>(number_after("code")), ended.output,
          number_after("milliseconds") / 1000};
}

}  // namespace

TEST_CASE("particles that ranks divide make the same run as those of one",
          "[ranks]") {
  const RankRuns folder;
  const std::vector<std::pair<std::string, Json>> methods{
      {"es", {}},
      {"pes",
       {{"telescoped", true},
        {"normalize", true},
        {"groups", 2},
        {"staggered", true}}},
      {"es_single", {{"metric", "valid_accuracy"}}}};
  int number = 0;
  for (const auto& [type, more] : methods) {
    CAPTURE(type, more.dump());
    const Json config =
        evolved(type, 8, more.is_null() ? Json::object() : more);
    const auto name = [&](int ranks) {
      return fmt::format("{}_{}", number, ranks);
    };
    const int most = type == "es" ? 4 : 3;
    for (int ranks = 1; ranks <= most; ++ranks) {
      const Ended ended = folder.run(config, name(ranks), ranks);
      CAPTURE(ended.output);
      REQUIRE(ended.code == 0);
    }
    for (int ranks = 2; ranks <= most; ++ranks) {
      folder.check_same(name(1), name(ranks));
    }
    ++number;
  }
}

TEST_CASE("work that several ranks have done is counted once for each",
          "[ranks]") {
  const RankRuns folder;
  const Json config = evolved("es", 4);
  REQUIRE(folder.run(config, "one", 1).code == 0);
  REQUIRE(folder.run(config, "two", 2).code == 0);
  const auto gradients = [&](const char* run) {
    return folder.metrics(run).back()["train_gradients"].get<double>();
  };
  // 4 windows of 3 steps; the run without perturbation is trained by each rank.
  CHECK(gradients("one") == 4 * 3 * 15);
  CHECK(gradients("two") == 4 * 3 * 16);
}

TEST_CASE("a run of several ranks is resumed exactly, also with another number",
          "[ranks][resume]") {
  const RankRuns folder;
  Json config = evolved("pes", 12);
  config["record"]["checkpoint"] = {{"steps", 5}, {"keep", 10}};
  REQUIRE(folder.run(config, "whole", 2).code == 0);
  for (const int ranks : {1, 2, 3}) {
    const std::string run = fmt::format("run_{}", ranks);
    REQUIRE(folder.run(config, run, 2).code == 0);
    folder.lose_after_step_5(run);
    folder.resume(run, ranks);
    folder.check_same("whole", run);
  }
}

TEST_CASE("a signal to one rank ends all after the same step", "[ranks]") {
  const RankRuns folder;
  const Disturbed run = disturbed(folder, "kill -TERM $r1");
  CAPTURE(run.output);
  CHECK(run.code == 128 + SIGTERM);
  CHECK(run.output.find("continues it") != std::string::npos);
  const Json summary = json_of(folder.path("long/summary.json"));
  CHECK(summary["termination"] == "stopped");
  // It goes on from there, with the same numbers as without the signal.
  const auto steps =
      folder.metrics("long").back()["step"].get<std::int64_t>() + 15;
  const std::string set =
      fmt::format("--set outer.steps={} --set record.retrain=0", steps);
  REQUIRE(
      program(folder.path(""), "resume long --quiet --ranks 3 " + set).code ==
      0);
  REQUIRE(program(folder.path(""),
                  "run long.json --quiet --out whole --ranks 3 " + set)
              .code == 0);
  folder.check_same("long", "whole");
}

TEST_CASE("a signal to the launcher reaches all ranks", "[ranks]") {
  const RankRuns folder;
  const Disturbed run = disturbed(
      folder,
      "kill -USR1 $p; until [ -e long/checkpoints/checkpoint-000001 ]; do "
      "sleep 0.1; done; kill -INT $p");
  CAPTURE(run.output);
  CHECK(run.code == 128 + SIGINT);
  CHECK(run.seconds < 10);
}

TEST_CASE("a rank that is killed or hangs is named, and the run can go on",
          "[ranks]") {
  const RankRuns folder;
  const auto [way, sentence] = GENERATE(table<std::string, std::string>(
      {{"kill -KILL $r1", "rank 1 has given no sign of life for 3 seconds"},
       {"kill -STOP $r1; sleep 10; kill -KILL $r1",
        "rank 1 has given no sign of life for 3 seconds"},
       {"kill -KILL $r0", "the store of the ranks cannot be reached"},
       {"kill -STOP $r0; sleep 12; kill -KILL $r0",
        "the store of the ranks has not answered for 3 seconds"}}));
  CAPTURE(way);
  const Disturbed run = disturbed(folder, way);
  CAPTURE(run.output);
  const bool first = way.find("$r0") != std::string::npos;
  CHECK(run.code == (first ? 128 + SIGKILL : 6));
  CHECK(run.output.find(sentence) != std::string::npos);
  if (!first) {
    CHECK(run.output.find("'nestgrad resume long' goes on") !=
          std::string::npos);
  }
  CHECK(run.seconds < 20);
}

TEST_CASE("a rank that never starts is named", "[ranks]") {
  const RankRuns folder;
  Json config = evolved("es", 4);
  config["distributed"]["join_seconds"] = 1;
  folder.write("a.json", config.dump());
  const Ended ended = program(
      folder.path(""), "run a.json --quiet --out a",
      "RANK=0 WORLD_SIZE=3 LOCAL_WORLD_SIZE=3 MASTER_PORT=$((20000 + $$ % "
      "10000))");
  CAPTURE(ended.output);
  CHECK(ended.code == 6);
  CHECK(ended.output.find(
            "of 3 ranks these have not started within 1 seconds: 1 2") !=
        std::string::npos);
  CHECK_FALSE(file_exists(folder.path("a/config.json")));
}

TEST_CASE("what several ranks cannot do is told once", "[ranks]") {
  const RankRuns folder;
  const auto refuses = [&](const Json& config, int ranks,
                           const std::string& sentence) {
    const Ended refused = folder.run(config, "a", ranks);
    CAPTURE(refused.output);
    CHECK(refused.code == 2);
    const std::size_t at = refused.output.find(sentence);
    REQUIRE(at != std::string::npos);
    CHECK(refused.output.find(sentence, at + 1) == std::string::npos);
  };
  Json of_particles = small(4);
  of_particles["distributed"]["divide"] = "particles";
  refuses(of_particles, 2,
          "/distributed/divide: must be \"examples\" or \"starts\" with the "
          "estimator \"ift\"; those with particles are es, es_single or pes");
  Json small_batches = small(4);
  small_batches["problem"]["batch"] = 3;
  refuses(
      small_batches, 4,
      "/problem: the 3 examples of a minibatch cannot be divided into 4 parts");
  Json without_examples = small(4);
  without_examples["problem"] = "ridge";
  refuses(without_examples, 2,
          "/problem: the examples of its minibatches cannot be divided");
  Json together = small(4);
  together["problem"]["model"] = {
      {"type", "sequential"},
      {"layers", {"batch_norm", {{"type", "linear"}, {"out", 3}}}}};
  refuses(together, 2,
          "/problem: the examples of its minibatches cannot be divided");
  Json shares = evolved("es", 4);
  shares["distributed"]["shares"] = 2;
  refuses(shares, 2, "here they divide particles");

  const Ended few = folder.run(evolved("es", 4, {{"particles", 4}}), "b", 3);
  CAPTURE(few.output);
  CHECK(few.code == 2);
  CHECK(few.output.find("must be at least 6: two for each rank") !=
        std::string::npos);

  const Ended missing =
      program(folder.path(""), "run nowhere.json --quiet --ranks 3");
  CAPTURE(missing.output);
  CHECK(missing.code == 2);
  CHECK(std::count(missing.output.begin(), missing.output.end(), '\n') == 1);
}

TEST_CASE("a rank that fails tells why", "[ranks]") {
  const RankRuns folder;
  Json config = evolved("es", 6);
  config["problem"]["model"] = "logistic";
  // A path that every process sees from its own folder.
  config["problem"]["data"] = {{"type", "csv"},
                               {"file", "/proc/self/cwd/rows.csv"}};
  folder.write("a.json", config.dump());
  std::string rows = "x,kind\n";
  for (int i = 0; i < 60; ++i) {
    rows += fmt::format("{},{}\n", i % 7, i % 2 == 0 ? "a" : "b");
  }
  folder.write("rows.csv", rows);
  const Ended ended = shell(
      folder.path(""),
      fmt::format("mkdir elsewhere; export WORLD_SIZE=2 LOCAL_WORLD_SIZE=2 "
                  "MASTER_PORT=$((20000 + $$ % 10000)); (cd elsewhere; RANK=1 "
                  "'{0}' run ../a.json --quiet) & RANK=0 '{0}' run a.json "
                  "--quiet --out a; code=$?; wait; exit $code",
                  NESTGRAD_PROGRAM));
  CAPTURE(ended.output);
  CHECK(ended.code == 6);
  CHECK(ended.output.find("nestgrad: rank 1: /problem/data: cannot read "
                          "'/proc/self/cwd/rows.csv'") != std::string::npos);
}

TEST_CASE("a run of several ranks that is finished is left as it is",
          "[ranks]") {
  const RankRuns folder;
  REQUIRE(folder.run(evolved("es", 4), "a", 2).code == 0);
  const Ended again = program(folder.path(""), "resume a --ranks 3");
  CAPTURE(again.output);
  CHECK(again.code == 0);
  CHECK(again.output.find("is finished") != std::string::npos);
}

TEST_CASE("final runs of a run of several ranks are resumed with all counts",
          "[ranks][resume]") {
  const RankRuns folder;
  Json config = evolved("es", 4);
  config["record"]["checkpoint"] = {{"minutes", 0}, {"keep", 1000}};
  REQUIRE(folder.run(config, "whole", 2).code == 0);
  REQUIRE(folder.run(config, "half", 2).code == 0);
  // In the middle of the final runs.
  const std::vector<std::string> all =
      names_in(folder.path("half/checkpoints"));
  for (std::size_t i = all.size() - 12; i < all.size(); ++i) {
    remove_file(folder.path("half/checkpoints/" + all[i]));
  }
  remove_file(folder.path("half/summary.json"));
  folder.resume("half", 2);
  const auto counts = [&](const std::string& run) {
    return json_of(folder.path(run + "/summary.json"))["train_gradients"];
  };
  CHECK(counts("half") == counts("whole"));
}

TEST_CASE("ranks end tuning together when rank 0 decides", "[ranks]") {
  const RankRuns folder;
  Json config = evolved("es", 100000);
  config["outer"]["stop"] = {{"train_gradients", 400}};
  const Ended ended = folder.run(config, "a", 3);
  CAPTURE(ended.output);
  REQUIRE(ended.code == 0);
  const Json summary = json_of(folder.path("a/summary.json"));
  CHECK(summary["termination"] == "budget");
  // 3 windows of 3 steps and 14 + 3 particles are 153 gradients.
  CHECK(folder.metrics("a").back()["train_gradients"] == 408);
}

}  // namespace nestgrad
