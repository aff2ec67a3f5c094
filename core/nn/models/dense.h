#pragma once

#include <map>
#include <string>

#include "core/config/config.h"
#include "core/nn/model.h"

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
void add_augmentation(Chain& chain, const Config& config);

/// The activation that the configuration says comes after each hidden layer.
void add_activation(Chain& chain, const Config& config);

/// The dropouts of one model, added from input to output: a rate "$name" stands
/// for "$name.0" where it is first met, "$name.1" after that, and so on.
class Dropouts {
 public:
  /// With this rate, a setting of the model; 0 adds nothing.
  void add(Chain& chain, Json rate);

 private:
  std::map<std::string, int> met_;
};

/// Flattens, adds dropout of the input, the hidden linear layers, each with
/// activation and dropout, and a last linear layer to `outputs`.
void add_dense(Chain& chain, const Config& config, const Shape& outputs,
               Dropouts dropouts = {});

}  // namespace nestgrad
