#include <ATen/ATen.h>

#include <algorithm>

#include "core/nn/chain.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// One of several layers in training, drawn anew for each batch, and none
/// otherwise: the "single" strategy of Zhao and Bilen 2021, "Dataset
/// condensation with differentiable siamese augmentation".
class OneOf : public SameShape {
 public:
  static Schema schema() {
    return Schema("One of several layers, drawn for each batch in training.")
        .objects("layers", LayerRegistry::instance(), kRequired,
                 "The layers, which have no weights and keep shapes.");
  }

  OneOf(const Config& config, const Shape& input) : SameShape(input) {
    const std::vector<Config> layers = config.objects("layers");
    if (layers.empty()) config.fail("layers", "must have a layer");
    for (const Config& layer : layers) {
      layers_.emplace_back(input).add(layer);
      const Chain& added = layers_.back();
      if (added.shape() != input || !added.initial_weights(Key()).empty()) {
        throw ConfigError(layer.pointer(),
                          "must have no weights and keep the shape of its "
                          "input");
      }
    }
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    if (!pass.training) return x;
    // Drawn on the CPU, so that no device is waited for.
    const auto u = pass.key.fold("one_of")
                       .uniform(at::empty({}, at::kDouble))
                       .item<double>();
    const auto n = static_cast<double>(layers_.size());
    return layers_[static_cast<std::size_t>(u * n)].apply(weights, x, pass);
  }

  bool separates_examples() const override {
    return std::all_of(layers_.begin(), layers_.end(), [](const Chain& layer) {
      return layer.separates_examples();
    });
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> all;
    for (const Chain& layer : layers_) {
      for (Hyperparameter& named : layer.hyperparameters()) {
        all.push_back(std::move(named));
      }
    }
    return all;
  }

 private:
  std::vector<Chain> layers_;
};

NESTGRAD_REGISTER(LayerRegistry, "one_of", OneOf)

}  // namespace
}  // namespace nestgrad
