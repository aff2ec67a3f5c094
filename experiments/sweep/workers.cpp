#include "experiments/sweep/workers.h"

#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "core/distributed/place.h"
#include "experiments/setup/child_process.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

constexpr std::chrono::milliseconds kPause(20);

}  // namespace

bool run_jobs(int count, const std::function<std::optional<Job>()>& next,
              const std::function<void(const Job&, int code)>& finished,
              const std::function<bool()>& more,
              const std::function<void()>& meanwhile) {
  std::map<pid_t, Job> running;
  bool told = false;
  while (true) {
    while (static_cast<int>(running.size()) < count && noted_signal() == 0) {
      std::optional<Job> job = next();
      if (!job) break;
      // A run of a sweep is no rank, whoever has started the sweep.
      const pid_t process = start({job->arguments,
                                   {},
                                   rank_variables(),
                                   job->log,
                                   false,
                                   job->claim ? job->claim->file() : -1});
      running.emplace(process, std::move(*job));
    }
    meanwhile();
    if (running.empty()) {
      if (!more()) return true;
      if (noted_signal() != 0) return false;
    }
    if (take_checkpoint_request()) {
      for (const auto& entry : running) kill(entry.first, SIGUSR1);
    }
    if (noted_signal() != 0 && !told) {
      for (const auto& entry : running) kill(entry.first, SIGTERM);
      told = true;
    }
    int status = 0;
    const pid_t process = waitpid(-1, &status, WNOHANG);
    const auto found = running.find(process);
    if (found == running.end()) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    const Job job = std::move(found->second);
    running.erase(found);
    finished(job, exit_code(status));
  }
}

}  // namespace nestgrad
