#include "core/platform/standard_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ext/stdio_sync_filebuf.h>
#include <iostream>

namespace nestgrad {
namespace {

/// One of the two streams that the program writes to.
struct Output {
  int descriptor;
  int failure = 0;  // errno; nothing is written after a failure
};

Output output{STDOUT_FILENO}, errors{STDERR_FILENO};

/// Writes to an Output. Always claims to have written everything, because
/// fmt::print() would throw otherwise.
ssize_t write_to(void* cookie, const char* bytes, std::size_t count) {
  Output& to = *static_cast<Output*>(cookie);
  for (std::size_t done = 0; done < count && to.failure == 0;) {
    const ssize_t n = ::write(to.descriptor, bytes + done, count - done);
    if (n >= 0) {
      done += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd ready{to.descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      to.failure = errno;
    }
  }
  return static_cast<ssize_t>(count);
}

std::FILE* guarded(Output& to, int buffering) {
  std::FILE* const file =
      fopencookie(&to, "w", {nullptr, write_to, nullptr, nullptr});
  if (file != nullptr) std::setvbuf(file, nullptr, buffering, BUFSIZ);
  return file;
}

}  // namespace

void guard_standard_streams() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0) continue;
    // The lowest free number, which is `wanted`.
    if (::open("/dev/null", O_RDWR) != wanted) return;
  }
  // A write to a pipe without a reader becomes an error.
  std::signal(SIGPIPE, SIG_IGN);
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  // In the GNU C library these are variables.
  if (std::FILE* const file = guarded(output, terminal ? _IOLBF : _IOFBF)) {
    stdout = file;
    // CLI11 prints to std::cout, which would keep the first `stdout`. The
    // buffer is never destroyed, because std::cout is used until the end.
    std::cout.rdbuf(new __gnu_cxx::stdio_sync_filebuf<char>(file));
  }
  if (std::FILE* const file = guarded(errors, _IONBF)) stderr = file;
}

int output_failure() {
  std::fflush(stdout);
  return output.failure;
}

bool reader_has_ended() { return output.failure == EPIPE; }

}  // namespace nestgrad
