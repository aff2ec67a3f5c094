#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// A recurrent network that begins at zero with every sequence. `parts` of its
/// numbers are affine in the input x_t and `parts` in h, the first part of its
/// state, each of the size of h.
///
/// The names, shapes and order of the weights are PyTorch's: weight_ih [parts
/// hidden, features], weight_hh [parts hidden, hidden], bias_ih and bias_hh
/// [parts hidden], all U(+-1/sqrt(hidden)) at the start; with "_l0", "_l1", ...
/// after the name if there are more layers than one. An example that has
/// weights of its own has the same ones in every step.
class Recurrent : public SteppedLayer {
 public:
  Shape output_shape() const override {
    return last_only_ ? Shape{hidden_} : Shape{time_, hidden_};
  }

  ParameterSet initial_weights(const Key& key) const override {
    const double bound = 1 / std::sqrt(static_cast<double>(hidden_));
    ParameterSet weights;
    for (std::int64_t layer = 0; layer < layers_; ++layer) {
      const std::string suffix =
          layers_ > 1 ? "_l" + std::to_string(layer) : "";
      const std::int64_t in = layer == 0 ? features_ : hidden_;
      insert_uniform(weights, key, "weight_ih" + suffix, {parts_ * hidden_, in},
                     bound);
      insert_uniform(weights, key, "weight_hh" + suffix,
                     {parts_ * hidden_, hidden_}, bound);
      insert_uniform(weights, key, "bias_ih" + suffix, {parts_ * hidden_},
                     bound);
      insert_uniform(weights, key, "bias_hh" + suffix, {parts_ * hidden_},
                     bound);
    }
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass&) const override {
    Tensor x = input;
    for (std::size_t first = 0; first < weights.size(); first += kTensors) {
      const WeightSlice w = weights.slice(first, kTensors);
      const Tensor read = w.linear(x, kInput, kInputBias);
      std::vector<Tensor> state = zeros(read), outputs;
      for (const Tensor& now : read.unbind(-2)) {
        state = next(now, of_state(w, state), state);
        outputs.push_back(state.front());
      }
      x = at::stack(outputs, -2);
    }
    return last_only_ ? x.select(-2, -1) : x;
  }

  std::vector<std::int64_t> state_sizes() const override {
    return std::vector<std::int64_t>(
        static_cast<std::size_t>(layers_ * state_parts()), hidden_);
  }

  Tensor step(const Weights& weights, const Tensor& x,
              std::vector<Tensor>& state) const override {
    Tensor output = x;
    auto part = state.begin();
    for (std::size_t first = 0; first < weights.size(); first += kTensors) {
      const WeightSlice w = weights.slice(first, kTensors);
      const std::vector<Tensor> before(part, part + state_parts());
      const std::vector<Tensor> after = next(
          w.linear(output, kInput, kInputBias), of_state(w, before), before);
      part = std::copy(after.begin(), after.end(), part);
      output = after.front();
    }
    return output;
  }

 protected:
  Recurrent(const Config& config, const Shape& input, std::int64_t parts)
      : parts_(parts),
        hidden_(config.integer("hidden")),
        layers_(config.integer("layers")),
        last_only_(config.text("output") == "last") {
    if (input.size() != 2) {
      refuse_input(config, "sequences [time, features]", input);
    }
    time_ = input[0];
    features_ = input[1];
  }

  static Schema recurrent_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .integer("hidden", kRequired, "Size of the state.", at_least(1))
        .integer("layers", 1,
                 "How many are stacked, each reading the states of the one "
                 "below.",
                 at_least(1))
        .choice("output", "last",
                "The state after the last step, or the states after all steps.",
                {"last", "all"});
  }

  /// How many parts the state of one of the stacked networks has, all of the
  /// size of h.
  virtual std::int64_t state_parts() const = 0;

  /// The state after a step, [batch..., hidden] each. `read` and `recalled`:
  /// what is affine in the input and in h, [batch..., parts hidden].
  virtual std::vector<Tensor> next(const Tensor& read, const Tensor& recalled,
                                   const std::vector<Tensor>& state) const = 0;

 private:
  enum : std::size_t { kInput, kState, kInputBias, kStateBias, kTensors };

  static Tensor of_state(const Weights& w, const std::vector<Tensor>& state) {
    return w.linear(state.front(), kState, kStateBias);
  }

  /// The state before the first step. `read`: [batch..., time, parts hidden].
  std::vector<Tensor> zeros(const Tensor& read) const {
    std::vector<std::int64_t> sizes = read.sizes().vec();
    sizes.erase(sizes.end() - 2);
    sizes.back() = hidden_;
    return std::vector<Tensor>(static_cast<std::size_t>(state_parts()),
                               at::zeros(sizes, read.options()));
  }

  std::int64_t parts_, hidden_, layers_, time_, features_;
  bool last_only_;
};

/// The network of Elman 1990, torch.nn.RNN:
///   h <- tanh(W_ih x_t + b_ih + W_hh h + b_hh).
class Rnn : public Recurrent {
 public:
  static Schema schema() {
    return recurrent_schema("A recurrent network without gates.");
  }

  Rnn(const Config& config, const Shape& input)
      : Recurrent(config, input, /*parts=*/1) {}

 private:
  std::int64_t state_parts() const override { return 1; }

  std::vector<Tensor> next(const Tensor& read, const Tensor& recalled,
                           const std::vector<Tensor>&) const override {
    return {(read + recalled).tanh()};
  }
};

/// A long short-term memory (Hochreiter and Schmidhuber 1997), torch.nn.LSTM:
///   i, f, g, o = W_ih x_t + b_ih + W_hh h + b_hh
///   c <- sigmoid(f) c + sigmoid(i) tanh(g),  h <- sigmoid(o) tanh(c).
class Lstm : public Recurrent {
 public:
  static Schema schema() {
    return recurrent_schema("A long short-term memory over sequences.");
  }

  Lstm(const Config& config, const Shape& input)
      : Recurrent(config, input, /*parts=*/4) {}

 private:
  std::int64_t state_parts() const override { return 2; }

  std::vector<Tensor> next(const Tensor& read, const Tensor& recalled,
                           const std::vector<Tensor>& state) const override {
    const std::vector<Tensor> gate = (recalled + read).chunk(4, -1);
    const Tensor c =
        gate[1].sigmoid() * state[1] + gate[0].sigmoid() * gate[2].tanh();
    return {gate[3].sigmoid() * c.tanh(), c};
  }
};

/// A gated recurrent unit (Cho et al. 2014), torch.nn.GRU. With the parts r, z
/// and n of W_ih x_t + b_ih and of W_hh h + b_hh:
///   r = sigmoid(r_ih + r_hh),  z = sigmoid(z_ih + z_hh)
///   h <- (1 - z) tanh(n_ih + r n_hh) + z h.
class Gru : public Recurrent {
 public:
  static Schema schema() {
    return recurrent_schema("A gated recurrent unit over sequences.");
  }

  Gru(const Config& config, const Shape& input)
      : Recurrent(config, input, /*parts=*/3) {}

 private:
  std::int64_t state_parts() const override { return 1; }

  std::vector<Tensor> next(const Tensor& read, const Tensor& recalled,
                           const std::vector<Tensor>& state) const override {
    const std::vector<Tensor> in = read.chunk(3, -1);
    const std::vector<Tensor> of = recalled.chunk(3, -1);
    const Tensor r = (in[0] + of[0]).sigmoid();
    const Tensor z = (in[1] + of[1]).sigmoid();
    return {(1 - z) * (in[2] + r * of[2]).tanh() + z * state.front()};
  }
};

NESTGRAD_REGISTER(LayerRegistry, "rnn", Rnn)
NESTGRAD_REGISTER(LayerRegistry, "lstm", Lstm)
NESTGRAD_REGISTER(LayerRegistry, "gru", Gru)

}  // namespace
}  // namespace nestgrad
