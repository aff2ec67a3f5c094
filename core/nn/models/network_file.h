#pragma once

#include "core/config/schema.h"
#include "core/nn/layer.h"
#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

// What models have in common that read a network from a file of Python's.

namespace nestgrad {

/// The keys "file" and "start".
Schema network_file_schema(const char* meaning, const char* file);

/// The first weights of such a model: `own`, those of the file, or the same
/// numbers in a random order within each tensor.
ParameterSet start_from_file(bool shuffled, const ParameterSet& own,
                             const Key& key);

/// Throws Error unless `out` has the shape [examples, wanted...]. `what` names
/// the network: "the script".
void require_outputs(const Tensor& out, std::int64_t examples,
                     const Shape& wanted, const char* what);

}  // namespace nestgrad
