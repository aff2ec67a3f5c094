#pragma once

#include <memory>

#include "core/config/config.h"
#include "core/nn/model.h"

namespace nestgrad {

/// `model` with products and convolutions in bfloat16 (float32 with 8
/// significant bits instead of 24), as torch.autocast runs them. What norms,
/// softmax and sums of squares take is float32, and so are the weights, the
/// outputs and all derivatives by the weights.
///
/// Runs on the CPU and on CUDA; throws Error for other devices.
std::unique_ptr<Model> in_bfloat16(std::unique_ptr<Model> model);

/// The model of a section of a configuration. `bfloat16`: as in_bfloat16().
std::unique_ptr<Model> make_model(const Config& section, const Shape& input,
                                  const Shape& output, bool bfloat16);

}  // namespace nestgrad
