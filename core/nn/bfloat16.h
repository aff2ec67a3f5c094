#pragma once

#include <memory>

#include "core/config/config.h"
#include "core/nn/model.h"

namespace nestgrad {

/// `model` with products and convolutions in bfloat16 (float32 with 8
/// significant bits instead of 24), as torch.autocast runs them. Weights and
/// outputs are float32, as is what norms, softmax, penalties and settings of
/// layers compute. A gradient of weights is a product: it has 8 significant
/// bits, and the type float32.
///
/// Runs on the CPU and on CUDA; apply() throws Error on other devices.
std::unique_ptr<Model> in_bfloat16(std::unique_ptr<Model> model);

/// The model of a section of a configuration. `bfloat16`: as in_bfloat16().
std::unique_ptr<Model> make_model(const Config& section, const Shape& input,
                                  const Shape& output, bool bfloat16);

}  // namespace nestgrad
