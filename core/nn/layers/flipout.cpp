#include <ATen/ATen.h>

#include "core/nn/layers/layer_setting.h"

namespace nestgrad {
namespace {

/// Flipout (Wen, Vicol, Ba, Tran and Grosse 2018, "Flipout: efficient
/// pseudo-independent weight perturbations on mini-batches"): in training each
/// example n of a minibatch sees the weights of a layer with normal noise,
///
///   W + dW (*) r_n s_n',   dW = deviation N(0, 1),
///
/// where dW is shared by the minibatch and r_n, s_n are random signs of the
/// outputs and inputs of each example. Every example's noise has the
/// distribution of dW, and that of two examples is uncorrelated, at the price
/// of a second product: Y = X W' + ((X (*) S) dW') (*) R.
///
/// The result has a derivative by the deviation, which may be tuned.
class Flipout : public Layer {
 public:
  static Schema schema() {
    return Schema(
               "Normal noise on the weights of a layer in training, "
               "uncorrelated between examples.")
        .setting("deviation", 0.1, kMeaning, at_least(0))
        .object("layer", LayerRegistry::instance(), kRequired,
                "The layer: linear, conv2d or lstm.");
  }

  Flipout(const Config& config, const Shape& input)
      : deviation_(config, "deviation", strength(kMeaning, Coordinates::log())),
        layer_(LayerRegistry::instance().make(config.object("layer"), input)) {
    if (!layer_->flips()) {
      config.fail("layer", fmt::format("must be linear, conv2d or lstm; the "
                                       "weights of {} cannot be flipped",
                                       config.object("layer").type()));
    }
  }

  Shape output_shape() const override { return layer_->output_shape(); }

  ParameterSet initial_weights(const Key& key) const override {
    return layer_->initial_weights(key);
  }

  Tensor apply(at::ArrayRef<Tensor> weights, const Tensor& input,
               const Pass& pass) const override {
    if (!pass.training || deviation_.is(0)) {
      return layer_->apply(weights, input, pass);
    }
    const Tensor deviation = deviation_.value(input, pass).reshape({});
    std::vector<Tensor> noise = noise_for(weights, pass.key.fold("noise"));
    for (Tensor& t : noise) t = deviation * t;
    return layer_->flip(weights, noise, input, pass.key.fold("signs"), pass);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> named = layer_->hyperparameters();
    deviation_.declare(named);
    return named;
  }

 private:
  static constexpr const char* kMeaning = "Standard deviation of the noise.";

  LayerSetting deviation_;
  std::unique_ptr<Layer> layer_;
};

NESTGRAD_REGISTER(LayerRegistry, "flipout", Flipout)

}  // namespace
}  // namespace nestgrad
