#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <utility>
#include <vector>

#include "core/nn/weight_forms.h"
#include "tests/support/invertible_cases.h"
#include "tests/support/layer_case.h"
#include "tests/support/reversible_cases.h"
#include "tests/support/sequence_cases.h"

namespace nestgrad {

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

/// Every pixel of x adds a multiple of the kernels, as PyTorch has them, to the
/// output; `shape` of it is kept, from `padding` on.
inline Tensor spread_out(const ParameterSet& w, const Tensor& x,
                         std::int64_t stride, std::int64_t padding,
                         const Shape& shape) {
  const Tensor kernels = w.at("weight").flip({2, 3});
  const std::int64_t side = kernels.size(2);
  // More than enough pixels.
  std::vector<std::int64_t> sizes = {x.size(0), shape[0],
                                     x.size(2) * stride + side + stride,
                                     x.size(3) * stride + side + stride};
  const Tensor y = at::zeros(sizes, x.options());
  for (std::int64_t i = 0; i < x.size(2); ++i) {
    for (std::int64_t j = 0; j < x.size(3); ++j) {
      y.narrow(2, i * stride, side)
          .narrow(3, j * stride, side)
          .add_(at::einsum("nc,ockl->nokl",
                           {x.select(3, j).select(2, i), kernels}));
    }
  }
  return y.narrow(2, padding, shape[1]).narrow(3, padding, shape[2]);
}

/// The windows are the last two dimensions of the result.
inline Tensor windows(const Tensor& x, int kernel, int stride) {
  return x.unfold(2, kernel, stride).unfold(3, kernel, stride);
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
      {{{"type", "silu"}},
       {4},
       {4},
       [](W, X x) { return x / (1 + (-x).exp()); }},
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
      {{{"type", "conv_transpose2d"}, {"out", 3}},
       {2, 2, 3},
       {3, 4, 5},
       [](W w, X x) {
         return spread_out(w, x, 1, 0, {3, 4, 5}) +
                w.at("bias").view({-1, 1, 1});
       }},
      {{{"type", "conv_transpose2d"},
        {"out", 2},
        {"kernel", 2},
        {"stride", 3},
        {"padding", 2},
        {"output_padding", 1},
        {"bias", false}},
       {1, 3, 2},
       {2, 5, 2},
       [](W w, X x) {
         return spread_out(w, x, 3, 2, {2, 5, 2});
       }},
      {{{"type", "residual"},
        {"layers",
         {{{"type", "conv2d"}, {"out", 3}, {"stride", 2}, {"padding", 1}}}}},
       {2, 4, 4},
       {3, 2, 2},
       [](W w, X x) {
         const Tensor corners = x.slice(2, 0, 4, 2).slice(3, 0, 4, 2);
         return convolution(w.subset("0."), x, 3, 2, 1, 2) +
                w.at("0.bias").view({-1, 1, 1}) +
                at::einsum("ncij,oc->noij",
                           {corners, w.at("skip.0.weight").flatten(1)});
       }},
      {{{"type", "max_pool2d"}, {"padding", 1}},
       {1, 2, 3},
       {1, 2, 2},
       [](W, X x) {
         const Tensor around = at::constant_pad_nd(x, {1, 1, 1, 1}, -INFINITY);
         return windows(around, 2, 2).amax({-1, -2});
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
      {{{"type", "reshape"}, {"shape", {3, 2}}},
       {2, 1, 3},
       {3, 2},
       [](W, X x) {
         return x.view({-1, 3, 2});
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
      {{{"type", "mask"}, {"share", 0.9}, {"least", 0.1}},
       {40, 2, 3},
       {40, 2, 3},
       [](W w, X x) {
         return at::where(w.at("kept").view({40, 1, 1}) > 0.5, x,
                          at::zeros_like(x));
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
      {{{"type", "rms_norm"}},
       {2, 3},
       {2, 3},
       [](W w, X x) {
         const Tensor square = x.square().sum(2, true) / 3;
         return w.at("weight") * x / (square + 1e-5).sqrt();
       }},
      {{{"type", "lora"}, {"out", 2}, {"rank", 3}, {"alpha", 6}, {"seed", 5}},
       {4},
       {2},
       low_rank_updated},
      {{{"type", "chain"},
        {"layers", {{{"type", "linear"}, {"out", 4}}, "tanh"}}},
       {3},
       {4},
       [](W w, X x) {
         return (at::matmul(x, w.at("0.weight").t()) + w.at("0.bias")).tanh();
       }},
      {{{"type", "residual"},
        {"layers", {{{"type", "linear"}, {"out", 3}}, "tanh"}}},
       {2, 3},
       {2, 3},
       [](W w, X x) {
         return x +
                (at::matmul(x, w.at("0.weight").t()) + w.at("0.bias")).tanh();
       }},
  };
}

/// Layers that change their input only in training.
inline std::vector<LayerCase> training_cases() {
  const auto same = [](const ParameterSet&, const Tensor& x) { return x; };
  std::vector<LayerCase> cases;
  for (const char* type :
       {"noise", "random_scale", "random_shift", "activation_penalty"}) {
    cases.push_back({{{"type", type}}, {4}, {4}, same});
  }
  for (const char* type :
       {"brightness", "contrast", "translation", "flip", "rotation", "zoom"}) {
    cases.push_back({{{"type", type}}, {2, 3, 4}, {2, 3, 4}, same});
  }
  for (const char* type : {"saturation", "hue"}) {
    cases.push_back({{{"type", type}}, {3, 2, 2}, {3, 2, 2}, same});
  }
  cases.push_back(
      {{{"type", "cutout"}, {"length", 2}}, {2, 4, 3}, {2, 4, 3}, same});
  cases.push_back({{{"type", "one_of"}, {"layers", {"flip", "contrast"}}},
                   {2, 4, 3},
                   {2, 4, 3},
                   same});
  cases.push_back({{{"type", "slowness_penalty"}}, {3, 2}, {3, 2}, same});
  return cases;
}

/// At least one case for every registered layer.
inline std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> cases = activation_cases();
  for (LayerCase& c : image_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : vector_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : sequence_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : invertible_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : reversible_cases()) cases.push_back(std::move(c));
  for (LayerCase& c : training_cases()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace nestgrad
