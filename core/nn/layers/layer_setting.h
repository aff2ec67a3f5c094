#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/config/config.h"
#include "core/nn/model.h"
#include "core/setting.h"

namespace nestgrad {

/// A number of a layer: a constant, a schedule of one, or a hyperparameter
/// ("$name"), in which case the layer declares it.
class LayerSetting {
 public:
  /// Reads `key`. `declared` says, up to the name, what hyperparameter may
  /// stand there. Throws ConfigError for a schedule of a hyperparameter.
  LayerSetting(const Config& config, const std::string& key,
               Hyperparameter declared);

  /// The value for a batch like `input`: a scalar or, if each example or each
  /// particle has its own, [examples or particles, 1, ...] of as many
  /// dimensions as `input`. Of its floating-point type, and on the tape of the
  /// hyperparameter if that is differentiable.
  Tensor value(const Tensor& input, const Pass& pass) const;

  bool is(double constant) const { return setting_.is(constant); }

  /// Adds the hyperparameter that is named, if one is.
  void declare(std::vector<Hyperparameter>& to) const;

 private:
  Setting setting_;
  Hyperparameter declared_;
};

/// The hyperparameters that settings of a layer name.
std::vector<Hyperparameter> named_by(
    std::initializer_list<std::reference_wrapper<const LayerSetting>> settings);

/// A number of a layer as a hyperparameter: `coordinates` are its default.
Hyperparameter strength(std::string meaning, Coordinates coordinates);

/// A strength of noise, which has no derivative.
Hyperparameter noise_strength(std::string meaning, Coordinates coordinates);

}  // namespace nestgrad
