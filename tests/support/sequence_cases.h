#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/layer_case.h"

namespace nestgrad {

/// The states of an LSTM after every step.
inline Tensor lstm_states(const ParameterSet& w, const std::string& suffix,
                          const Tensor& x) {
  const std::int64_t hidden = w.at("weight_hh" + suffix).size(1);
  Tensor h = at::zeros({x.size(0), hidden}, x.options());
  Tensor c = h;
  std::vector<Tensor> states;
  for (std::int64_t t = 0; t < x.size(1); ++t) {
    const Tensor gates =
        at::matmul(x.select(1, t), w.at("weight_ih" + suffix).t()) +
        at::matmul(h, w.at("weight_hh" + suffix).t()) +
        w.at("bias_ih" + suffix) + w.at("bias_hh" + suffix);
    const auto gate = [&](int i) {
      return gates.slice(1, i * hidden, (i + 1) * hidden);
    };
    c = at::sigmoid(gate(1)) * c + at::sigmoid(gate(0)) * at::tanh(gate(2));
    h = at::sigmoid(gate(3)) * at::tanh(c);
    states.push_back(h);
  }
  return at::stack(states, 1);
}

/// The states of a GRU after every step, by LibTorch.
inline Tensor gru_states(const ParameterSet& w, const Tensor& x) {
  const auto layers = static_cast<std::int64_t>(w.size() / 4);
  const Tensor start =
      at::zeros({layers, x.size(0), w.tensors()[1].size(1)}, x.options());
  return std::get<0>(at::gru(x, start, w.tensors(), /*has_biases=*/true, layers,
                             /*dropout=*/0, /*train=*/false,
                             /*bidirectional=*/false, /*batch_first=*/true));
}

/// The states of a network without gates, by LibTorch.
inline Tensor rnn_states(const ParameterSet& w, const Tensor& x) {
  const auto layers = static_cast<std::int64_t>(w.size() / 4);
  const Tensor start =
      at::zeros({layers, x.size(0), w.tensors()[1].size(1)}, x.options());
  return std::get<0>(at::rnn_tanh(x, start, w.tensors(), /*has_biases=*/true,
                                  layers, /*dropout=*/0, /*train=*/false,
                                  /*bidirectional=*/false,
                                  /*batch_first=*/true));
}

/// A vector of step t whose pairs of numbers are complex numbers, each times
/// exp(i t 10000^(-2 j / d)).
inline Tensor rotated(const Tensor& vector, std::int64_t t) {
  const std::int64_t d = vector.numel();
  const Tensor angle =
      double(t) * at::pow(10000, -at::arange(0, d, 2, float64()) / double(d));
  const Tensor turned = at::view_as_complex(vector.reshape({-1, 2})) *
                        at::polar(at::ones_like(angle), angle);
  return at::view_as_real(turned).flatten();
}

/// Causal attention with two heads, number by number.
inline Tensor attended(const ParameterSet& w, const Tensor& x, bool rotary) {
  const std::int64_t time = x.size(1), d = x.size(2) / 2;
  const Tensor in =
      at::matmul(x, w.at("in_weight").t()) + w.at("in_bias");  // q, k, v
  Tensor heads = at::zeros_like(x);
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::int64_t head = 0; head < 2; ++head) {
      const auto part = [&](std::int64_t which, std::int64_t t) {
        const Tensor part = in[n][t].narrow(0, which * 2 * d + head * d, d);
        return rotary && which < 2 ? rotated(part, t) : part;
      };
      for (std::int64_t t = 0; t < time; ++t) {
        Tensor sum = at::zeros({d}, x.options()),
               total = at::zeros({}, x.options());
        for (std::int64_t s = 0; s <= t; ++s) {
          const Tensor e =
              (at::dot(part(0, t), part(1, s)) / std::sqrt(double(d))).exp();
          sum = sum + e * part(2, s);
          total = total + e;
        }
        heads[n][t].narrow(0, head * d, d).copy_(sum / total);
      }
    }
  }
  return at::matmul(heads, w.at("out_weight").t()) + w.at("out_bias");
}

/// With the start of a linear layer, key 5, and W + 2 B A in its place.
inline Tensor low_rank_updated(const ParameterSet& w, const Tensor& x) {
  const ParameterSet fixed =
      LayerRegistry::instance()
          .make(Json{{"type", "linear"}, {"out", 2}}, {4})
          ->initial_weights(Key(5))
          .to(float64());
  return at::linear(x,
                    fixed.at("weight") + 2 * at::matmul(w.at("b"), w.at("a")),
                    fixed.at("bias"));
}

/// Layers whose examples are sequences.
inline std::vector<LayerCase> sequence_cases() {
  using W = const ParameterSet&;
  using X = const Tensor&;
  return {
      {{{"type", "embedding"}, {"vocabulary", 4}, {"dimension", 2}},
       {3},
       {3, 2},
       [](W w, X x) {
         return w.at("weight").index_select(0, x.flatten()).view({-1, 3, 2});
       }},
      {{{"type", "attention"}, {"heads", 2}, {"causal", true}},
       {3, 4},
       {3, 4},
       [](W w, X x) { return attended(w, x, false); }},
      {{{"type", "attention"},
        {"heads", 2},
        {"causal", true},
        {"positions", "rotary"}},
       {3, 8},
       {3, 8},
       [](W w, X x) { return attended(w, x, true); }},
      {{{"type", "position"}},
       {3, 2},
       {3, 2},
       [](W w, X x) { return x + w.at("weight"); }},
      {{{"type", "position"}, {"vectors", "sinusoidal"}},
       {3, 5},
       {3, 5},
       [](W, X x) {
         const Tensor y = x.clone();
         for (std::int64_t t = 0; t < 3; ++t) {
           for (std::int64_t i = 0; i < 5; ++i) {
             const double angle = double(t) / std::pow(1e4, (i - i % 2) / 5.0);
             y.select(1, t).select(1, i) +=
                 i % 2 == 0 ? std::sin(angle) : std::cos(angle);
           }
         }
         return y;
       }},
      {{{"type", "residual"}, {"layers", {{{"type", "linear"}, {"out", 2}}}}},
       {3, 4},
       {3, 2},
       [](W w, X x) {
         return at::matmul(x, (w.at("0.weight") + w.at("skip.0.weight")).t()) +
                w.at("0.bias");
       }},
      {{{"type", "residual"},
        {"layers", {"sigmoid"}},
        {"skip", {{{"type", "linear"}, {"out", 3}}, "tanh"}}},
       {2, 3},
       {2, 3},
       [](W w, X x) {
         return x.sigmoid() +
                (at::matmul(x, w.at("skip.0.weight").t()) + w.at("skip.0.bias"))
                    .tanh();
       }},
      {{{"type", "lora"}, {"out", 2}, {"rank", 3}, {"alpha", 6}, {"seed", 5}},
       {3, 4},
       {3, 2},
       low_rank_updated},
      {{{"type", "time_pool"}},
       {3, 2},
       {2},
       [](W, X x) {
         return (x.select(1, 0) + x.select(1, 1) + x.select(1, 2)) / 3;
       }},
      {{{"type", "time_pool"}, {"take", "last"}},
       {3, 2},
       {2},
       [](W, X x) { return x.select(1, 2); }},
      {{{"type", "lstm"}, {"hidden", 2}},
       {3, 2},
       {2},
       [](W w, X x) { return lstm_states(w, "", x).select(1, 2); }},
      {{{"type", "lstm"}, {"hidden", 2}, {"layers", 2}, {"output", "all"}},
       {3, 1},
       {3, 2},
       [](W w, X x) {
         return lstm_states(w, "_l1", lstm_states(w, "_l0", x));
       }},
      {{{"type", "gru"}, {"hidden", 2}},
       {3, 2},
       {2},
       [](W w, X x) { return gru_states(w, x).select(1, 2); }},
      {{{"type", "gru"}, {"hidden", 2}, {"layers", 2}, {"output", "all"}},
       {3, 1},
       {3, 2},
       gru_states},
      {{{"type", "rnn"}, {"hidden", 2}},
       {3, 2},
       {2},
       [](W w, X x) { return rnn_states(w, x).select(1, 2); }},
      {{{"type", "rnn"}, {"hidden", 2}, {"layers", 2}, {"output", "all"}},
       {3, 1},
       {3, 2},
       rnn_states},
  };
}

}  // namespace nestgrad
