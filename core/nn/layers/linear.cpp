#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// y = x W' + b, along the last dimension. weight: [out, in], bias: [out], both
/// U(+-1/sqrt(in)) at the start.
class Linear : public Layer {
 public:
  static Schema schema() {
    return Schema("An affine map of every vector: y = W x + b.")
        .integer("out", kRequired, "Size of the output vectors.", at_least(1))
        .boolean("bias", true, "Whether there is a b.");
  }

  Linear(const Config& config, const Shape& input)
      : output_(input), bias_(config.boolean("bias")) {
    if (input.size() != 1 && input.size() != 2) {
      refuse_input(config,
                   "vectors [features] or sequences [time, features] (put a "
                   "flatten layer before it)",
                   input);
    }
    in_ = input.back();
    output_.back() = config.integer("out");
  }

  Shape output_shape() const override { return output_; }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(in_));
    const std::int64_t out = output_.back();
    ParameterSet weights;
    insert_uniform(weights, key, "weight", {out, in_}, bound);
    if (bias_) insert_uniform(weights, key, "bias", {out}, bound);
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    return weights.linear(x);
  }

 private:
  Shape output_;
  std::int64_t in_;
  bool bias_;
};

NESTGRAD_REGISTER(LayerRegistry, "linear", Linear)

}  // namespace
}  // namespace nestgrad
