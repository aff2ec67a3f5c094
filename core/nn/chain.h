#pragma once

#include <memory>
#include <vector>

#include "core/nn/layer.h"

namespace nestgrad {

/// Layers one after another. Each is made for the shape that the layer before
/// it leaves. Weights are named by the position of their layer: "0.weight",
/// "2.bias". Every layer draws its initial weights and its noise from a key of
/// its own.
class Chain {
 public:
  /// Without layers. `input`: the shape of one example.
  explicit Chain(Shape input)
      : axes_(static_cast<std::int64_t>(input.size())),
        shape_(std::move(input)) {}

  /// Appends a layer that the program wrote, not a user, such as
  /// {"type": "linear", "out": 10}. Throws ConfigError if it cannot work on the
  /// shape so far.
  Chain& add(const Json& layer);

  /// Appends a layer of a checked configuration. A ConfigError points there.
  Chain& add(const Config& layer);

  /// The shape of one example after the layers so far.
  const Shape& shape() const { return shape_; }

  ParameterSet initial_weights(const Key& key) const;

  /// The output for a batch, as Layer::apply(). Throws Error if the number of
  /// weight tensors is wrong.
  Tensor apply(const Weights& weights, const Tensor& x, const Pass& pass) const;

  /// Whether all layers are; see InvertibleLayer.
  bool is_invertible() const;

  /// The input of which y is the output. REQUIRES is_invertible().
  Tensor inverse(const Weights& weights, const Tensor& y,
                 const Pass& pass) const;

  /// The layer at a position, and the position of its first weight tensor.
  const Layer& layer(std::size_t i) const { return *layers_[i]; }
  std::size_t first_weight(std::size_t i) const;
  std::size_t weights_of(std::size_t i) const { return counts_[i]; }
  std::size_t layers() const { return layers_.size(); }

  /// What the last layer gets, and the axes that an example has there.
  Tensor before_last(const Weights& weights, const Tensor& x,
                     const Pass& pass) const;
  std::int64_t axes_before_last() const;

  /// How many axes an example has before the first layer.
  std::int64_t axes() const { return axes_; }

  /// Whether all layers do; see Layer.
  bool separates_examples() const;
  bool rounds() const;

  /// The largest of the layers; see Layer.
  std::int64_t convolved() const { return convolved_; }

  /// The hyperparameters of all layers. A name that several of them use is one
  /// hyperparameter: with one number for all of them or, where they say
  /// "$name.0", "$name.1", ..., one number for each.
  std::vector<Hyperparameter> hyperparameters() const;

 private:
  void append(std::unique_ptr<const Layer> layer);
  Tensor through(std::size_t layers, const Weights& weights, const Tensor& x,
                 const Pass& pass) const;

  std::int64_t axes_, convolved_ = 0;
  Shape shape_, shape_before_;  // after all layers, and before the last
  std::vector<std::shared_ptr<const Layer>> layers_;
  std::vector<std::size_t> counts_;  // the number of weight tensors per layer
};

}  // namespace nestgrad
