#pragma once

#include "core/nn/model.h"
#include "faults.h"

namespace nestgrad::testing {

/// - Fresh weights follow the key alone.
/// - The output depends on the arguments alone, without noise in evaluation,
///   and changes none of them.
/// - First and second derivatives are right: central differences along random
///   directions, to 1e-5.
///
/// `input`: a batch, in double precision or tokens.
Faults model_faults(const Model& model, const Tensor& input);

/// The same for a layer, whose output has the shape that it promises.
Faults layer_faults(const Json& section, const Tensor& input);

}  // namespace nestgrad::testing
