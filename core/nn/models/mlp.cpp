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
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    Chain chain(input);
    add_augmentation(chain, config);
    add_dense(chain, config, outputs);
    return chain;
  }
};

NESTGRAD_REGISTER(ModelRegistry, "mlp", Mlp)

}  // namespace
}  // namespace nestgrad
