#pragma once

#include <memory>
#include <vector>

#include "core/config/registry.h"
#include "core/hyperparameter.h"
#include "core/nn/pass.h"
#include "core/nn/weights.h"

namespace nestgrad {

/// The sizes of one example, without the batch: {1, 28, 28}.
using Shape = std::vector<std::int64_t>;

/// A layer of a network: a function of its weights and a batch. It knows shapes
/// but holds no weights.
class Layer {
 public:
  static constexpr const char* kKind = "layers";

  virtual ~Layer() = default;

  /// The shape of one example after this layer.
  virtual Shape output_shape() const = 0;

  /// Fresh weights under short names ("weight", "bias"), float32 on the CPU, a
  /// function of `key` alone. The default: none.
  virtual ParameterSet initial_weights(const Key& key) const;

  /// The output for a batch x, [batch..., shape of an example]; see Weights for
  /// the axes of a batch. `weights` are in the order of initial_weights().
  virtual Tensor apply(const Weights& weights, const Tensor& x,
                       const Pass& pass) const = 0;

  /// Whether the output for an example depends on that example and its weights
  /// alone. The default; not so in batch_norm.
  virtual bool separates_examples() const { return true; }

  /// Whether numbers are rounded in it. Rounding then counts as the identity
  /// for derivatives, and these are no limits of differences. The default: no.
  virtual bool rounds() const { return false; }

  /// How many numbers a convolution in it computes for one example, the largest
  /// if there are several. The default: 0, no convolution.
  virtual std::int64_t convolved() const { return 0; }

  /// The hyperparameters that the settings of the layer name. The default:
  /// none.
  virtual std::vector<Hyperparameter> hyperparameters() const { return {}; }
};

/// A layer whose output has the shape of its input and determines it.
class InvertibleLayer : public Layer {
 public:
  /// The x of which y is the output, up to rounding. On the tape of y and the
  /// weights.
  virtual Tensor inverse(const Weights& weights, const Tensor& y,
                         const Pass& pass) const = 0;
};

/// A layer over sequences [time, features] that reads them in order, so that it
/// can also be run one time step at a time, by whoever keeps its state.
class SteppedLayer : public Layer {
 public:
  /// The sizes of the parts of the state of one example, of which all numbers
  /// are zero before the first step.
  virtual std::vector<std::int64_t> state_sizes() const = 0;

  /// One time step. x: [batch..., features]; `state`: the parts, [batch...,
  /// size], which become those after the step. Returns the output, [batch...,
  /// size of the last axis of apply()].
  virtual Tensor step(const Weights& weights, const Tensor& x,
                      std::vector<Tensor>& state) const = 0;
};

/// The argument is the shape of one example before the layer.
using LayerRegistry = Registry<Layer, const Shape&>;

}  // namespace nestgrad
