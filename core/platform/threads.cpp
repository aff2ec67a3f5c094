#include "core/platform/threads.h"

#include <ATen/Parallel.h>

#include "core/platform/blas.h"
#include "core/platform/symbol.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kWorthwhile = 1 << 17;

int settled = 1;

bool fights() { return blas_parallel() == 1; }

/// Sets the threads of LibTorch's operators. at::set_num_threads() would also
/// restart another pool, whose threads spin for a while.
using SetThreads = void(int);
SetThreads* set_operator_threads() {
  static const auto set = symbol<SetThreads>("omp_set_num_threads");
  return set;
}

}  // namespace

void use_threads(int n) {
  settled = n;
  at::set_num_threads(fights() ? 1 : n);
  if (fights()) set_blas_threads(n);
}

SplitOperators::SplitOperators(std::int64_t numbers)
    : split_(fights() && settled > 1 && numbers >= kWorthwhile &&
             at::get_num_threads() == 1 && set_operator_threads() != nullptr) {
  if (!split_) return;
  set_blas_threads(1);
  set_operator_threads()(settled);
}

SplitOperators::~SplitOperators() {
  if (!split_) return;
  set_operator_threads()(1);
  set_blas_threads(settled);
}

}  // namespace nestgrad
