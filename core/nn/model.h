#pragma once

#include <memory>
#include <vector>

#include "core/nn/chain.h"

namespace nestgrad {

/// What a model can do. Whoever wraps a model hands on what it says.
struct ModelAbilities {
  /// It can be run with weights that differ between the examples of a batch.
  bool weights_per_example = true;

  /// The output for an example depends on that example alone, and its noise on
  /// its place in the minibatch (Pass::part). Of networks that were written
  /// elsewhere nobody knows; they are taken to do so.
  bool separates_examples = true;

  /// There are features().
  bool features = false;

  /// See Layer::rounds().
  bool rounds = false;

  /// There is an inverse().
  bool invertible = false;
};

/// A network whose weights are an argument.
class Model {
 public:
  static constexpr const char* kKind = "models";

  virtual ~Model() = default;

  /// Fresh weights on the CPU, float32 or finer, a function of `key` alone.
  virtual ParameterSet initial_weights(const Key& key) const = 0;

  /// The outputs for a batch, [batch..., output of one example]; see Weights
  /// for the axes of a batch. `input` has no axis of particles, [examples,
  /// shape of one example...]. On the tape of the weights and of the input, and
  /// twice differentiable.
  virtual Tensor apply(const Weights& weights, const Tensor& input,
                       const Pass& pass) const = 0;

  /// What the last layer gets, [batch..., features]. On the tape of the weights
  /// and of the input. Called only if abilities().features.
  virtual Tensor features(const Weights& weights, const Tensor& input,
                          const Pass& pass) const;

  /// The inputs of which `outputs` are the outputs, up to rounding. On the tape
  /// of the weights and of `outputs`. Called only if abilities().invertible.
  virtual Tensor inverse(const Weights& weights, const Tensor& outputs,
                         const Pass& pass) const;

  /// apply() with one set of weights for the whole batch.
  Tensor forward(const ParameterSet& weights, const Tensor& input,
                 const Pass& pass) const;

  /// apply() with weights in the form that `draw` says: shared, of particles,
  /// or with a response.
  Tensor forward(const ParameterSet& weights, const Tensor& input,
                 const Pass& pass, const Draw& draw) const;

  /// The hyperparameters that its layers name.
  virtual std::vector<Hyperparameter> hyperparameters() const { return {}; }

  virtual ModelAbilities abilities() const { return {}; }
};

/// The arguments are the shape of one example and the shape of the output that
/// is wanted for it: {classes}, or {time, vocabulary} for sequences.
using ModelRegistry = Registry<Model, const Shape&, const Shape&>;

/// A chain of layers as a model.
class Sequential : public Model {
 public:
  explicit Sequential(Chain chain) : chain_(std::move(chain)) {}

  ParameterSet initial_weights(const Key& key) const override {
    return chain_.initial_weights(key);
  }
  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const override;
  Tensor features(const Weights& weights, const Tensor& input,
                  const Pass& pass) const override;
  Tensor inverse(const Weights& weights, const Tensor& outputs,
                 const Pass& pass) const override {
    return chain_.inverse(weights, outputs, pass);
  }
  std::vector<Hyperparameter> hyperparameters() const override {
    return chain_.hyperparameters();
  }
  ModelAbilities abilities() const override {
    return {/*weights_per_example=*/true, chain_.separates_examples(),
            /*features=*/true, chain_.rounds(), chain_.is_invertible()};
  }

 private:
  /// `input` as a batch of these weights.
  Tensor batch(const Weights& weights, const Tensor& input,
               const Pass& pass) const;

  Chain chain_;
};

/// Base of the models that read plain weight tensors instead of asking Weights
/// for products: networks that were written elsewhere (TorchScript, modules).
/// Particles run one after another; weights per example are not possible.
class ForeignModel : public Model {
 public:
  /// Throws Unsupported for weights that differ between examples.
  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const final;
  ModelAbilities abilities() const final {
    return {/*weights_per_example=*/false};
  }

 protected:
  /// The outputs for one set of weights, in the order of initial_weights().
  virtual Tensor call(const std::vector<Tensor>& weights, const Tensor& input,
                      const Pass& pass) const = 0;
};

}  // namespace nestgrad
