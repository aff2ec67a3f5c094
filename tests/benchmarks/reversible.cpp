#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "benchmark.h"
#include "core/nn/layer.h"
#include "core/nn/layers/reversible/reversible_state.h"
#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kTime = 400, kSequences = 32, kTokenSize = 32,
                       kHidden = 128;

/// The derivative of the mean square of the last state by the weights.
Run library_backwards(std::shared_ptr<const Layer> layer,
                      const ParameterSet& weights, const Tensor& x) {
  return [=] {
    const ParameterSet w = weights.leaves();
    const Tensor y = layer->apply(SharedWeights(w), x, Pass());
    return gradient(y.square().mean(), w).flatten();
  };
}

/// What becomes of half k of the state: z h[k] + add.
struct GruChange {
  Tensor z, add;
};

GruChange change(std::size_t k, const std::vector<Tensor>& w, const Tensor& x,
                 const std::vector<Tensor>& h, double max_forget) {
  const std::size_t first = 4 * k;
  const Tensor& other = h[1 - k];
  const auto read = at::linear(x, w[first], w[first + 1]).chunk(3, -1);
  const auto gates = at::linear(other, w[first + 2]).chunk(2, -1);
  const Tensor z =
      max_forget * (read[0] + gates[0]).sigmoid() + (1 - max_forget);
  const Tensor r = (read[1] + gates[1]).sigmoid();
  const Tensor n = (read[2] + at::linear(r * other, w[first + 3])).tanh();
  return {z, (1 - z) * n};
}

/// The same equations on a tape, without rounding.
Run by_hand_backwards(const ParameterSet& weights, const Tensor& x) {
  return [=] {
    const std::vector<Tensor> w = weights.leaves().tensors();
    std::vector<Tensor> h(2, at::zeros({x.size(0), kHidden / 2}, x.options()));
    for (const Tensor& now : x.unbind(1)) {
      for (std::size_t k = 0; k < 2; ++k) {
        const GruChange by = change(k, w, now, h, 0.875);
        h[k] = by.z * h[k] + by.add;
      }
    }
    const Tensor loss = at::cat(h, -1).square().mean();
    std::vector<Tensor> out;
    for (const Tensor& g : torch::autograd::grad({loss}, w)) {
      out.push_back(g.flatten());
    }
    return at::cat(out);
  };
}

Contest recurrent_contest(const Place& place) {
  const std::shared_ptr<const Layer> layer = LayerRegistry::instance().make(
      Json{{"type", "rev_gru"}, {"hidden", kHidden}}, {kTime, kTokenSize});
  const ParameterSet weights = layer->initial_weights(Key(1)).to(place.options);
  const Tensor x =
      Key(2).normal(at::empty({kSequences, kTime, kTokenSize}, place.options));
  return {library_backwards(layer, weights, x), by_hand_backwards(weights, x)};
}

}  // namespace

std::vector<Workload> reversible_workloads() {
  return {{"W7", 5, 1, recurrent_contest}};
}

void measure_forgotten_bits() {
  constexpr std::int64_t kRuns = 4, kUnits = 64, kSteps = 200, kInputs = 16;
  const at::NoGradGuard no_tape;
  const auto layer = LayerRegistry::instance().make(
      Json{{"type", "rev_gru"}, {"hidden", kUnits}}, {kSteps, kInputs});
  // U(+-1/sqrt(inputs)) for each matrix.
  std::vector<Tensor> w = layer->initial_weights(Key(1)).tensors();
  for (const std::size_t of_input : {0, 4}) {
    w[of_input] = w[of_input] * std::sqrt(kUnits / 2. / kInputs);
  }
  const Tensor x = Key(2).normal(at::empty({kRuns, kSteps, kInputs}));
  fmt::print(
      "| max_forget | most | forgotten | stored |\n| --- | --- | --- | --- "
      "|\n");
  for (const double max_forget : {0.5, 0.75, 0.875, 0.96875, 1.}) {
    const std::vector<std::int64_t> sizes = {kRuns, kUnits / 2};
    ReversibleState exact[] = {{sizes, x.options()}, {sizes, x.options()}};
    std::vector<Tensor> h(2, at::zeros(sizes));
    double forgotten = 0;
    for (const Tensor& now : x.unbind(1)) {
      for (std::size_t k = 0; k < 2; ++k) {
        const GruChange by = change(k, w, now, h, max_forget);
        const Tensor keep = ReversibleState::nearest_factor(by.z);
        exact[k].update(keep, by.add);
        h[k] = exact[k].values();
        forgotten -= keep.log2().sum().item<double>();
      }
    }
    const auto numbers = static_cast<double>(kRuns * kUnits * kSteps);
    fmt::print(
        "| {:g} | {} | {:.3f} | {:.3f} |\n", max_forget,
        max_forget < 1 ? fmt::format("{:g}", -std::log2(1 - max_forget)) : "10",
        forgotten / numbers, (exact[0].bits() + exact[1].bits()) / numbers);
  }
}

}  // namespace nestgrad
