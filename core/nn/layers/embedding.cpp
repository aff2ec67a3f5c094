#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"
#include "core/tensor/autodiff.h"

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

  Tensor apply(at::ArrayRef<Tensor> weights, const Tensor& input,
               const Pass&) const override {
    return at::embedding(weights[0], input);
  }

  /// One table of all particles' rows, one after another.
  Tensor apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                         const Pass& pass) const override {
    const Tensor first = at::arange(pass.particles, input.options());
    return at::embedding(weights[0].flatten(0, 1),
                         input + vocabulary_ * first.view({-1, 1, 1}));
  }

  bool responds() const override { return true; }

  /// The gate of a token is its row's.
  Tensor respond(at::ArrayRef<Tensor> weights, const LayerResponse& r,
                 const Tensor& input, const Pass& pass) const override {
    const Tensor scales =
        at::matmul(at::embedding(r.gates[0], input),  // [batch, time, H]
                   r.displacement.unsqueeze(-1));     // [batch, H, 1]
    const Tensor answer = scales * at::embedding(r.slopes[0], input);
    const Tensor y = apply(weights, input, pass);
    return pass.linear ? with_tangent(y, answer) : y + answer;
  }

 private:
  std::int64_t vocabulary_, dimension_, time_;
};

NESTGRAD_REGISTER(LayerRegistry, "embedding", Embedding)

}  // namespace
}  // namespace nestgrad
