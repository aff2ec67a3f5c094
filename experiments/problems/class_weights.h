#pragma once

#include <string>

#include "core/config/config.h"
#include "core/dataset.h"

namespace nestgrad {

/// Factors of the examples' losses with which all classes count the same:
/// n / (K n_c) for a class that n_c of n examples have, where K classes have
/// any examples; 0 for the others. The mean of the weighted losses is then the
/// mean over the classes of the mean loss of each. [classes], with `options`.
Tensor balanced_weights(const Dataset& data, const at::TensorOptions& options);

/// Throws ConfigError at `key` unless each example of the validation set has
/// one class and each class has an example.
void require_every_class(const Config& config, const std::string& key,
                         const Dataset& valid);

}  // namespace nestgrad
