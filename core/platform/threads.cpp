#include "core/platform/threads.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <vector>

#include "core/platform/blas.h"
#include "core/platform/symbol.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kWorthwhile = 1 << 17;

int settled = 1;
thread_local int scopes = 0;  // lives of SplitOperators that split

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// How many cores the calling thread may run on.
int allowed_cores() {
  // The mask of a large machine needs more than one cpu_set_t.
  for (std::size_t sets = 1; sets <= 1024; sets *= 2) {
    std::vector<cpu_set_t> mask(sets);
    const std::size_t bytes = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) {
      return std::max(1, CPU_COUNT_S(bytes, mask.data()));
    }
  }
  return 1;
}

/// Processor time over time by the files of a control group: cpu.max holds both
/// numbers (version 2), or each has a file (version 1). "max" and -1 stand for
/// no limit.
double limit_of(const std::string& group) {
  double quota = -1, period = 0;
  std::ifstream both(group + "/cpu.max");
  if (!(both >> quota >> period)) {
    std::ifstream(group + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(group + "/cpu.cfs_period_us") >> period;
  }
  return quota > 0 && period > 0 ? quota / period : kUnlimited;
}

/// The least limit of a group and of those above it.
double least_limit(const std::string& mount, std::string group) {
  double least = limit_of(mount);
  while (!group.empty() && group != "/") {
    least = std::min(least, limit_of(mount + group));
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  return least;
}

bool fights() { return blas_parallel() == 1; }

/// Sets the threads of LibTorch's operators. at::set_num_threads() would also
/// restart another pool, whose threads spin for a while.
using SetThreads = void(int);
SetThreads* set_operator_threads() {
  static const auto set = symbol<SetThreads>("omp_set_num_threads");
  return set;
}

bool operators_are_split() { return at::get_num_threads() > 1; }

/// Who has the threads, LibTorch's operators or BLAS, where only one can.
void split_operators(bool split) {
  if (!fights() || settled == 1 || set_operator_threads() == nullptr ||
      split == operators_are_split()) {
    return;
  }
  set_blas_threads(split ? 1 : settled);
  set_operator_threads()(split ? settled : 1);
}

}  // namespace

int cores_of_control_group(const std::string& root) {
  double least = kUnlimited;
  // Lines "0::/group" (version 2) and "4:cpu,cpuacct:/group" (version 1).
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string kinds = line.substr(first + 1, second - first - 1);
    const bool of_cpu = ("," + kinds + ",").find(",cpu,") != std::string::npos;
    if (!kinds.empty() && !of_cpu) continue;
    const std::string mount =
        root + "/sys/fs/cgroup" + (kinds.empty() ? "" : "/" + kinds);
    least = std::min(least, least_limit(mount, line.substr(second + 1)));
  }
  return least == kUnlimited ? 0 : static_cast<int>(std::ceil(least));
}

int available_cores(const std::string& root) {
  const int allowed = allowed_cores(), limit = cores_of_control_group(root);
  return limit > 0 ? std::min(allowed, limit) : allowed;
}

void use_threads(int n) {
  settled = n;
  at::set_num_threads(fights() ? 1 : n);
  if (fights()) set_blas_threads(n);
}

int threads_in_use() { return settled; }

void give_threads_to_convolutions(std::int64_t numbers) {
  if (scopes == 0) split_operators(numbers >= kWorthwhile);
}

SplitOperators::SplitOperators(std::int64_t numbers)
    : splits_(numbers >= kWorthwhile), before_(operators_are_split()) {
  if (!splits_) return;
  ++scopes;
  split_operators(true);
}

SplitOperators::~SplitOperators() {
  if (!splits_) return;
  --scopes;
  split_operators(before_);
}

}  // namespace nestgrad
