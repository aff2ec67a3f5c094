#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "core/nn/layers/constant.h"
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
/// With rotary positions (Su et al. 2021, "RoFormer: enhanced transformer with
/// rotary position embedding"), numbers 2 i and 2 i + 1 of each q_t and k_t are
/// a point of the plane that is turned by t 10000^(-2 i / d). So the product
/// q_t' k_s depends on t - s besides the contents of both steps.
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
                 "Whether a step sees only itself and earlier steps.")
        .choice("positions", "none",
                "How it is told how far two steps are apart: not at all (see "
                "the layer position), or by rotations of queries and keys. "
                "These need an even number of features in each head.",
                {"none", "rotary"});
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
    if (config.text("positions") == "rotary") {
      const std::int64_t d = features_ / heads_;
      if (d % 2 != 0) {
        config.fail("positions",
                    fmt::format("turns pairs of numbers, but a head has {} "
                                "features",
                                d));
      }
      const Tensor turn =
          at::outer(at::arange(input[0], at::kDouble),
                    at::pow(10000, -2 * at::arange(d / 2, at::kDouble) /
                                       static_cast<double>(d)));
      cos_.emplace(turn.cos());
      sin_.emplace(turn.sin());
    }
  }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(features_));
    ParameterSet weights;
    insert_uniform(weights, key, "in_weight", {3 * features_, features_},
                   bound);
    insert_uniform(weights, key, "in_bias", {3 * features_}, bound);
    insert_uniform(weights, key, "out_weight", {features_, features_}, bound);
    insert_uniform(weights, key, "out_bias", {features_}, bound);
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
    const Tensor q = turned(split(in[0])), k = turned(split(in[1]));
    const Tensor v = split(in[2]);
    const double scale = 1 / std::sqrt(static_cast<double>(q.size(-1)));
    Tensor scores = matrix_products(scale * q, k.transpose(-2, -1));
    if (causal_) scores = scores + later_steps(scores);
    const Tensor heads = matrix_products(softmax(scores), v);
    return weights.linear(heads.transpose(-3, -2).flatten(-2), kOutWeight,
                          kOutBias);
  }

 private:
  enum : std::size_t { kInWeight, kInBias, kOutWeight, kOutBias };

  /// Every pair of numbers of q or k, [batch..., heads, time, d], turned by the
  /// angle of its step.
  Tensor turned(const Tensor& t) const {
    if (!cos_) return t;
    const Tensor pairs = t.unflatten(-1, {-1, 2});
    const Tensor x = pairs.select(-1, 0), y = pairs.select(-1, 1);
    const Tensor cos = cos_->like(t), sin = sin_->like(t);
    return at::stack({x * cos - y * sin, x * sin + y * cos}, -1).flatten(-2);
  }

  /// Minus infinity for every score q_t' k_s with s > t, else 0.
  static Tensor later_steps(const Tensor& scores) {
    const std::int64_t time = scores.size(-1);
    return at::full({time, time}, -std::numeric_limits<double>::infinity(),
                    scores.options())
        .triu(1);
  }

  std::int64_t heads_, features_;
  bool causal_;
  std::optional<Constant> cos_, sin_;  // [time, d / 2]; of rotary positions
};

NESTGRAD_REGISTER(LayerRegistry, "attention", Attention)

}  // namespace
}  // namespace nestgrad
