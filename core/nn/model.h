#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/config/registry.h"
#include "core/draw.h"
#include "core/hyperparameter.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Sizes of one example, without the batch: {1, 28, 28}.
using Shape = std::vector<std::int64_t>;

/// Normal noise on all weights of a model, with signs that each example has for
/// itself; see Layer::flip() and core/nn/evolved_loss.h.
struct Flips {
  double deviation = 0;
  double sign = 1;  ///< -1: the same noise, turned round

  /// If there is a list, every layer adds its score() to it.
  std::vector<Tensor>* scores = nullptr;
};

/// How a network is run: whether the noise that belongs to training (dropout)
/// is on, the key that it follows, and the hyperparameters of its layers.
struct Pass {
  bool training = false;
  Key key = Key();

  /// Hyperparameters that layers name ("rate": "$dropout"), in their own units.
  /// With a response, each example has its own; see Draw::response.
  const ParameterSet* hyper = nullptr;
  std::int64_t step = 0;  ///< of training, for schedules

  std::int64_t particles = 0;             ///< see Draw::particles
  const RowResponse* response = nullptr;  ///< see Draw::response
  bool linear = false;                    ///< see Draw::linear

  /// Where layers put scalars that are to be added to the training loss.
  std::vector<Tensor>* penalties = nullptr;

  /// If there are some, the output depends on numbers of the weights alone: no
  /// tape leads from it to them.
  const Flips* flips = nullptr;

  /// What one of the particles has of all this: `hyper` is its own and
  /// `penalties` another list; both outlive the pass.
  Pass of_particle(const ParameterSet& hyper,
                   std::vector<Tensor>* penalties) const;

  /// In training, as `draw` says. `hyper` and `penalties` outlive the pass.
  static Pass training_as(const Draw& draw, const ParameterSet& hyper,
                          std::vector<Tensor>* penalties = nullptr);

  /// Without noise, but with the particles or the response of `draw`. `hyper`
  /// outlives the pass.
  static Pass evaluation_as(const Draw& draw, const ParameterSet& hyper);
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

  /// The outputs of pass.particles particles for a batch that they share,
  /// [particles, batch, ...]; what they add to penalties has one number for
  /// each. The default: one after another.
  virtual Tensor forward_particles(const ParameterSet& weights,
                                   const Tensor& input, const Pass& pass) const;

  /// The hyperparameters that layers name.
  virtual std::vector<Hyperparameter> hyperparameters() const { return {}; }

  /// Whether forward() takes a RowResponse into account.
  virtual bool responds() const { return false; }

  /// Whether it takes Flips into account.
  virtual bool flips() const { return false; }
};

/// The shape of one example, and that of the output wanted for it: {classes},
/// or {time, vocabulary} for sequences.
using ModelRegistry = Registry<Model, const Shape&, const Shape&>;

/// The part of a RowResponse that belongs to the weights of one layer.
struct LayerResponse {
  at::ArrayRef<Tensor> slopes, gates;
  const Tensor& displacement;
};

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

  /// apply() for pass.particles particles: weights, `input` and result have one
  /// more axis, the first. What all of them share has the stride 0 there, as
  /// the input of the first layer. Noise is shared; what is added to penalties
  /// has one number for each. The default: one after another.
  virtual Tensor apply_particles(at::ArrayRef<Tensor> weights,
                                 const Tensor& input, const Pass& pass) const;

  /// apply_particles() of a layer without weights that draws nothing and treats
  /// each example alone: all of them as one batch.
  Tensor apply_to_all(const Tensor& input, const Pass& pass) const;

  /// The hyperparameters that its settings name.
  virtual std::vector<Hyperparameter> hyperparameters() const { return {}; }

  /// Whether each example may have weights of its own: there is a respond().
  /// Layers without weights need none.
  virtual bool responds() const { return false; }

  /// apply() with `response` added to the weights of each example; to first
  /// order in it if the pass is linear, `input` and result being dual numbers.
  virtual Tensor respond(at::ArrayRef<Tensor> weights,
                         const LayerResponse& response, const Tensor& input,
                         const Pass& pass) const;

  /// Whether there are flip() and score(). Layers without weights need none.
  virtual bool flips() const { return false; }

  /// apply() with `noise`, alike to the weights, added to them with signs that
  /// each example has for itself: W + dW (*) r s' and b + db (*) r, with signs
  /// r of outputs and s of inputs that follow `signs`. The default throws
  /// Unsupported.
  virtual Tensor flip(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
                      const Tensor& input, const Key& signs,
                      const Pass& pass) const;

  /// sum w (*) dW (*) r s' over all weights of the layer, [examples], with the
  /// noise and the signs of flip(): linear in the weights, with the noise of an
  /// example as its derivative.
  virtual Tensor score(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
                       std::int64_t examples, const Key& signs) const;

  /// Standard normal numbers alike to the weights of a layer.
  static std::vector<Tensor> noise_for(at::ArrayRef<Tensor> weights,
                                       const Key& key);
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
  Tensor forward_particles(const ParameterSet& weights, const Tensor& input,
                           const Pass& pass) const override;

  /// Those of the layers; what several of them name is one hyperparameter, with
  /// one number for all of them or, if they say "$name.0", "$name.1", ..., one
  /// for each.
  std::vector<Hyperparameter> hyperparameters() const override;

  bool responds() const override;
  bool flips() const override;

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
