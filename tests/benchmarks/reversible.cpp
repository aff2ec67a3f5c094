#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "benchmark.h"
#include "core/nn/layer.h"
#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kTime = 400, kSequences = 32, kTokenSize = 32,
                       kHidden = 128;
constexpr double kMaxForget = 0.875;

/// The derivative of the mean square of the last state by the weights.
Run library_backwards(std::shared_ptr<const Layer> layer,
                      const ParameterSet& weights, const Tensor& x) {
  return [=] {
    const ParameterSet w = weights.leaves();
    const Tensor y = layer->apply(SharedWeights(w), x, Pass());
    return gradient(y.square().mean(), w).flatten();
  };
}

/// The same equations on a tape, without rounding.
Run by_hand_backwards(const ParameterSet& weights, const Tensor& x) {
  return [=] {
    const std::vector<Tensor> w = weights.leaves().tensors();
    std::vector<Tensor> h(2, at::zeros({x.size(0), kHidden / 2}, x.options()));
    for (const Tensor& now : x.unbind(1)) {
      for (std::size_t k = 0; k < 2; ++k) {
        const std::size_t first = 4 * k;
        const Tensor& other = h[1 - k];
        const auto read = at::linear(now, w[first], w[first + 1]).chunk(3, -1);
        const auto gates = at::linear(other, w[first + 2]).chunk(2, -1);
        const Tensor z =
            kMaxForget * (read[0] + gates[0]).sigmoid() + (1 - kMaxForget);
        const Tensor r = (read[1] + gates[1]).sigmoid();
        const Tensor n = (read[2] + at::linear(r * other, w[first + 3])).tanh();
        h[k] = z * h[k] + (1 - z) * n;
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

}  // namespace nestgrad
