#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The coordinates in which a hyperparameter is moved. Estimators and outer
/// optimizers see the unconstrained x; the losses see the natural value.
struct Coordinates {
  enum class Kind {
    kReal,      ///< natural = x
    kLog,       ///< natural = exp(x): stays positive
    kSoftplus,  ///< natural = log(1 + exp(x)): stays positive
    kLogit      ///< natural = low + (high - low) / (1 + exp(-x)): stays inside
  };

  Kind kind = Kind::kReal;
  double low = 0, high = 1;  ///< the open interval of kLogit

  static Coordinates real() { return {}; }
  static Coordinates log() { return {Kind::kLog}; }
  static Coordinates softplus() { return {Kind::kSoftplus}; }
  static Coordinates logit(double low = 0, double high = 1) {
    return {Kind::kLogit, low, high};
  }

  /// Differentiable; inverse to each other.
  Tensor natural(const Tensor& x) const;
  Tensor unconstrained(const Tensor& natural) const;

  /// Whether a natural value has finite unconstrained coordinates.
  bool contains(double natural) const;

  /// "a real number", "a positive number", "a number between 0 and 1".
  std::string describe() const;
};

/// A tensor of one number as a scalar tensor, on the same tape. Returns a
/// scalar tensor unchanged.
Tensor as_scalar(const Tensor& one);

/// A name and the number of elements of a hyperparameter: {"weight", 669706}
/// offers one number per weight.
using Granularity = std::pair<std::string, std::int64_t>;

/// A hyperparameter as declared by the problem that reads it.
struct Hyperparameter {
  std::string name;
  std::string meaning;  ///< one sentence, with units
  Tensor initial;  ///< the default, in its own units; undefined: no default
  Coordinates coordinates = {};

  /// The values of "per" in a configuration; the first is the default. If
  /// empty, the hyperparameter always has the shape of `initial`.
  std::vector<Granularity> granularities = {};

  /// What the numbers of a granularity are called, by its name: {"class",
  /// {"cat", "dog"}}. Others are called by their position.
  std::map<std::string, std::vector<std::string>> number_names = {};

  /// If left out of a configuration, an optional hyperparameter does not exist
  /// and a required one is a constant at its default.
  bool optional = false;

  /// Whether losses can be differentiated with respect to it. False for
  /// parameters of random masks and for numbers that are rounded. Methods that
  /// differentiate losses refuse to tune these.
  bool differentiable = true;
};

/// One number for all weights, or one per layer, per parameter tensor or per
/// weight. The layer is the part before the last "." of a weight's name.
std::vector<Granularity> weight_granularities(const ParameterSet& weights);

/// Expands a hyperparameter of one of weight_granularities(): returns, for each
/// weight tensor, a tensor that broadcasts against it. On the tape of `value`.
///
/// The number of elements determines the granularity. Granularities with equal
/// numbers of elements (one tensor per layer, say) are identical.
///
/// With particles, `value`, the weights and the results have one more axis, the
/// first, for the particles.
std::vector<Tensor> spread(const Tensor& value, const ParameterSet& weights,
                           std::int64_t particles = 0);

}  // namespace nestgrad
