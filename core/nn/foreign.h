#pragma once

#include <ATen/ATen.h>

#include <mutex>

#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/key.h"

// Shared by foreign networks (scripts and modules), which hold their tensors
// themselves and draw from LibTorch's generator. With these they can be called
// as pure functions.

namespace nestgrad {

/// Seeds LibTorch's own generator with a key during its lifetime, and restores
/// the generator's state when it is destroyed. For foreign code that draws from
/// that generator (dropout in a script or a module). LibTorch's CPU generator
/// uses only 32 bits of a seed, which is enough for dropout masks.
///
/// A process has one such generator, so a GlobalSeed holds a lock that
/// serialises all calls of foreign code.
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

/// A copy of `own`, a tensor that the network holds, for one call to write
/// into. Floating-point numbers get the type of the weights.
inline Tensor scratch_copy(const Tensor& own,
                           const at::TensorOptions& of_weights) {
  const auto type = own.is_floating_point() ? of_weights.dtype().toScalarType()
                                            : own.scalar_type();
  return own.detach().to(of_weights.device(), type, /*non_blocking=*/false,
                         /*copy=*/true);
}

/// Throws Unsupported, with the reason `how`, if `out` depends on one of the
/// network's own parameters, `own`, where it should depend on the entry of
/// `weights` that replaces it.
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
