#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// Replaces tokens by vectors: [batch, time] -> [batch, time, dimension]. The
/// input is int64, each at least 0 and below `vocabulary`. weight:
/// [vocabulary, dimension], standard normal at the start.
class Embedding : public Layer {
 public:
  static Schema schema() {
    return Schema("Replaces every token by a vector that is learned.")
        .integer("vocabulary", kRequired, "Number of different tokens.",
                 at_least(1))
        .integer("dimension", kRequired, "Size of the vectors.", at_least(1));
  }

  Embedding(const Config& config, const Shape& input)
      : vocabulary_(config.integer("vocabulary")),
        dimension_(config.integer("dimension")) {
    if (input.size() != 1) refuse_input(config, "tokens [time]", input);
    time_ = input[0];
  }

  Shape output_shape() const override { return {time_, dimension_}; }

  ParameterSet initial_weights(const Key& key) const override {
    const Tensor like = at::empty({vocabulary_, dimension_}, at::kFloat);
    return {{"weight", key.fold("weight").normal(like)}};
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    return weights.lookup(x);
  }

 private:
  std::int64_t vocabulary_, dimension_, time_;
};

NESTGRAD_REGISTER(LayerRegistry, "embedding", Embedding)

}  // namespace
}  // namespace nestgrad
