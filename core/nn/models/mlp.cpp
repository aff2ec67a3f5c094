#include "core/nn/models/dense.h"

namespace nestgrad {
namespace {

class Mlp : public Sequential {
 public:
  static Schema schema() {
    return with_dense_keys(
        Schema("A multilayer perceptron on the flattened input."),
        Json::array({128}));
  }

  Mlp(const Config& config, const Shape& input, const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static std::vector<LayerPtr> layers(const Config& config, const Shape& input,
                                      const Shape& outputs) {
    LayerStack stack(input);
    add_augmentation(stack, config);
    add_dense(stack, config, outputs);
    return stack.take();
  }
};

NESTGRAD_REGISTER(ModelRegistry, "mlp", Mlp)

}  // namespace
}  // namespace nestgrad
