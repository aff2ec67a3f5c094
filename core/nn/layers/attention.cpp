#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/operators.h"

namespace nestgrad {
namespace {

/// Self-attention with several heads (Vaswani et al. 2017, "Attention is all
/// you need"). Queries q, keys k and values v are affine in the input, and each
/// head has d of their features:
///
///   y_t = sum_s softmax_s(q_t' k_s / sqrt(d)) v_s
///
/// The output is affine in the y of all heads.
///
/// in_weight: [3 features, features] for q, k and v, in_bias: [3 features],
/// out_weight: [features, features], out_bias: [features], all
/// U(+-1/sqrt(features)) at the start.
class Attention : public SameShape {
 public:
  static Schema schema() {
    return Schema("Self-attention over sequences, with several heads.")
        .integer("heads", 1,
                 "Number of heads. Must divide the number of features.",
                 at_least(1))
        .boolean("causal", false,
                 "Whether a step sees only itself and earlier steps.");
  }

  Attention(const Config& config, const Shape& input)
      : SameShape(input),
        heads_(config.integer("heads")),
        causal_(config.boolean("causal")) {
    if (input.size() != 2) {
      refuse_input(config, "sequences [time, features]", input);
    }
    features_ = input[1];
    if (features_ % heads_ != 0) {
      config.fail("heads", fmt::format("must divide the number of features, "
                                       "{}, but is {}",
                                       features_, heads_));
    }
  }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(features_));
    ParameterSet weights;
    const auto insert = [&](const std::string& name, at::IntArrayRef sizes) {
      weights.insert(name, symmetric_uniform(key.fold(name), sizes, bound));
    };
    insert("in_weight", {3 * features_, features_});
    insert("in_bias", {3 * features_});
    insert("out_weight", {features_, features_});
    insert("out_bias", {features_});
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    // [batch..., time, features] -> [batch..., heads, time, features of a head]
    const auto split = [&](const Tensor& t) {
      return t.unflatten(-1, {heads_, -1}).transpose(-3, -2);
    };
    const std::vector<Tensor> in =
        weights.linear(x, kInWeight, kInBias).chunk(3, -1);
    const Tensor q = split(in[0]), k = split(in[1]), v = split(in[2]);
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    Tensor scores = matrix_products(scale * q, k.transpose(-2, -1));
    if (causal_) scores = scores + later_steps(scores);
    const Tensor heads = matrix_products(softmax(scores), v);
    return weights.linear(heads.transpose(-3, -2).flatten(-2), kOutWeight,
                          kOutBias);
  }

 private:
  enum : std::size_t { kInWeight, kInBias, kOutWeight, kOutBias };

  /// Minus infinity for every score q_t' k_s with s > t, else 0.
  static Tensor later_steps(const Tensor& scores) {
    const std::int64_t time = scores.size(-1);
    return at::full({time, time}, -std::numeric_limits<double>::infinity(),
                    scores.options())
        .triu(1);
  }

  std::int64_t heads_, features_;
  bool causal_;
};

NESTGRAD_REGISTER(LayerRegistry, "attention", Attention)

}  // namespace
}  // namespace nestgrad
