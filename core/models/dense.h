#pragma once

#include "core/config.h"
#include "core/model.h"

namespace nestgrad {

/// Appends the keys that add_augmentation() and add_dense() read: "augment",
/// "input_dropout", "hidden", "activation", "dropout". `hidden` is the default
/// of the third.
Schema with_dense_keys(Schema schema, Json hidden);

/// How many classes a model is to tell apart. Throws ConfigError if the outputs
/// that are wanted have another shape than {classes}.
std::int64_t classes_of(const Config& config, const Shape& outputs);

/// Adds what the configuration says comes before anything else: layers that
/// change inputs in training.
void add_augmentation(LayerStack& stack, const Config& config);

/// The activation that the configuration says comes after each hidden layer.
void add_activation(LayerStack& stack, const Config& config);

/// Adds dropout with the rate "input_dropout" and returns the position of the
/// first dropout with the rate "dropout": a rate "$name" stands for "$name.0"
/// where it is first met, "$name.1" after that, and so on. A rate of 0 adds
/// nothing.
std::int64_t add_input_dropout(LayerStack& stack, const Config& config);

/// Adds dropout with the rate "dropout", in this place of those that share it.
void add_dropout(LayerStack& stack, const Config& config,
                 std::int64_t position);

/// Flattens, adds dropout of the input, the hidden linear layers, each with
/// activation and dropout, and a last linear layer to `outputs`.
void add_dense(LayerStack& stack, const Config& config, const Shape& outputs);

}  // namespace nestgrad
