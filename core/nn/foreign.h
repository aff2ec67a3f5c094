#pragma once

#include <ATen/ATen.h>

#include <mutex>

#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/key.h"

// What makes pure functions of foreign networks: scripts and modules, which
// hold their tensors themselves and draw from LibTorch's generator.

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

/// A tensor of a network that a call may write into, of the weights' type if it
/// holds floating-point numbers.
inline Tensor scratch_copy(const Tensor& own,
                           const at::TensorOptions& of_weights) {
  const auto type = own.is_floating_point() ? of_weights.dtype().toScalarType()
                                            : own.scalar_type();
  return own.detach().to(of_weights.device(), type, /*non_blocking=*/false,
                         /*copy=*/true);
}

/// Throws Unsupported, with the reason `how`, if `out` depends on a parameter
/// of the network itself, `own`, and not on the weight that should stand for
/// it.
inline void refuse_lost_gradients(const Tensor& out,
                                  const std::vector<Tensor>& own,
                                  const ParameterSet& weights,
                                  const Tensor& input, const char* how) {
  std::vector<Tensor> arguments = weights.tensors();
  arguments.push_back(input);
  if (depends_on(out, own, arguments)) {
    throw Unsupported(fmt::format("{}, so its gradient would be lost", how));
  }
}

}  // namespace nestgrad
