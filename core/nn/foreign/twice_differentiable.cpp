#include "core/nn/foreign/twice_differentiable.h"

#include <ATen/Context.h>

#include "core/platform/torch_versions.h"

namespace nestgrad {
namespace {

// Both set a switch and return what it was.

bool set_cudnn(bool on) {
  const bool before = at::globalContext().userEnabledCuDNN();
  at::globalContext().setUserEnabledCuDNN(on);
  return before;
}

bool set_flash(bool on) {
  const bool before = at::globalContext().userEnabledFlashSDP();
  at::globalContext().setSDPUseFlash(on);
  return before;
}

std::array<bool, 4> set_all(const std::array<bool, 4>& on) {
  at::Context& context = at::globalContext();
  return {set_cudnn(on[0]), set_flash(on[1]),
          torch_versions::switch_memory_efficient_attention(context, on[2], 0),
          torch_versions::switch_cudnn_attention(context, on[3], 0)};
}

}  // namespace

TwiceDifferentiable::TwiceDifferentiable(bool recurrent)
    : before_(set_all({!recurrent && at::globalContext().userEnabledCuDNN(),
                       false, false, false})) {}

TwiceDifferentiable::~TwiceDifferentiable() { set_all(before_); }

}  // namespace nestgrad
