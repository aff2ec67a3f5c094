#include "experiments/problems/class_weights.h"

#include <ATen/ATen.h>

namespace nestgrad {

Tensor balanced_weights(const Dataset& data, const at::TensorOptions& options) {
  const Tensor counts = at::bincount(data.targets, {}, data.classes);
  const Tensor present = counts.gt(0);
  const Tensor share = static_cast<double>(data.size()) /
                       (present.sum() * counts.clamp_min(1)).to(at::kDouble);
  return (share * present).to(options);
}

void require_every_class(const Config& config, const std::string& key,
                         const Dataset& valid) {
  if (valid.classes == 0 || valid.targets.dim() > 1) {
    config.fail(key,
                "can be \"balanced\" only where each example has one class");
  }
  const Tensor missing =
      at::bincount(valid.targets, {}, valid.classes).eq(0).nonzero();
  if (missing.numel() == 0) return;
  const auto first = missing[0].item<std::int64_t>();
  const auto i = static_cast<std::size_t>(first);
  config.fail(
      key,
      fmt::format("cannot be \"balanced\": none of the {} validation examples "
                  "has the class {}; take more of them, or set \"stratify\" in "
                  "\"data\" to true",
                  valid.size(),
                  i < valid.target_names.size()
                      ? fmt::format("'{}'", valid.target_names[i])
                      : std::to_string(first)));
}

}  // namespace nestgrad
