#include "experiments/sweep/workers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "core/platform/error.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

constexpr std::chrono::milliseconds kPause(20);

pid_t start(const Job& job) {
  // Prepared before the fork: after it, only system calls are safe.
  std::vector<std::string> words{"/proc/self/exe"};
  words.insert(words.end(), job.arguments.begin(), job.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  // A signal between fork and exec would be noted by the copy and then lost.
  sigset_t noted, before;
  sigemptyset(&noted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1}) {
    sigaddset(&noted, signal);
  }
  sigprocmask(SIG_BLOCK, &noted, &before);
  const pid_t child = fork();
  if (child != 0) sigprocmask(SIG_SETMASK, &before, nullptr);
  require(child >= 0, "cannot start a process");
  if (child > 0) return child;
  for (const int signal : {SIGINT, SIGTERM, SIGXCPU}) {
    std::signal(signal, SIG_DFL);
  }
  if (std::signal(SIGHUP, SIG_DFL) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  // Until the run is ready for it, a request for a checkpoint would end it.
  std::signal(SIGUSR1, SIG_IGN);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(143);
  const int log = ::open(job.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (log >= 0) {
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  execv(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

bool run_jobs(int count, const std::function<std::optional<Job>()>& next,
              const std::function<void(const Job&, int code)>& finished) {
  std::map<pid_t, Job> running;
  bool told = false;
  while (true) {
    while (static_cast<int>(running.size()) < count && noted_signal() == 0) {
      std::optional<Job> job = next();
      if (!job) break;
      const pid_t process = start(*job);
      running.emplace(process, std::move(*job));
    }
    if (running.empty()) return noted_signal() == 0;
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
    const Job job = found->second;
    running.erase(found);
    finished(job,
             WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

}  // namespace nestgrad
