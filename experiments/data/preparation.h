#pragma once

#include <functional>
#include <string>

#include "core/config/config.h"
#include "experiments/data/data.h"

namespace nestgrad {

// What happens to the numbers of a source between its file and the network.

/// A part of the data.
enum class Part { kTrain, kValid, kTest };

/// Where a number of an example of a part stands in the source, both counted
/// from 0; "" if that is not known. May be empty.
using Place = std::function<std::string(Part part, std::int64_t example,
                                        std::int64_t number)>;

/// (x - mean) / deviation, with one mean and deviation of the training inputs
/// for each index of dimension 1. What is constant up to rounding becomes 0.
Splits standardized(Splits splits);

/// What "whiten" says, after standardization. Throws ConfigError for tokens,
/// for inputs that stay in a file, for examples of many numbers and for inputs
/// that do not differ. REQUIRES that all inputs are finite.
Splits whitened(Splits splits, const Config& data);

/// Warns if all training examples have the same class, of several.
void warn_of_one_class(const Splits& splits);

/// Throws ConfigError at `data` if all inputs, of two or more, are the same.
void require_differences(const Config& data, const Dataset& examples);

/// Throws ConfigError at `data` if an input is not finite in this type. Warns
/// of features of the training part that lose their differences in it. Tokens
/// are left alone.
void require_representable(const Config& data, const Splits& splits,
                           at::ScalarType type, const Place& place);

}  // namespace nestgrad
