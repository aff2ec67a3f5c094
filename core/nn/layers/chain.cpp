#include "core/nn/chain.h"

#include "core/nn/layer.h"

namespace nestgrad {
namespace {

/// Several layers as one, where one is expected: y = f_n(... f_1(x)).
class ChainLayer : public Layer {
 public:
  static Schema schema() {
    return Schema("Several layers, one after the other, as one.")
        .objects("layers", LayerRegistry::instance(), kRequired,
                 "The layers, from input to output.");
  }

  ChainLayer(const Config& config, const Shape& input) : chain_(input) {
    for (const Config& layer : config.objects("layers")) chain_.add(layer);
  }

  Shape output_shape() const override { return chain_.shape(); }
  ParameterSet initial_weights(const Key& key) const override {
    return chain_.initial_weights(key);
  }
  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    return chain_.apply(weights, x, pass);
  }
  bool separates_examples() const override {
    return chain_.separates_examples();
  }
  bool rounds() const override { return chain_.rounds(); }
  std::int64_t convolved() const override { return chain_.convolved(); }
  std::vector<Hyperparameter> hyperparameters() const override {
    return chain_.hyperparameters();
  }

 private:
  Chain chain_;
};

NESTGRAD_REGISTER(LayerRegistry, "chain", ChainLayer)

}  // namespace
}  // namespace nestgrad
