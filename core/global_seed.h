#pragma once

#include <ATen/Context.h>

#include <mutex>

#include "core/key.h"

namespace nestgrad {

/// While one lives, LibTorch's own generator follows a key; after that it is
/// where it was before. For foreign code that draws from it (dropout in a
/// script or a module). LibTorch's CPU generator looks at 32 bits of a seed
/// only, which is enough for what a mask is.
///
/// There is one generator per process, so whoever holds one of these holds the
/// lock of all who use foreign code.
class GlobalSeed {
 public:
  GlobalSeed(const Key& key, c10::Device device)
      : lock_(mutex()),
        generator_(at::globalContext().defaultGenerator(device)),
        before_(generator_.get_state()) {
    generator_.set_current_seed(key.bits() ^ (key.bits() >> 32));
  }
  ~GlobalSeed() { generator_.set_state(before_); }
  GlobalSeed(const GlobalSeed&) = delete;
  GlobalSeed& operator=(const GlobalSeed&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }

  std::lock_guard<std::mutex> lock_;
  at::Generator generator_;
  Tensor before_;
};

}  // namespace nestgrad
