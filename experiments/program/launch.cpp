#include "experiments/program/launch.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/distributed/place.h"
#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "experiments/setup/child_process.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

constexpr int kPassedOn[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGXCPU};

volatile std::sig_atomic_t to_pass_on[NSIG] = {};

extern "C" void pass_on(int signal) { to_pass_on[signal] = 1; }

/// A port of this host that nobody listens at.
int free_port() {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      s >= 0 && bind(s, any, length) == 0 && getsockname(s, any, &length) == 0;
  if (s >= 0) close(s);
  require(found, "no port of this host is free for --ranks");
  return ntohs(address.sin_port);
}

/// The arguments of this process, without its name.
std::vector<std::string> own_arguments() {
  std::vector<std::string> words;
  std::string word;
  for (const char c : read_file("/proc/self/cmdline")) {
    if (c != '\0') {
      word += c;
      continue;
    }
    words.push_back(word);
    word.clear();
  }
  words.erase(words.begin());
  return words;
}

/// The ranks that this process has started.
class Ranks {
 public:
  void add(pid_t process) {
    processes_.push_back(process);
    codes_.push_back(kRuns);
  }

  /// Waits for all; returns their exit codes. When one has failed, the others
  /// get time to end by themselves, then they are ended.
  std::vector<int> wait() {
    while (count(kRuns) > 0) {
      collect();
      for (const int signal : kPassedOn) {
        if (to_pass_on[signal] == 0) continue;
        to_pass_on[signal] = 0;
        tell(signal);
      }
      if (count(0) + count(kRuns) < codes_.size()) end_late_ones();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return codes_;
  }

 private:
  static constexpr int kRuns = -1;
  static constexpr double kGrace = 120, kLastGrace = 130;  // seconds

  std::size_t count(int code) const {
    return static_cast<std::size_t>(
        std::count(codes_.begin(), codes_.end(), code));
  }

  void collect() {
    for (std::size_t r = 0; r < codes_.size(); ++r) {
      int status = 0;
      if (codes_[r] != kRuns) continue;
      const pid_t ended = waitpid(processes_[r], &status, WNOHANG);
      if (ended == processes_[r]) codes_[r] = exit_code(status);
      if (ended < 0) codes_[r] = kExitInternal;  // somebody else has waited
    }
  }

  void tell(int signal) const {
    for (std::size_t r = 0; r < codes_.size(); ++r) {
      if (codes_[r] == kRuns) kill(processes_[r], signal);
    }
  }

  void end_late_ones() {
    if (!since_failure_) since_failure_.emplace();
    const double waited = since_failure_->seconds();
    if (waited > kLastGrace) return tell(SIGKILL);
    if (waited < kGrace || told_) return;
    told_ = true;
    for (std::size_t r = 0; r < codes_.size(); ++r) {
      fmt::print(stderr, "nestgrad: rank {} {}\n", r,
                 codes_[r] == kRuns
                     ? fmt::format("has not ended by itself in {:g} seconds "
                                   "since, and is ended",
                                   kGrace)
                     : fmt::format("has ended with exit code {}", codes_[r]));
    }
    tell(SIGTERM);
  }

  std::vector<pid_t> processes_;
  std::vector<int> codes_;
  std::optional<Stopwatch> since_failure_;
  bool told_ = false;
};

int launch(int ranks) {
  const std::string size = std::to_string(ranks);
  const std::string port = std::to_string(free_port());
  for (const int signal : kPassedOn) {
    // With nohup, SIGHUP stays ignored.
    const bool ignored = std::signal(signal, pass_on) == SIG_IGN;
    if (ignored && signal == SIGHUP) std::signal(signal, SIG_IGN);
  }
  std::signal(SIGCHLD, SIG_DFL);
  Ranks started;
  for (int r = 0; r < ranks; ++r) {
    const std::string rank = std::to_string(r);
    ChildProcess child;
    child.arguments = own_arguments();
    child.set = {"RANK=" + rank, "WORLD_SIZE=" + size,
                 "LOCAL_WORLD_SIZE=" + size, "MASTER_ADDR=127.0.0.1",
                 "MASTER_PORT=" + port};
    child.own_group = true;
    started.add(start(child));
  }
  // That of rank 0 says most.
  for (const int code : started.wait()) {
    if (code != 0) return code;
  }
  return 0;
}

}  // namespace

void RanksArgument::add_to(CLI::App& command) {
  command
      .add_option(
          "--ranks", ranks,
          "Processes on this host that share the work; torchrun, mpirun "
          "and srun start them on several hosts")
      ->check(CLI::Range(1, 4096));
}

int RanksArgument::with(const std::function<int()>& work) const {
  const int launched = place_in_environment().size;
  require(launched == 1 || ranks == 0 || ranks == launched,
          "--ranks {}: a launcher has started {} ranks already", ranks,
          launched);
  return ranks > 1 && launched == 1 ? launch(ranks) : work();
}

}  // namespace nestgrad
