#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/nn/layer.h"
#include "core/setting.h"

namespace nestgrad {

/// A number of a layer: a constant, a schedule of one, or a hyperparameter
/// ("$name"), in which case the layer declares it.
class LayerSetting {
 public:
  /// Reads `key`. `declared` is the hyperparameter that may stand there, except
  /// for its name. Throws ConfigError for a schedule that depends on a
  /// hyperparameter.
  LayerSetting(const Config& config, const std::string& key,
               Hyperparameter declared);

  /// The value for a batch like `x`: a scalar or, if each example or each
  /// particle has its own, [examples or particles, 1, ...] of as many axes as
  /// `x`. Of its floating-point type, and on the tape of the hyperparameter if
  /// that is differentiable.
  Tensor value(const Tensor& x, const Pass& pass) const;

  /// Whether it is this constant.
  bool is(double constant) const { return setting_.is(constant); }

  /// Appends the hyperparameter to the list, if this is one.
  void declare(std::vector<Hyperparameter>& to) const;

 private:
  Setting setting_;
  Hyperparameter declared_;
};

/// The hyperparameters that settings of a layer name.
std::vector<Hyperparameter> named_by(
    std::initializer_list<std::reference_wrapper<const LayerSetting>> settings);

/// A hyperparameter of a layer with these coordinates as the default.
Hyperparameter strength(std::string meaning, Coordinates coordinates);

/// The same for the strength of noise: losses have no derivative by it.
Hyperparameter noise_strength(std::string meaning, Coordinates coordinates);

}  // namespace nestgrad
