#include "experiments/black_box/conversation.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// A call of the system again if a signal has interrupted it.
template <class F>
ssize_t uninterrupted(F&& call) {
  ssize_t out = 0;
  do {
    out = call();
  } while (out < 0 && errno == EINTR);
  return out;
}

}  // namespace

Conversation::Conversation(const std::vector<std::string>& words) {
  // A socket, since writing to one whose other end is closed can be an error
  // instead of a signal.
  int ends[2] = {-1, -1};
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
          "cannot talk to another process");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
                                   O_WRONLY, 0);
  // A group of its own: what is typed at the terminal is for this process.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> texts = words;
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  pid_t process = -1;
  const int error = posix_spawnp(&process, arguments[0], &actions, &attributes,
                                 arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  socket_ = ends[0];
  if (error == 0) process_ = process;
}

Conversation::~Conversation() {
  close(socket_);  // the end of its input
  if (process_ < 0) return;
  kill(process_, SIGTERM);
  int status = 0;
  uninterrupted([&] { return waitpid(process_, &status, 0); });
}

std::optional<std::string> Conversation::ask(const std::string& line) {
  std::string rest = line + "\n";
  while (!rest.empty()) {
    const ssize_t sent = uninterrupted(
        [&] { return send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL); });
    if (sent < 0) return {};
    rest.erase(0, static_cast<std::size_t>(sent));
  }
  while (true) {
    const std::size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      std::string out = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return out;
    }
    char buffer[1 << 16];
    const ssize_t got =
        uninterrupted([&] { return read(socket_, buffer, sizeof buffer); });
    if (got <= 0) return {};
    unread_.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace nestgrad
