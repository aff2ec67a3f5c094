#include <ATen/ATen.h>

#include <optional>

#include "core/nn/layers/constant.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// The waves of Vaswani et al. 2017, "Attention is all you need", in double
/// precision, [time, features]: number 2 i of step t is sin(t / 10000^(2 i /
/// features)), number 2 i + 1 the cosine of the same.
Tensor waves(std::int64_t time, std::int64_t features) {
  const Tensor pairs = at::arange((features + 1) / 2, at::kDouble);
  const Tensor angles =
      at::outer(at::arange(time, at::kDouble),
                at::pow(10000, -2 * pairs / static_cast<double>(features)));
  return at::stack({angles.sin(), angles.cos()}, -1)
      .flatten(1)
      .narrow(1, 0, features)
      .contiguous();
}

/// y_t = x_t + p_t: tells layers that do not see the order of steps, such as
/// attention, where each stands. The p_t are weights or fixed waves.
///
/// weight (learned only): [time, features], standard normal at the start, like
/// the rows of torch.nn.Embedding.
class Position : public SameShape {
 public:
  static Schema schema() {
    return Schema(
               "Adds a vector to each step of a sequence that depends on the "
               "number of the step alone.")
        .choice("vectors", "learned",
                "The vectors: weights, one for each step, or waves of "
                "different lengths without weights.",
                {"learned", "sinusoidal"});
  }

  Position(const Config& config, const Shape& input)
      : SameShape(input), learned_(config.text("vectors") == "learned") {
    if (input.size() != 2) {
      refuse_input(config, "sequences [time, features]", input);
    }
    if (!learned_) waves_.emplace(waves(input[0], input[1]));
  }

  ParameterSet initial_weights(const Key& key) const override {
    if (!learned_) return {};
    const Tensor like = at::empty(output_shape(), at::kFloat);
    return {{"weight", key.fold("weight").normal(like)}};
  }

  /// Weights of its own cost an example no more memory than x itself.
  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    return x + (learned_ ? weights.tensor(0) : waves_->like(x));
  }

 private:
  bool learned_;
  std::optional<Constant> waves_;
};

NESTGRAD_REGISTER(LayerRegistry, "position", Position)

}  // namespace
}  // namespace nestgrad
