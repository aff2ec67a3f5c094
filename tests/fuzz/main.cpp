// Feeds readers with inputs damaged by random changes:
//
//   nestgrad_fuzz [inputs per reader, default 100000] [part of a reader's name]
//
// Every reader has a process of its own; as many as there are cores run at
// once. A reader may accept an input or throw Error. Any other exception, a
// crash, an input that takes longer than 20 seconds, or an allocation of more
// than 512 MiB (from a length in the file that was trusted) ends its process
// and leaves the input in fuzz-input-N, where N is the reader's number. When
// built with sanitizers (`./dev fuzz`), so does every access out of bounds and
// every undefined operation.

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "core/platform/threads.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/readers.h"

#if defined(__SANITIZE_ADDRESS__)
// A failed allocation throws an exception, as without sanitizers. Every fault
// is a signal, at which the input is kept. Long traces of every allocation
// would take a quarter of the time.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=512:"
         "detect_leaks=0:abort_on_error=1:malloc_context_size=3";
}
extern "C" const char* __ubsan_default_options() {
  return "halt_on_error=1:abort_on_error=1";
}
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

namespace nestgrad {
namespace {

constexpr unsigned kLongest = 20;  // seconds for one input

const char* input_in_work = nullptr;
std::size_t input_length = 0;
std::string failed_input;  // the file that keeps it

/// Keeps the input that caused the signal. Only system calls are allowed here.
extern "C" void keep_input(int signal) {
  const int file = creat(failed_input.c_str(), 0666);
  if (file >= 0 && input_in_work != nullptr) {
    (void)!write(file, input_in_work, input_length);
  }
  const char text[] = "a reader crashed or hung; its input is in ";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  (void)!write(STDERR_FILENO, failed_input.data(), failed_input.size());
  (void)!write(STDERR_FILENO, "\n", 1);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

/// Returns a reader's wrong reaction to an input, or "".
std::string trouble(const Reader& reader, const std::string& input) {
  try {
    reader.read(input);
  } catch (const Error&) {
  } catch (const std::bad_alloc&) {
    if (!reader.may_want_memory) return "it wanted too much memory";
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool memory = what.find("allocate") != std::string::npos;
    if (!memory || !reader.may_want_memory) return what;
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

bool fuzz(const Reader& reader, int count) {
  for (const std::string& seed : reader.seeds) {
    // If the seed is refused, so are most inputs made from it.
    try {
      reader.read(seed);
    } catch (const std::exception& error) {
      fmt::print("{}: a good input is refused: {}\n", reader.name,
                 error.what());
      return false;
    }
  }
  const Stopwatch watch;
  Random random(1);
  for (int i = 0; i < count; ++i) {
    const std::string& seed = reader.seeds[below(random, reader.seeds.size())];
    const std::string input = reader.mutate
                                  ? reader.mutate(seed, random)
                                  : damaged(seed, reader.seeds, random);
    input_in_work = input.data();
    input_length = input.size();
    alarm(kLongest);
    const std::string what = trouble(reader, input);
    alarm(0);
    if (!what.empty()) {
      fmt::print("{}: input {}: {} (see {})\n", reader.name, i, what,
                 failed_input);
      write_file(failed_input, input);
      return false;
    }
  }
  fmt::print("{:28} {:7} inputs, {:.1f} s\n", reader.name, count,
             watch.seconds());
  std::fflush(stdout);
  return true;
}

std::vector<Reader> all_readers(const TemporaryFolder& folder) {
  std::vector<Reader> out;
  for (auto& readers :
       {storage_readers(folder), data_readers(folder), exported_readers(folder),
        record_readers(folder), config_readers()}) {
    out.insert(out.end(), readers.begin(), readers.end());
  }
  return out;
}

/// Allows this process its present address space and 512 MiB more.
void limit_memory() {
  long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%ld", &pages) != 1) pages = 1 << 20;
    std::fclose(file);
  }
  const rlim_t most =
      static_cast<rlim_t>(pages) * static_cast<rlim_t>(getpagesize()) +
      (rlim_t{512} << 20);
  const rlimit limit{most, most};
  setrlimit(RLIMIT_AS, &limit);
}

/// Starts a process that fuzzes one reader in a folder of its own.
void start(std::size_t number, int count) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child < 0) throw Error("a process could not be started");
  if (child > 0) return;
  for (const int signal : {SIGALRM, SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) {
    std::signal(signal, keep_input);
  }
  if (!kSanitized) limit_memory();
  failed_input = fmt::format("fuzz-input-{}", number);
  bool good = false;
  {
    const TemporaryFolder folder;
    good = fuzz(all_readers(folder)[number], count);
  }
  std::fflush(stdout);
  _exit(good ? 0 : 1);
}

/// Waits for one of the processes. Returns whether its reader is right.
bool finish_one() {
  int status = 0;
  return wait(&status) > 0 && status == 0;
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  using namespace nestgrad;
  const int count = argc > 1 ? std::atoi(argv[1]) : 100000;
  const std::string wanted = argc > 2 ? argv[2] : "";
  const TemporaryFolder folder;
  const std::vector<Reader> readers = all_readers(folder);
  bool good = true;
  int running = 0, chosen = 0;
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (readers[i].name.find(wanted) == std::string::npos) continue;
    if (running == available_cores()) {
      good = finish_one() && good;
      --running;
    }
    start(i, count);
    ++running;
    ++chosen;
  }
  for (; running > 0; --running) good = finish_one() && good;
  if (chosen > 0) return good ? 0 : 1;
  fmt::print(stderr, "No name of a reader has '{}' in it. The readers are:\n",
             wanted);
  for (const Reader& reader : readers) fmt::print(stderr, "{}\n", reader.name);
  return 2;
}
