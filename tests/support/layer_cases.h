#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "tests/support/support.h"

namespace nestgrad {

/// A small layer, and its function written out by hand.
struct LayerCase {
  Json config;
  Shape input;
  Shape output;
  std::function<Tensor(const ParameterSet& weights, const Tensor& x)> expected;

  std::string type() const { return config["type"].get<std::string>(); }
  std::unique_ptr<Layer> make() const {
    return LayerRegistry::instance().make(config, input);
  }
};

/// The batch size of input_for().
constexpr std::int64_t kBatch = 3;

/// Float64 weights that differ from the initial ones, so that no factor is one
/// and no constant is zero.
inline ParameterSet weights_for(const LayerCase& c) {
  const ParameterSet fresh = c.make()->initial_weights(Key(1)).to(float64());
  return add(fresh, 0.3, Key(2).normal(fresh));
}

inline bool reads_tokens(const LayerCase& c) { return c.type() == "embedding"; }

inline Tensor input_for(const LayerCase& c) {
  Shape sizes = c.input;
  sizes.insert(sizes.begin(), kBatch);
  if (reads_tokens(c)) {
    return at::arange(9, float64().dtype(at::kLong)).remainder(4).view(sizes);
  }
  return Key(3).normal(at::empty(sizes, float64()));
}

/// (x - mean) / sqrt(variance + 1e-5) over `dimensions`.
inline Tensor standardized(const Tensor& x, at::IntArrayRef dimensions) {
  const Tensor centred = x - x.mean(dimensions, true);
  return centred / (centred.square().mean(dimensions, true) + 1e-5).sqrt();
}

/// weight x + bias for each channel of images.
inline Tensor per_channel(const ParameterSet& w, const Tensor& x) {
  return w.at("weight").view({-1, 1, 1}) * x + w.at("bias").view({-1, 1, 1});
}

/// Convolution as a product with a matrix of patches, for an output of
/// `side` x `side`.
inline Tensor convolution(const ParameterSet& w, const Tensor& x, int kernel,
                          int stride, int padding, int side) {
  const Tensor patches = at::im2col(x, {kernel, kernel}, {1, 1},
                                    {padding, padding}, {stride, stride});
  return at::matmul(w.at("weight").flatten(1), patches)
      .unflatten(2, {side, side});
}

/// The windows are the last two dimensions of the result.
inline Tensor windows(const Tensor& x, int kernel, int stride) {
  return x.unfold(2, kernel, stride).unfold(3, kernel, stride);
}

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

/// Causal attention with two heads, number by number.
inline Tensor attended(const ParameterSet& w, const Tensor& x) {
  const std::int64_t time = x.size(1), d = x.size(2) / 2;
  const Tensor in =
      at::matmul(x, w.at("in_weight").t()) + w.at("in_bias");  // q, k, v
  Tensor heads = at::zeros_like(x);
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    for (std::int64_t head = 0; head < 2; ++head) {
      const auto part = [&](std::int64_t which, std::int64_t t) {
        return in[n][t].narrow(0, which * 2 * d + head * d, d);
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

inline std::vector<LayerCase> activation_cases() {
  using W = const ParameterSet&;
  using X = const Tensor&;
  return {
      {{{"type", "relu"}}, {4}, {4}, [](W, X x) { return x * (x > 0); }},
      {{{"type", "tanh"}},
       {4},
       {4},
       [](W, X x) { return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()); }},
      {{{"type", "gelu"}},
       {4},
       {4},
       [](W, X x) { return 0.5 * x * (1 + at::erf(x / std::sqrt(2.0))); }},
      {{{"type", "sigmoid"}},
       {2, 3},
       {2, 3},
       [](W, X x) { return 1 / (1 + (-x).exp()); }},
      {{{"type", "softplus"}},
       {4},
       {4},
       [](W, X x) { return (1 + x.exp()).log(); }},
      {{{"type", "dropout"}, {"rate", 0.25}},
       {6},
       {6},
       [](W, X x) { return x; }},
  };
}

inline std::vector<LayerCase> image_cases() {
  using W = const ParameterSet&;
  using X = const Tensor&;
  return {
      {{{"type", "conv2d"}, {"out", 3}},
       {2, 4, 4},
       {3, 2, 2},
       [](W w, X x) {
         return convolution(w, x, 3, 1, 0, 2) + w.at("bias").view({-1, 1, 1});
       }},
      {{{"type", "conv2d"},
        {"out", 2},
        {"kernel", 2},
        {"stride", 2},
        {"padding", 1},
        {"bias", false}},
       {1, 3, 3},
       {2, 2, 2},
       [](W w, X x) { return convolution(w, x, 2, 2, 1, 2); }},
      {{{"type", "max_pool2d"}},
       {2, 4, 5},
       {2, 2, 2},
       [](W, X x) {
         return windows(x, 2, 2).amax({-1, -2});
       }},
      {{{"type", "max_pool2d"}, {"kernel", 3}, {"stride", 1}},
       {1, 4, 4},
       {1, 2, 2},
       [](W, X x) {
         return windows(x, 3, 1).amax({-1, -2});
       }},
      {{{"type", "avg_pool2d"}, {"kernel", 2}},
       {2, 4, 5},
       {2, 2, 2},
       [](W, X x) {
         return windows(x, 2, 2).mean({-1, -2});
       }},
      {{{"type", "avg_pool2d"}, {"kernel", 3}, {"stride", 2}},
       {1, 5, 3},
       {1, 2, 1},
       [](W, X x) {
         return windows(x, 3, 2).mean({-1, -2});
       }},
      {{{"type", "global_avg_pool2d"}},
       {3, 2, 2},
       {3},
       [](W, X x) { return x.flatten(2).mean(2); }},
      {{{"type", "flatten"}},
       {2, 2, 3},
       {12},
       [](W, X x) {
         return at::stack(
                    {x.select(1, 0).flatten(1), x.select(1, 1).flatten(1)}, 1)
             .flatten(1);
       }},
      {{{"type", "batch_norm"}},
       {2, 2, 3},
       {2, 2, 3},
       [](W w, X x) {
         return per_channel(w, standardized(x, {0, 2, 3}));
       }},
      {{{"type", "group_norm"}, {"groups", 2}},
       {4, 2, 1},
       {4, 2, 1},
       [](W w, X x) {
         return per_channel(w,
                            standardized(x.view({-1, 2, 4}), {2}).view_as(x));
       }},
      {{{"type", "instance_norm"}},
       {2, 2, 2},
       {2, 2, 2},
       [](W w, X x) {
         return per_channel(w, standardized(x, {2, 3}));
       }},
  };
}

inline std::vector<LayerCase> vector_cases() {
  using W = const ParameterSet&;
  using X = const Tensor&;
  return {
      {{{"type", "linear"}, {"out", 2}},
       {3},
       {2},
       [](W w, X x) {
         return at::matmul(x, w.at("weight").t()) + w.at("bias");
       }},
      {{{"type", "flipout"}, {"layer", {{"type", "linear"}, {"out", 2}}}},
       {3},
       {2},
       [](W w, X x) {
         return at::matmul(x, w.at("weight").t()) + w.at("bias");
       }},
      {{{"type", "mask"}, {"share", 0.7}},
       {4},
       {4},
       [](W, X x) {
         return x * at::tensor({1., 1., 0., 0.}, float64());
       }},
      {{{"type", "mask"}, {"share", 0.5}},
       {2, 3, 3},
       {2, 3, 3},
       [](W, X x) {
         return x * at::tensor({1., 0.}, float64()).view({2, 1, 1});
       }},
      {{{"type", "linear"}, {"out", 2}, {"bias", false}},
       {2, 3},
       {2, 2},
       [](W w, X x) { return at::matmul(x, w.at("weight").t()); }},
      {{{"type", "batch_norm"}},
       {3},
       {3},
       [](W w, X x) {
         return standardized(x, {0}) * w.at("weight") + w.at("bias");
       }},
      {{{"type", "group_norm"}, {"groups", 2}},
       {6},
       {6},
       [](W w, X x) {
         const Tensor y = standardized(x.view({-1, 2, 3}), {2}).view_as(x);
         return y * w.at("weight") + w.at("bias");
       }},
      {{{"type", "layer_norm"}},
       {2, 3},
       {2, 3},
       [](W w, X x) {
         return standardized(x, {2}) * w.at("weight") + w.at("bias");
       }},
      {{{"type", "embedding"}, {"vocabulary", 4}, {"dimension", 2}},
       {3},
       {3, 2},
       [](W w, X x) {
         return w.at("weight").index_select(0, x.flatten()).view({-1, 3, 2});
       }},
      {{{"type", "attention"}, {"heads", 2}, {"causal", true}},
       {3, 4},
       {3, 4},
       attended},
      {{{"type", "residual"},
        {"layers", {{{"type", "linear"}, {"out", 3}}, "tanh"}}},
       {2, 3},
       {2, 3},
       [](W w, X x) {
         return x +
                (at::matmul(x, w.at("0.weight").t()) + w.at("0.bias")).tanh();
       }},
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
  };
}

/// Layers that change their input only in training.
inline std::vector<LayerCase> training_cases() {
  const auto same = [](const ParameterSet&, const Tensor& x) { return x; };
  std::vector<LayerCase> cases;
  for (const char* type : {"noise", "random_scale", "activation_penalty"}) {
    cases.push_back({{{"type", type}}, {4}, {4}, same});
  }
  for (const char* type : {"brightness", "contrast", "translation"}) {
    cases.push_back({{{"type", type}}, {2, 3, 4}, {2, 3, 4}, same});
  }
  for (const char* type : {"saturation", "hue"}) {
    cases.push_back({{{"type", type}}, {3, 2, 2}, {3, 2, 2}, same});
  }
  cases.push_back(
      {{{"type", "cutout"}, {"length", 2}}, {2, 4, 3}, {2, 4, 3}, same});
  cases.push_back({{{"type", "slowness_penalty"}}, {3, 2}, {3, 2}, same});
  return cases;
}

/// At least one case for every registered layer.
inline std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> cases = activation_cases();
  for (LayerCase& c : image_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : vector_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : training_cases()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace nestgrad
