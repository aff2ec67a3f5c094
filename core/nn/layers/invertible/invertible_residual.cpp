#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "core/nn/layers/initial.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// An upper bound of the largest singular value of each matrix W, [..., a, b]:
/// with A = W'W,
///
///   sigma(W)^2 = lambda_max(A) <= trace(A^m)^(1/m),   m = 64,
///
/// which is too large by a factor of at most n^(1/m). It is made of products,
/// so it can be differentiated any number of times.
Tensor spectral_bound(const Tensor& w) {
  constexpr int kSquarings = 6;  // m = 2^6
  Tensor a = w.size(-2) < w.size(-1) ? at::matmul(w, w.transpose(-2, -1))
                                     : at::matmul(w.transpose(-2, -1), w);
  // The power of A is exp(logarithm) a; a tiny number keeps zeros finite.
  Tensor logarithm;
  for (int i = 0; i < kSquarings; ++i) {
    const Tensor size = a.square().sum({-2, -1}).add(1e-30).sqrt();
    a = a / size.unsqueeze(-1).unsqueeze(-1);
    a = at::matmul(a, a);
    logarithm = (logarithm.defined() ? logarithm + size.log() : size.log()) * 2;
  }
  const Tensor trace = a.diagonal(0, -2, -1).sum(-1).add(1e-30);
  constexpr double kPower = 1 << kSquarings;
  return ((logarithm + trace.log()) / (2 * kPower)).exp();
}

/// y = x + g(x) with a perceptron g whose Lipschitz constant is at most c < 1
/// (Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen 2019, "Invertible residual
/// networks"). So the layer stretches by at most 1 + c and its inverse by at
/// most 1 / (1 - c). The inverse is the limit of x <- y - g(x), whose error
/// shrinks by c with each step.
///
/// Each of the L products of g has the weights W min(1, c^(1/L) / bound(W)),
/// with a bound of the largest singular value that is no estimate; activations
/// have slopes of at most 1.
class InvertibleResidual : public InvertibleLayer {
 public:
  InvertibleResidual(const Config& config, const Shape& input)
      : shape_(input),
        contraction_(config.number("contraction")),
        rectified_(config.text("activation") == "relu") {
    if (input.size() != 1) {
      refuse_input(config, "vectors (put a flatten layer before it)", input);
    }
    sizes_ = {input[0]};
    for (const std::int64_t size : config.integers("hidden")) {
      sizes_.push_back(size);
    }
    sizes_.push_back(input[0]);
  }

  static Schema schema() {
    return Schema(
               "Adds to vectors a perceptron of them that shrinks distances; "
               "can be undone.")
        .integers("hidden", Json{64}, "Sizes of the hidden layers.",
                  at_least(1))
        .number("contraction", 0.9,
                "The largest factor c by which the perceptron may change a "
                "distance.",
                Range{0, 1, true, true})
        .choice("activation", "tanh", "Of the hidden layers.",
                {"tanh", "relu"});
  }

  Shape output_shape() const override { return shape_; }

  ParameterSet initial_weights(const Key& key) const override {
    ParameterSet weights;
    for (std::size_t i = 0; i + 1 < sizes_.size(); ++i) {
      const double bound = 1 / std::sqrt(static_cast<double>(sizes_[i]));
      insert_uniform(weights, key, fmt::format("{}.weight", i),
                     {sizes_[i + 1], sizes_[i]}, bound);
      insert_uniform(weights, key, fmt::format("{}.bias", i), {sizes_[i + 1]},
                     bound);
    }
    return weights;
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass&) const override {
    return x + change(weights, factors(weights), x);
  }

  Tensor inverse(const Weights& weights, const Tensor& y,
                 const Pass&) const override {
    constexpr int kMost = 10000;
    const std::vector<Tensor> shrunk = factors(weights);
    Tensor x = y;
    for (int i = 0; i < kMost; ++i) {
      const Tensor next = y - change(weights, shrunk, x);
      const Tensor moved = (next - x).detach().abs().max();
      const Tensor size = next.detach().abs().max();
      x = next;
      const double precision = y.scalar_type() == at::kDouble ? 1e-15 : 1e-7;
      if (!(moved > precision * (1 + size)).item<bool>()) break;
    }
    return x;
  }

 private:
  std::size_t products() const { return sizes_.size() - 1; }

  /// By what the weights of each product are multiplied, [batch...].
  std::vector<Tensor> factors(const Weights& weights) const {
    const double each =
        std::pow(contraction_, 1 / static_cast<double>(products()));
    std::vector<Tensor> out;
    for (std::size_t i = 0; i < products(); ++i) {
      out.push_back(
          (each / spectral_bound(weights.tensor(2 * i))).clamp_max(1));
    }
    return out;
  }

  /// g(x).
  Tensor change(const Weights& weights, const std::vector<Tensor>& factors,
                const Tensor& x) const {
    Tensor h = x;
    for (std::size_t i = 0; i < products(); ++i) {
      if (i > 0) h = rectified_ ? h.relu() : h.tanh();
      h = weights.linear(h, 2 * i, kNone) * factors[i].unsqueeze(-1) +
          weights.tensor(2 * i + 1);
    }
    return h;
  }

  Shape shape_;
  double contraction_;
  bool rectified_;
  std::vector<std::int64_t> sizes_;
};

NESTGRAD_REGISTER(LayerRegistry, "invertible_residual", InvertibleResidual)

}  // namespace
}  // namespace nestgrad
