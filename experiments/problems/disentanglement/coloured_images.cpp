#include "experiments/problems/disentanglement/coloured_images.h"

#include <ATen/ATen.h>

namespace nestgrad {
namespace {

/// Red, green and blue of `count` evenly spaced hues, [count, 3].
Tensor hues(std::int64_t count, const at::TensorOptions& options) {
  const Tensor hue =
      at::arange(count, options) * (6.0 / static_cast<double>(count));
  const auto channel = [&](double middle) {
    // 1 within a sixth of the circle on either side, 0 beyond a third.
    const Tensor far = (hue - middle + 3).remainder(6) - 3;
    return (2 - far.abs()).clamp(0, 1);
  };
  return at::stack({channel(0), channel(2), channel(4)}, 1);
}

Tensor uniform(const Key& key, std::int64_t count) {
  return key.uniform(at::empty({count}, at::kDouble));
}

}  // namespace

ColouredImages coloured(const Dataset& grey, double correlation,
                        const Key& key) {
  const std::int64_t n = grey.size(), classes = grey.classes;
  const at::TensorOptions options = grey.inputs.options();
  const Tensor kinds = grey.targets.to(at::kCPU);
  const auto below = [&](const char* name, std::int64_t limit) {
    return (uniform(key.fold(name), n) * static_cast<double>(limit))
        .floor()
        .to(at::kLong);
  };
  const Tensor bound = uniform(key.fold("bound"), n) < std::abs(correlation);
  const Tensor like =
      correlation >= 0
          ? kinds
          : (kinds + 1 + below("other", classes - 1)).remainder(classes);
  const Tensor colours =
      at::where(bound, like, below("free", classes)).to(options.device());
  const Tensor paint = hues(classes, options).index_select(0, colours);
  return {grey.inputs * paint.view({n, 3, 1, 1}), grey.targets, colours};
}

Tensor shuffled_within(const Tensor& groups, const Key& key) {
  const Tensor u = key.uniform(
      at::empty(groups.sizes(), groups.options().dtype(at::kDouble)));
  const Tensor in_order = groups.argsort(/*stable=*/true, 0, false);
  const Tensor at_random =
      (groups.to(at::kDouble) + u).argsort(/*stable=*/true, 0, false);
  return at::empty_like(groups).scatter_(0, in_order, at_random);
}

}  // namespace nestgrad
