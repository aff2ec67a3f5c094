#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The coordinates in which a hyperparameter is moved. Estimators and outer
/// optimizers see the unconstrained number x; the losses see the natural one.
struct Coordinates {
  enum class Kind {
    kReal,      ///< natural = x
    kLog,       ///< natural = exp(x): stays positive
    kSoftplus,  ///< natural = log(1 + exp(x)): stays positive
    kLogit      ///< natural = low + (high - low) / (1 + exp(-x)): stays between
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

  /// Whether a natural value has unconstrained coordinates at all.
  bool contains(double natural) const;

  /// "a real number", "a positive number", "a number between 0 and 1".
  std::string describe() const;
};

/// A tensor of one number as a scalar tensor, on its tape; the same tensor if
/// it is one already.
Tensor as_scalar(const Tensor& one);

/// How many numbers a hyperparameter may consist of: {"weight", 669706} offers
/// one number per weight.
using Granularity = std::pair<std::string, std::int64_t>;

/// A hyperparameter that a problem reads, as the problem declares it.
struct Hyperparameter {
  std::string name;
  std::string meaning;  ///< one sentence, with units
  Tensor initial;       ///< the default, in its own units; undefined: none
  Coordinates coordinates = {};

  /// What "per" may say in a configuration; the first is the default. Empty:
  /// the hyperparameter has the shape of `initial`, always.
  std::vector<Granularity> granularities = {};

  /// A problem does without an optional one that a configuration leaves out. A
  /// required one that is left out is a constant at its default.
  bool optional = false;

  /// Whether losses have a derivative by it. False for what random masks are
  /// drawn with, and for numbers that are rounded: methods that differentiate
  /// losses refuse to tune those.
  bool differentiable = true;
};

/// One number for all, or one per layer, per parameter tensor, per weight. A
/// layer is what comes before the last "." of a weight's name.
std::vector<Granularity> weight_granularities(const ParameterSet& weights);

/// Brings a hyperparameter of one of weight_granularities() to the weights: for
/// each weight tensor, a tensor that broadcasts against it. On the tape of
/// `value`.
///
/// The number of elements says which granularity it is. Where two of them have
/// the same number (each layer has one tensor, say), they are the same thing.
///
/// With particles, `value` and the weights have one more axis, the first, for
/// these, and so have the results.
std::vector<Tensor> spread(const Tensor& value, const ParameterSet& weights,
                           std::int64_t particles = 0);

}  // namespace nestgrad
