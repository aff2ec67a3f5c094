#pragma once

#include "core/platform/threads.h"

namespace nestgrad {

/// The settled number of threads, while it lives.
class Threads {
 public:
  explicit Threads(int n) { use_threads(n); }
  ~Threads() { use_threads(1); }  // as everywhere in the tests
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

}  // namespace nestgrad
