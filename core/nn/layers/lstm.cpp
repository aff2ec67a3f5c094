#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/flip_score.h"
#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"
#include "core/platform/batched_product.h"

namespace nestgrad {
namespace {

/// A long short-term memory that begins at zero with every sequence:
///   i, f, g, o = W_ih x_t + b_ih + W_hh h + b_hh
///   c <- sigmoid(f) c + sigmoid(i) tanh(g),  h <- sigmoid(o) tanh(c).
///
/// The weights are torch.nn.LSTM's: weight_ih [4 hidden, features], weight_hh
/// [4 hidden, hidden], bias_ih and bias_hh [4 hidden], all U(+-1/sqrt(hidden))
/// at the start; with "_l0", "_l1", ... after the name if there are more layers
/// than one.
///
/// LIMIT: second derivatives are for the CPU; cuDNN, which LibTorch uses on a
/// GPU, has only first ones.
class Lstm : public Layer {
 public:
  static Schema schema() {
    return Schema("A long short-term memory over sequences.")
        .integer("hidden", kRequired, "Size of the state.", at_least(1))
        .integer("layers", 1,
                 "How many are stacked, each reading the states of the one "
                 "below.",
                 at_least(1))
        .choice("output", "last",
                "The state after the last step, or the states after all steps.",
                {"last", "all"});
  }

  Lstm(const Config& config, const Shape& input)
      : hidden_(config.integer("hidden")),
        layers_(config.integer("layers")),
        last_only_(config.text("output") == "last") {
    if (input.size() != 2) {
      refuse_input(config, "sequences [time, features]", input);
    }
    time_ = input[0];
    features_ = input[1];
  }

  Shape output_shape() const override {
    return last_only_ ? Shape{hidden_} : Shape{time_, hidden_};
  }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(hidden_));
    ParameterSet weights;
    const auto insert = [&](const std::string& name, at::IntArrayRef sizes) {
      weights.insert(name, symmetric_uniform(key.fold(name), sizes, bound));
    };
    for (std::int64_t layer = 0; layer < layers_; ++layer) {
      const std::string suffix =
          layers_ > 1 ? "_l" + std::to_string(layer) : "";
      const std::int64_t in = layer == 0 ? features_ : hidden_;
      insert("weight_ih" + suffix, {4 * hidden_, in});
      insert("weight_hh" + suffix, {4 * hidden_, hidden_});
      insert("bias_ih" + suffix, {4 * hidden_});
      insert("bias_hh" + suffix, {4 * hidden_});
    }
    return weights;
  }

  Tensor apply(at::ArrayRef<Tensor> weights, const Tensor& input,
               const Pass&) const override {
    const Tensor zero =
        at::zeros({layers_, input.size(0), hidden_}, input.options());
    const Tensor states = std::get<0>(
        at::lstm(input, {zero, zero}, weights, /*has_biases=*/true, layers_,
                 /*dropout=*/0, /*train=*/true, /*bidirectional=*/false,
                 /*batch_first=*/true));
    return last_only_ ? states.select(1, -1) : states;
  }

  /// Step by step, one product for all particles.
  Tensor apply_particles(at::ArrayRef<Tensor> weights, const Tensor& input,
                         const Pass&) const override {
    Tensor x = input;  // [particles, batch, time, features]
    for (std::size_t layer = 0; layer < weights.size() / 4; ++layer) {
      const Tensor &w_ih = weights[4 * layer], &w_hh = weights[4 * layer + 1];
      const Tensor bias =
          (weights[4 * layer + 2] + weights[4 * layer + 3]).unsqueeze(1);
      const Tensor read =
          (bias + batched_product(x.flatten(1, 2), w_ih.transpose(1, 2)))
              .unflatten(1, x.sizes().slice(1, 2));
      x = recur(read, [&](const Tensor& now, const Tensor& h) {
        return now + batched_product(h, w_hh.transpose(1, 2));
      });
    }
    return last_only_ ? x.select(2, -1) : x;
  }

  bool flips() const override { return true; }

  /// The noise and the signs are the same in all steps of a sequence.
  Tensor flip(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
              const Tensor& input, const Key& signs,
              const Pass&) const override {
    Tensor x = input;
    for (std::size_t layer = 0; layer < weights.size() / 4; ++layer) {
      const at::ArrayRef<Tensor> w = weights.slice(4 * layer, 4),
                                 d = noise.slice(4 * layer, 4);
      const Signs own(signs.fold(layer), x.size(0), w[0]);
      const Tensor read = at::linear(x, w[0], w[2]) +
                          own.r_x.unsqueeze(1) *
                              at::linear(own.s_x.unsqueeze(1) * x, d[0], d[2]);
      x = recur(read, [&](const Tensor& now, const Tensor& h) {
        return now + at::linear(h, w[1], w[3]) +
               own.r_h * at::linear(own.s_h * h, d[1], d[3]);
      });
    }
    return last_only_ ? x.select(1, -1) : x;
  }

  Tensor score(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
               std::int64_t examples, const Key& signs) const override {
    Tensor sum;
    for (std::size_t layer = 0; layer < weights.size() / 4; ++layer) {
      const at::ArrayRef<Tensor> w = weights.slice(4 * layer, 4),
                                 d = noise.slice(4 * layer, 4);
      const Signs own(signs.fold(layer), examples, w[0]);
      const Tensor score =
          flip_score(w[0], d[0], w[2], d[2], own.r_x, own.s_x) +
          flip_score(w[1], d[1], w[3], d[3], own.r_h, own.s_h);
      sum = sum.defined() ? sum + score : score;
    }
    return sum;
  }

 private:
  /// Those of inputs and states, and of the gates that read them, of each
  /// example.
  struct Signs {
    Tensor s_x, s_h, r_x, r_h;

    /// `w_ih`: [gates, features].
    Signs(const Key& key, std::int64_t examples, const Tensor& w_ih) {
      const auto drawn = [&](const char* name, std::int64_t features) {
        return key.fold(name).signs(
            at::empty({examples, features}, w_ih.options()));
      };
      s_x = drawn("inputs", w_ih.size(1));
      s_h = drawn("states", w_ih.size(0) / 4);
      r_x = drawn("gates by inputs", w_ih.size(0));
      r_h = drawn("gates by states", w_ih.size(0));
    }
  };

  /// The states after all steps, [..., time, hidden], from what the gates read
  /// of the input, [..., time, 4 hidden]; gates(read, h) adds the state's part.
  template <class Gates>
  Tensor recur(const Tensor& read, Gates&& gates) const {
    std::vector<std::int64_t> sizes = read.sizes().vec();
    sizes.erase(sizes.end() - 2);
    sizes.back() = hidden_;
    Tensor h = at::zeros(sizes, read.options()), c = h;
    std::vector<Tensor> states;
    for (const Tensor& now : read.unbind(-2)) {
      const std::vector<Tensor> gate = gates(now, h).chunk(4, -1);
      c = gate[1].sigmoid() * c + gate[0].sigmoid() * gate[2].tanh();
      h = gate[3].sigmoid() * c.tanh();
      states.push_back(h);
    }
    return at::stack(states, -2);
  }

  std::int64_t hidden_, layers_, time_, features_;
  bool last_only_;
};

NESTGRAD_REGISTER(LayerRegistry, "lstm", Lstm)

}  // namespace
}  // namespace nestgrad
