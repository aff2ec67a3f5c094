#include <fmt/format.h>

#include "core/nn/layers/shapes.h"
#include "core/nn/model.h"

namespace nestgrad {
namespace {

class SequentialFromConfig : public Sequential {
 public:
  static Schema schema() {
    return Schema(
               "Layers one after another. The last must give as many numbers "
               "as there are outputs; no layer is added by itself.")
        .objects("layers", LayerRegistry::instance(), kRequired,
                 "The layers, from input to output.");
  }

  SequentialFromConfig(const Config& config, const Shape& input,
                       const Shape& outputs)
      : Sequential(layers(config, input, outputs)) {}

 private:
  static Chain layers(const Config& config, const Shape& input,
                      const Shape& outputs) {
    Chain chain(input);
    for (const Config& layer : config.objects("layers")) chain.add(layer);
    if (chain.shape() != outputs) {
      config.fail("layers",
                  fmt::format("must end in the shape {}, one number for each "
                              "output, but end in {}; a final linear layer is "
                              "not added by itself",
                              to_string(outputs), to_string(chain.shape())));
    }
    return chain;
  }
};

NESTGRAD_REGISTER(ModelRegistry, "sequential", SequentialFromConfig)

}  // namespace
}  // namespace nestgrad
