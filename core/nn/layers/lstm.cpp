#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// A long short-term memory that begins at zero with every sequence:
///   i, f, g, o = W_ih x_t + b_ih + W_hh h + b_hh
///   c <- sigmoid(f) c + sigmoid(i) tanh(g),  h <- sigmoid(o) tanh(c).
///
/// The weights are torch.nn.LSTM's: weight_ih [4 hidden, features], weight_hh
/// [4 hidden, hidden], bias_ih and bias_hh [4 hidden], all U(+-1/sqrt(hidden))
/// at the start; with "_l0", "_l1", ... after the name if there are more layers
/// than one. An example that has weights of its own has the same ones in every
/// step.
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

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass&) const override {
    Tensor x = input;
    for (std::size_t first = 0; first < weights.size(); first += 4) {
      x = states(weights.slice(first, 4), x);
    }
    return last_only_ ? x.select(-2, -1) : x;
  }

 private:
  enum : std::size_t { kInput, kState, kInputBias, kStateBias };

  /// The states after all steps of the sequences x, [batch..., time, features].
  Tensor states(const Weights& w, const Tensor& x) const {
    const Tensor read = w.linear(x, kInput, kInputBias);
    std::vector<std::int64_t> sizes = read.sizes().vec();
    sizes.erase(sizes.end() - 2);
    sizes.back() = hidden_;
    Tensor h = at::zeros(sizes, read.options()), c = h;
    std::vector<Tensor> states;
    for (const Tensor& now : read.unbind(-2)) {
      const std::vector<Tensor> gate =
          (w.linear(h, kState, kStateBias) + now).chunk(4, -1);
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
