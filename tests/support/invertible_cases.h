#pragma once

#include <cmath>
#include <vector>

#include "tests/support/layer_case.h"

namespace nestgrad {

/// W x + b of the layer at position `i` of a chain.
inline Tensor linear_of_chain(const ParameterSet& w, int i, const Tensor& x) {
  const std::string name = std::to_string(i) + ".";
  return at::matmul(x, w.at(name + "weight").t()) + w.at(name + "bias");
}

/// W min(1, c / bound) x + b, with the bound trace((W'W)^64)^(1/128) of the
/// largest singular value of W.
inline Tensor shrunk_linear(const ParameterSet& w, int i, double c,
                            const Tensor& x) {
  const std::string name = std::to_string(i) + ".";
  const Tensor& weight = w.at(name + "weight");
  Tensor power = at::matmul(weight.t(), weight);
  for (int k = 0; k < 6; ++k) power = at::matmul(power, power);
  const Tensor bound = power.diagonal().sum().pow(1. / 128);
  return at::matmul(x, weight.t()) * (c / bound).clamp_max(1) +
         w.at(name + "bias");
}

/// Layers that can be undone.
inline std::vector<LayerCase> invertible_cases() {
  const Json hidden = {{{"type", "linear"}, {"out", 3}}, "tanh"};
  const Json additive = {{"type", "additive_coupling"}, {"layers", hidden}};
  const auto added = [](const ParameterSet& w, const Tensor& x) {
    const Tensor a = x.narrow(1, 0, 2), b = x.narrow(1, 2, 2);
    return at::cat(
        {a, b + linear_of_chain(w, 2, linear_of_chain(w, 0, a).tanh())}, 1);
  };
  std::vector<LayerCase> cases = {
      {additive, {4}, {4}, added},
      {{{"type", "affine_coupling"},
        {"layers", hidden},
        {"keep", "second"},
        {"least_scale", 0.2}},
       {3},
       {3},
       [](const ParameterSet& w, const Tensor& x) {
         const Tensor a = x.narrow(1, 0, 1), b = x.narrow(1, 1, 2);
         const Tensor change =
             linear_of_chain(w, 2, linear_of_chain(w, 0, b).tanh());
         const Tensor s = 0.2 + 0.8 / (1 + (-2 - change.narrow(1, 0, 1)).exp());
         return at::cat({s * a + change.narrow(1, 1, 1), b}, 1);
       }},
      {{{"type", "affine_coupling"}},
       {3, 2, 2},
       {3, 2, 2},
       [](const ParameterSet& w, const Tensor& x) {
         const Tensor a = x.narrow(1, 0, 1), b = x.narrow(1, 1, 2);
         const Tensor patches = at::im2col(a, {3, 3}, {1, 1}, {1, 1}, {1, 1});
         const Tensor change = at::matmul(w.at("0.weight").flatten(1), patches)
                                   .unflatten(2, {2, 2}) +
                               w.at("0.bias").view({-1, 1, 1});
         const Tensor s = 1 / (1 + (-2 - change.narrow(1, 0, 2)).exp());
         return at::cat({a, s * b + change.narrow(1, 2, 2)}, 1);
       }},
      {{{"type", "invertible_residual"}, {"hidden", {4}}},
       {3},
       {3},
       [](const ParameterSet& w, const Tensor& x) {
         const double c = std::sqrt(0.9);
         return x + shrunk_linear(w, 1, c, shrunk_linear(w, 0, c, x).tanh());
       }}};
  for (const bool saving : {false, true}) {
    cases.push_back({{{"type", "invertible"},
                      {"layers", {additive}},
                      {"memory_saving", saving}},
                     {4},
                     {4},
                     [added](const ParameterSet& w, const Tensor& x) {
                       ParameterSet own;
                       for (const char* name :
                            {"0.weight", "0.bias", "2.weight", "2.bias"}) {
                         own.insert(name, w.at(std::string("0.") + name));
                       }
                       return added(own, x);
                     }});
  }
  return cases;
}

}  // namespace nestgrad
