// Feeds readers with inputs damaged by random changes:
//
//   nestgrad_fuzz [inputs per reader, default 100000] [part of a reader's name]
//
// A reader may accept an input or throw Error. Any other exception, a crash, an
// input that takes longer than 20 seconds, or an allocation of more than 512
// MiB (from a length in the file that was trusted) ends the program and leaves
// the input in fuzz-input. When built with sanitizers (`./dev fuzz`), so does
// every access out of bounds and every undefined operation.

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/readers.h"

#if defined(__SANITIZE_ADDRESS__)
// A failed allocation throws an exception, as without sanitizers.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=512:"
         "detect_leaks=0";
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
char failed_input[] = "fuzz-input";

/// Keeps the input that caused the signal. Only system calls are allowed here.
extern "C" void keep_input(int signal) {
  const int file = creat(failed_input, 0666);
  if (file >= 0 && input_in_work != nullptr) {
    (void)!write(file, input_in_work, input_length);
  }
  const char text[] = "a reader crashed or hung; see fuzz-input\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
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
      fmt::print("{}: input {}: {}\n", reader.name, i, what);
      write_file(failed_input, input);
      return false;
    }
  }
  fmt::print("{:28} {:7} inputs, {:.1f} s\n", reader.name, count,
             watch.seconds());
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  using namespace nestgrad;
  const int count = argc > 1 ? std::atoi(argv[1]) : 100000;
  const std::string wanted = argc > 2 ? argv[2] : "";
  for (const int signal : {SIGALRM, SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) {
    std::signal(signal, keep_input);
  }
  if (!kSanitized) {
    // The present address space of this process plus 512 MiB.
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
  const TemporaryFolder folder;
  bool good = true;
  for (const auto& readers : {storage_readers(folder), data_readers(folder),
                              record_readers(folder), config_readers()}) {
    for (const Reader& reader : readers) {
      if (reader.name.find(wanted) == std::string::npos) continue;
      good = fuzz(reader, count) && good;
    }
  }
  return good ? 0 : 1;
}
