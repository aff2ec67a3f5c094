#pragma once

#include "core/config.h"
#include "core/model.h"

namespace nestgrad {

/// Appends the keys that add_dense() reads: "hidden", "activation", "dropout".
/// `hidden` is the default of the first.
Schema with_dense_keys(Schema schema, Json hidden);

/// What the configuration says comes after each hidden layer: the activation,
/// and dropout unless its rate is 0.
void add_activation(LayerStack& stack, const Config& config);
void add_dropout(LayerStack& stack, const Config& config);

/// Flattens, adds the hidden linear layers, each with activation and dropout,
/// and a last linear layer to `outputs`.
void add_dense(LayerStack& stack, const Config& config, std::int64_t outputs);

}  // namespace nestgrad
