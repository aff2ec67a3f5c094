#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/key.h"
#include "core/parameter_set.h"
#include "core/registry.h"

namespace nestgrad {

/// Sizes of one example, without the batch: {1, 28, 28}.
using Shape = std::vector<std::int64_t>;

/// How a network is run: whether the noise that belongs to training (dropout)
/// is on, and the key that it follows.
struct Pass {
  bool training = false;
  Key key = Key();
};

/// A network whose weights are an argument.
///
/// A torch::nn::Module reads its weights from members that cannot be reached
/// from outside, so "the module with other weights" has to be an interface of
/// ours: what is differentiated must be an argument.
class Model {
 public:
  static constexpr const char* kKind = "models";

  virtual ~Model() = default;

  /// Fresh weights, float32 on the CPU, a function of `key` alone.
  virtual ParameterSet initial_weights(const Key& key) const = 0;

  /// The output for a batch. `input`: [batch, shape of an example...]. On the
  /// tape of `weights` and of `input`, and twice differentiable.
  virtual Tensor forward(const ParameterSet& weights, const Tensor& input,
                         const Pass& pass) const = 0;
};

/// The shape of one example, and the number of outputs wanted of the model
/// (classes).
using ModelRegistry = Registry<Model, const Shape&, std::int64_t>;

/// A piece of a network. It knows shapes, but holds no numbers: these come as
/// an argument.
class Layer {
 public:
  static constexpr const char* kKind = "layers";

  virtual ~Layer() = default;

  /// The shape of one example after this layer.
  virtual Shape output_shape() const = 0;

  /// Fresh weights under short names ("weight", "bias"), float32 on the CPU. A
  /// layer without weights need not override it.
  virtual ParameterSet initial_weights(const Key& key) const;

  /// The output for a batch. `weights` are those of this layer, in the order of
  /// initial_weights().
  virtual Tensor apply(at::ArrayRef<Tensor> weights, const Tensor& input,
                       const Pass& pass) const = 0;
};

/// The argument is the shape of one example before the layer.
using LayerRegistry = Registry<Layer, const Shape&>;

using LayerPtr = std::shared_ptr<const Layer>;

/// Layers one after another, their weights named by position: "0.weight",
/// "2.bias", so that what is before the last "." says which layer. Every layer
/// draws its first weights and its noise from a key of its own.
///
/// forward() REQUIRES weights alike to initial_weights(). It takes them by
/// position and compares no names; only their number is checked.
class Sequential : public Model {
 public:
  explicit Sequential(std::vector<LayerPtr> layers);

  ParameterSet initial_weights(const Key& key) const override;
  Tensor forward(const ParameterSet& weights, const Tensor& input,
                 const Pass& pass) const override;

 private:
  std::vector<LayerPtr> layers_;
  std::vector<std::size_t> counts_;  // how many weight tensors each layer has
  std::size_t total_ = 0;            // and all together
};

/// Builds a chain of layers from JSON, e.g. [{"type": "linear", "out": 10}]:
/// each layer is given the shape that the one before it leaves, and throws
/// ConfigError if it cannot work on that.
class LayerStack {
 public:
  explicit LayerStack(Shape input) : shape_(std::move(input)) {}

  /// Checks and completes `layer` first. For layers that no user wrote.
  LayerStack& add(const Json& layer);

  /// A layer of a checked configuration, so that a complaint names its place.
  LayerStack& add(const Config& layer);

  /// The shape of an example after the layers so far.
  const Shape& shape() const { return shape_; }
  std::vector<LayerPtr> take() { return std::move(layers_); }

 private:
  Shape shape_;
  std::vector<LayerPtr> layers_;
};

}  // namespace nestgrad
