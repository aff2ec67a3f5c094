#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/chain.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = x + f(x), where f is a chain of layers that keeps the shape (He, Zhang,
/// Ren and Sun 2016, "Deep residual learning for image recognition"). Weights
/// are named as in a model: "0.weight" belongs to the first layer of f.
class Residual : public SameShape {
 public:
  static Schema schema() {
    return Schema("Adds the output of some layers to their input.")
        .objects(
            "layers", LayerRegistry::instance(), kRequired,
            "The layers, from input to output. Together they keep the shape "
            "of the input.");
  }

  Residual(const Config& config, const Shape& input)
      : SameShape(input), chain_(layers(config, input)) {}

  ParameterSet initial_weights(const Key& key) const override {
    return chain_.initial_weights(key);
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    return x + chain_.apply(weights, x, pass);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return chain_.hyperparameters();
  }

 private:
  static Chain layers(const Config& config, const Shape& input) {
    Chain chain(input);
    for (const Config& layer : config.objects("layers")) chain.add(layer);
    if (chain.shape() != input) {
      config.fail("layers",
                  fmt::format("must keep the shape of their input, {}, but end "
                              "in {}",
                              to_string(input), to_string(chain.shape())));
    }
    return chain;
  }

  Chain chain_;
};

NESTGRAD_REGISTER(LayerRegistry, "residual", Residual)

}  // namespace
}  // namespace nestgrad
