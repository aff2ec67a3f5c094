// Kills runs at random moments (SIGKILL), resumes them, and compares the final
// files with those of an uninterrupted run: every file must be the same byte by
// byte, apart from measured times and memory.
//
//   nestgrad_kills [kills, default 200] [seed, default 1]
//
// The cases are every registered estimator and every configuration in configs/,
// shortened, in random order.

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "experiments/record/json_lines.h"
#include "hypergrad/estimator.h"
#include "tests/support/shipped_configs.h"
#include "tests/support/shortened.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// Runs the program in `folder` and kills it after `seconds`. Returns its exit
/// code, or -1 if it was killed.
int program(const std::string& folder, const std::vector<std::string>& words,
            double seconds) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string log = folder + "/log";
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    if (chdir(folder.c_str()) != 0) _exit(99);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    std::vector<char*> arguments{const_cast<char*>(NESTGRAD_PROGRAM)};
    for (const std::string& word : words) {
      arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    execv(NESTGRAD_PROGRAM, arguments.data());
    _exit(98);
  }
  const Stopwatch watch;
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (watch.seconds() >= seconds) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// Removes measured values and the place where a run was started.
void remove_measured(Json& json) {
  if (!json.is_object()) return;
  for (const char* key :
       {"seconds", "estimate_seconds", "tensor_mib", "peak_memory_mib",
        "peak_tensor_mib", "started", "resumed", "paths_from"}) {
    json.erase(key);
  }
  for (auto& [key, value] : json.items()) remove_measured(value);
}

/// The contents of a file that must not differ.
std::string essence(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::string kind = fs::path(path).extension();
  std::string out;
  if (kind == ".json") {
    Json json = Json::parse(bytes);
    remove_measured(json);
    return json.dump();
  }
  if (kind != ".jsonl") return bytes;
  for (Json line : parse_json_lines(bytes)) {
    remove_measured(line);
    out += line.dump() + "\n";
  }
  return out;
}

/// The files of a run by name, without its checkpoints.
std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) continue;
    out[entry.path().filename()] = essence(entry.path());
  }
  return out;
}

struct Case {
  std::string name;
  Json config;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const std::string& path : shipped_configs()) {
    cases.push_back(
        {fs::path(path).stem(), shortened(shipped_config(path), 6)});
  }
  const Json network = shortened(
      JsonFile::read(NESTGRAD_SOURCE_DIR "/configs/quickstart.json").json(), 6);
  for (const std::string& name : EstimatorRegistry::instance().names()) {
    Json config = network;
    config["estimator"] = {{"type", name}, {"window", 2}};
    cases.push_back({"estimator " + name, config});
  }
  for (Case& c : cases) {
    c.config["record"]["retrain"] = 20;
    c.config["record"]["every"] = 2;
    // So often that many kills come while a checkpoint is written.
    c.config["record"]["checkpoint"] = {{"steps", 1}, {"minutes", 0.0005}};
  }
  std::sort(cases.begin(), cases.end(),
            [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

/// The final files of an uninterrupted run, and its duration.
struct Reference {
  std::map<std::string, std::string> files;
  double seconds = 0;
};

constexpr double kForever = 300;

class Kills {
 public:
  explicit Kills(std::uint64_t seed) : random_(seed) {}

  /// Kills and resumes one run until it ends. Returns the number of kills.
  /// Throws Error if the final files differ from the reference.
  int torment(const Case& c) {
    if (references_.count(c.name) == 0) references_[c.name] = reference(c);
    const Reference& reference = references_[c.name];
    const TemporaryFolder folder;
    folder.write("case.json", c.config.dump(2));
    std::uniform_real_distribution<double> moment(0, reference.seconds);
    int kills = 0, code = -1;
    const auto attempt = [&](double seconds) {
      const bool begun = fs::exists(folder.path("run/config.json"));
      if (!begun) fs::remove_all(folder.path("run"));
      code = program(
          folder.path(""),
          begun ? std::vector<std::string>{"resume", "run"}
                : std::vector<std::string>{"run", "case.json", "--out", "run"},
          seconds);
      if (code == -1) ++kills;
    };
    constexpr int kMost = 3;
    while (code == -1 && kills < kMost) attempt(moment(random_));
    if (code == -1) attempt(kForever);
    const auto fail = [&](const std::string& what) {
      throw Error(fmt::format("{}: {}\n{}", c.name, what,
                              read_file(folder.path("log"))));
    };
    if (code != 0) fail(fmt::format("exit code {}", code));
    if (read_file(folder.path("log")).find("damaged") != std::string::npos) {
      fail("a kill damaged a checkpoint");
    }
    const auto files = files_of(folder.path("run"));
    for (const auto& [name, bytes] : reference.files) {
      if (files.count(name) == 0) fail(name + " is missing");
      if (files.at(name) != bytes) fail(name + " differs");
    }
    if (files.size() != reference.files.size()) fail("there are other files");
    return kills;
  }

 private:
  static Reference reference(const Case& c) {
    const TemporaryFolder folder;
    folder.write("case.json", c.config.dump(2));
    const Stopwatch watch;
    const int code = program(folder.path(""),
                             {"run", "case.json", "--out", "run"}, kForever);
    Reference out{{}, watch.seconds()};
    require(code == 0, "{}: exit code {} without a kill\n{}", c.name, code,
            read_file(folder.path("log")));
    out.files = files_of(folder.path("run"));
    return out;
  }

  std::mt19937_64 random_;
  std::map<std::string, Reference> references_;
};

int run(int wanted, std::uint64_t seed) {
  std::vector<Case> cases = all_cases();
  std::mt19937_64 random(seed);
  std::shuffle(cases.begin(), cases.end(), random);
  Kills kills(seed);
  int done = 0;
  for (std::size_t i = 0; done < wanted; ++i) {
    const Case& c = cases[i % cases.size()];
    const int now = kills.torment(c);
    done += now;
    fmt::print("{:4} {}: {} kills\n", done, c.name, now);
    std::fflush(stdout);
  }
  fmt::print(
      "{} kills of {} cases: all files equal those of uninterrupted runs\n",
      done, cases.size());
  return 0;
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  try {
    return nestgrad::run(argc > 1 ? std::atoi(argv[1]) : 200,
                         argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
