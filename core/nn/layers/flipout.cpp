#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/row_wise_weights.h"

namespace nestgrad {
namespace {

/// Another layer, whose weights have normal noise in training that differs
/// between examples; see FlippedWeights. The output has a derivative by the
/// deviation of the noise, which may be tuned.
class Flipout : public Layer {
 public:
  static Schema schema() {
    return Schema(
               "Normal noise on the weights of a layer in training, "
               "uncorrelated between examples.")
        .setting("deviation", 0.1, kMeaning, at_least(0))
        .object("layer", LayerRegistry::instance(), kRequired, "The layer.");
  }

  Flipout(const Config& config, const Shape& input)
      : axes_(static_cast<std::int64_t>(input.size())),
        deviation_(config, "deviation", strength(kMeaning, Coordinates::log())),
        layer_(LayerRegistry::instance().make(config.object("layer"), input)) {}

  Shape output_shape() const override { return layer_->output_shape(); }

  ParameterSet initial_weights(const Key& key) const override {
    return layer_->initial_weights(key);
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    if (!pass.training || deviation_.is(0) || weights.size() == 0) {
      return layer_->apply(weights, x, pass);
    }
    const Shape sizes(static_cast<std::size_t>(weights.batch_axes()) + 1, 1);
    const Tensor deviation =
        deviation_.value(weights.like(0).new_empty(sizes), pass);
    const FlippedWeights noisy(weights, /*examples=*/x.size(-axes_ - 1),
                               deviation, pass.key, pass.part);
    return layer_->apply(noisy, x, pass);
  }

  bool separates_examples() const override {
    return layer_->separates_examples();
  }

  bool rounds() const override { return layer_->rounds(); }

  std::int64_t convolved() const override { return layer_->convolved(); }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> named = layer_->hyperparameters();
    deviation_.declare(named);
    return named;
  }

 private:
  static constexpr const char* kMeaning = "Standard deviation of the noise.";

  std::int64_t axes_;
  LayerSetting deviation_;
  std::unique_ptr<Layer> layer_;
};

NESTGRAD_REGISTER(LayerRegistry, "flipout", Flipout)

}  // namespace
}  // namespace nestgrad
