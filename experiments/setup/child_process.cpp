#include "experiments/setup/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// Pointers to texts, which outlive them, with a null pointer at the end.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_of(const ChildProcess& child) {
  std::vector<std::string> out = child.set, gone = child.unset;
  for (const std::string& variable : child.set) {
    gone.push_back(variable.substr(0, variable.find('=')));
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string variable = *entry;
    const std::string name = variable.substr(0, variable.find('='));
    if (std::count(gone.begin(), gone.end(), name) == 0) {
      out.push_back(variable);
    }
  }
  return out;
}

}  // namespace

pid_t start(const ChildProcess& child) {
  // Prepared before the fork: after it, only system calls are safe.
  std::vector<std::string> words{"/proc/self/exe"};
  words.insert(words.end(), child.arguments.begin(), child.arguments.end());
  std::vector<std::string> variables = environment_of(child);
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> environment = pointers(variables);
  const pid_t parent = getpid();
  // A signal between fork and exec would be noted by the copy and then lost.
  sigset_t noted, before;
  sigemptyset(&noted);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGUSR1}) {
    sigaddset(&noted, signal);
  }
  sigprocmask(SIG_BLOCK, &noted, &before);
  const pid_t process = fork();
  if (process != 0) sigprocmask(SIG_SETMASK, &before, nullptr);
  require(process >= 0, "cannot start a process");
  if (process > 0) return process;
  if (child.own_group) setpgid(0, 0);
  if (child.inherited >= 0) fcntl(child.inherited, F_SETFD, 0);
  for (const int signal : {SIGINT, SIGTERM, SIGXCPU}) {
    std::signal(signal, SIG_DFL);
  }
  if (std::signal(SIGHUP, SIG_DFL) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  // Until the run is ready for it, a request for a checkpoint would end it.
  std::signal(SIGUSR1, SIG_IGN);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(143);
  if (!child.log.empty()) {
    const int log =
        ::open(child.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (log >= 0) {
      dup2(log, STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
    }
  }
  execve(arguments[0], arguments.data(), environment.data());
  _exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace nestgrad
