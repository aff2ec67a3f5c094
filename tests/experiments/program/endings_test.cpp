// How the program ends when the system refuses: standard streams, folders,
// memory.

#include <algorithm>
#include <filesystem>

#include "core/platform/files.h"
#include "experiments/record/json_lines.h"
#include "tests/experiments/run/small_run.h"
#include "tests/support/program.h"
#include "tests/support/ridge_config.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// "nestgrad `arguments`" in parentheses, so that redirections in it stay.
Ended within(const TemporaryFolder& folder, const std::string& arguments,
             const std::string& before = "") {
  return shell(folder.path(""), fmt::format("({} '{}' {})", before,
                                            NESTGRAD_PROGRAM, arguments));
}

std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("closed standard descriptors do not become files of a run",
          "[program]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(10).dump());
  for (const char* closed : {"0<&- 1>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"}) {
    CAPTURE(closed);
    fs::remove_all(folder.path("run"));
    const Ended ended =
        within(folder, fmt::format("run a.json --out run {}", closed));
    CAPTURE(ended.output);
    CHECK(ended.code == 0);
    CHECK(
        parse_json_lines(read_file(folder.path("run/metrics.jsonl"))).size() ==
        11);  // the start and ten outer steps
  }
}

TEST_CASE("standard output that is full is a mistake in one sentence",
          "[program]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(6).dump());
  for (const char* arguments :
       {"plan a.json", "run a.json --print-config", "schema", "list",
        "explain seed", "completion", "--help", "--version",
        "run a.json --out run", "run a.json --progress json --out json"}) {
    CAPTURE(arguments);
    const Ended ended =
        within(folder, fmt::format("{} > /dev/full", arguments));
    CHECK(ended.code == 2);
    CHECK(ended.output ==
          "nestgrad: cannot write to standard output: No space left on "
          "device\n");
  }
  // The run itself is whole.
  CHECK(json_of(folder.path("run/summary.json"))["termination"] == "finished");
}

TEST_CASE("a reader that has ended is not reported", "[program]") {
  const TemporaryFolder folder;
  for (const char* before : {"", "trap '' PIPE; "}) {
    const Ended ended =
        shell(folder.path(""),
              fmt::format("({}{{ '{}' schema; echo code $? >&2; }} | head -1)",
                          before, NESTGRAD_PROGRAM));
    CAPTURE(ended.output);
    CHECK(line_count(ended.output) == 2);
    CHECK_THAT(ended.output, ContainsSubstring("code 141"));
  }
}

TEST_CASE("paths that the system does not follow are mistakes in one sentence",
          "[program]") {
  const TemporaryFolder folder;
  folder.write("good.json", ridge_config().dump());
  fs::create_symlink("loop", folder.path("loop"));
  const std::string long_name(300, 'x');
  Json images = small(2);
  for (const char* type : {"fashion_mnist", "cifar10", "cifar100"}) {
    images["problem"]["data"] = {{"type", type}, {"folder", "loop"}};
    folder.write(std::string(type) + ".json", images.dump());
  }
  images["problem"]["data"] = {
      {"type", "npy"}, {"inputs", "loop/x.npy"}, {"targets", "loop/y.npy"}};
  folder.write("npy.json", images.dump());
  for (const std::string& arguments :
       {std::string("plan loop"), std::string("run good.json --out loop"),
        std::string("resume loop"), std::string("report loop"),
        std::string("sweep loop"), std::string("export loop --tensorboard tb"),
        std::string("compare good.json --estimators loop"),
        "report " + long_name, "resume " + long_name, "plan " + long_name,
        std::string("--plugin loop list"), std::string("plan cifar10.json"),
        std::string("plan cifar100.json"), std::string("plan npy.json"),
        std::string("plan fashion_mnist.json"),
        std::string("new estimator fresh --out loop/fresh")}) {
    CAPTURE(arguments);
    const Ended ended = program(folder.path(""), arguments);
    CAPTURE(ended.output);
    CHECK(ended.code == 2);
    CHECK(line_count(ended.output) == 1);
    CHECK(ended.output.find("internal") == std::string::npos);
    CHECK(ended.output.find("no such file") == std::string::npos);
    CHECK((ended.output.find("symbolic links") != std::string::npos ||
           ended.output.find("too long") != std::string::npos));
  }
}

#ifndef __SANITIZE_ADDRESS__
TEST_CASE("too little memory is one sentence that says what lowers it",
          "[program]") {
  const TemporaryFolder folder;
  Json config = small(4);
  config["problem"] = {
      {"type", "classification"},
      {"data", {{"type", "gaussian_clusters"}, {"train", 100}, {"valid", 50}}},
      {"model", {{"type", "mlp"}, {"hidden", {2500, 2500}}}},
      {"batch", 0}};
  config["hyperparameters"] = {{"lr", {{"initial", 1e-3}}}};
  config["inner"] = {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", 0.9}};
  config["estimator"] = {{"type", "unrolled"}, {"window", 100}};
  config["threads"] = 1;
  folder.write("a.json", config.dump());
  for (const char* arguments :
       {"run a.json --out loud", "run a.json --quiet --out quiet",
        "resume quiet --quiet", "plan a.json"}) {
    CAPTURE(arguments);
    const Ended ended =
        within(folder, arguments, "ulimit -v 1300000; OPENBLAS_NUM_THREADS=1");
    CAPTURE(ended.output);
    if (std::string(arguments) == "plan a.json") {
      // The rehearsal is short, so it has room.
      CHECK((ended.code == 0 || ended.code == 5));
      continue;
    }
    CHECK(ended.code == 5);
    CHECK(line_count(ended.output.substr(ended.output.find("nestgrad: "))) ==
          1);
    for (const char* says :
         {"nestgrad: out of memory: ", " MiB more could not be had",
          "estimator.checkpoints", "estimator.window (it is 100)",
          "nestgrad plan"}) {
      CHECK_THAT(ended.output, ContainsSubstring(says));
    }
  }
  // A size that no machine has.
  config["problem"]["model"]["hidden"] = {3000000000000, 8};
  folder.write("b.json", config.dump());
  const Ended ended = program(folder.path(""), "plan b.json");
  CAPTURE(ended.output);
  CHECK(ended.code == 5);
  CHECK_THAT(ended.output, ContainsSubstring("out of memory"));
}
#endif

TEST_CASE("threads wait shortly for each other unless the user says how",
          "[program]") {
  const TemporaryFolder folder;
  const auto spins = [&](const std::string& before) {
    return within(folder, "--version", before + " OMP_DISPLAY_ENV=verbose")
        .output;
  };
  CHECK_THAT(spins("unset GOMP_SPINCOUNT;"),
             ContainsSubstring("GOMP_SPINCOUNT = '1000'"));
  CHECK_THAT(spins("GOMP_SPINCOUNT=77"),
             ContainsSubstring("GOMP_SPINCOUNT = '77'"));
  CHECK_THAT(spins("unset GOMP_SPINCOUNT; OMP_WAIT_POLICY=active"),
             ContainsSubstring("OMP_WAIT_POLICY = 'ACTIVE'") &&
                 !ContainsSubstring("'1000'"));
}

TEST_CASE("a run uses the cores that it may run on", "[program]") {
  const TemporaryFolder folder;
  folder.write("a.json", small(2).dump());
  folder.write("s.json", Json{{"config", small(2)}, {"seeds", 1}}.dump());
  const std::string on_one_core =
      "taskset -c $(taskset -cp $$ | sed 's/.*: *//; s/[,-].*//')";
  REQUIRE(within(folder, "run a.json --quiet --out run", on_one_core).code ==
          0);
  const Json host = json_of(folder.path("run/run.json"))["host"];
  CHECK(host["cores"] == 1);
  CHECK(host["threads"] == 1);
  REQUIRE(within(folder, "sweep s.json --quiet --out s", on_one_core).code ==
          0);
  CHECK(json_of(folder.path("s/configs/trial-0001-seed-1.json"))["threads"] ==
        1);
}

}  // namespace nestgrad
