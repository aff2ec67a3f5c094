#pragma once

#include <map>
#include <string>

#include "core/config/config.h"
#include "core/nn/model.h"

namespace nestgrad {

/// Appends the key that add_augmentation() reads, "augment".
Schema with_augment_key(Schema schema);

/// Appends the key that add_activation() reads, "activation".
Schema with_activation_key(Schema schema, const char* initial,
                           std::string meaning);

/// Appends the keys that add_augmentation() and add_dense() read: "augment",
/// "input_dropout", "hidden", "activation", "dropout". `hidden` is the default
/// of the third.
Schema with_dense_keys(Schema schema, Json hidden);

/// The number of classes of a classifier. Throws ConfigError unless `outputs`,
/// the shape that the problem wants, is {classes}.
std::int64_t classes_of(const Config& config, const Shape& outputs);

/// Adds the layers of "augment", which change inputs in training, before all
/// others.
void add_augmentation(Chain& chain, const Config& config);

/// Adds the layer that "activation" names.
void add_activation(Chain& chain, const Config& config);

/// Adds the dropout layers of one model, from input to output. A rate "$name"
/// becomes "$name.0" at its first use, "$name.1" at its second, and so on.
class Dropouts {
 public:
  /// Adds one with this rate, a setting of the model; 0 adds nothing.
  void add(Chain& chain, const Json& rate);

  /// The same for a list of layers, such as that of a residual layer.
  void add(Json& layers, Json rate);

 private:
  std::map<std::string, int> met_;
};

/// Flattens, adds dropout of the input, the hidden linear layers, each with
/// activation and dropout, and a last linear layer to `outputs`.
void add_dense(Chain& chain, const Config& config, const Shape& outputs,
               Dropouts dropouts = {});

}  // namespace nestgrad
