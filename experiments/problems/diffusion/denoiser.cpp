#include "experiments/problems/diffusion/denoiser.h"

#include <ATen/ATen.h>

#include <cmath>

namespace nestgrad {
namespace {

constexpr double kQuarterTurn = 1.5707963267948966;

/// sin and cos of pi t / 2 times 1, 2, 4 and 8.
constexpr std::int64_t kTimeFeatures = 8;

Tensor time_features(const Tensor& t) {
  std::vector<Tensor> out;
  for (const double frequency : {1., 2., 4., 8.}) {
    const Tensor angle = kQuarterTurn * frequency * t;
    out.push_back(angle.sin());
    out.push_back(angle.cos());
  }
  return at::cat(out, -1);
}

}  // namespace

Denoiser::Denoiser(const Config& model, std::int64_t size,
                   const at::TensorOptions& options)
    : size_(size),
      options_(options),
      model_(ModelRegistry::instance().make(model, {size + kTimeFeatures},
                                            {size})) {}

ParameterSet Denoiser::initial_weights(const Key& key) const {
  return model_->initial_weights(key).to(options_);
}

Tensor Denoiser::noisy(const Tensor& x, const Tensor& e, double t) {
  return std::cos(kQuarterTurn * t) * x + std::sin(kQuarterTurn * t) * e;
}

Tensor Denoiser::step(const ParameterSet& weights, const Tensor& x_t, double t,
                      double s) const {
  const Tensor v =
      velocity(weights, x_t, at::full({x_t.size(0), 1}, t, options_));
  const double alpha = std::cos(kQuarterTurn * t),
               sigma = std::sin(kQuarterTurn * t);
  return noisy(alpha * x_t - sigma * v, sigma * x_t + alpha * v, s);
}

Tensor Denoiser::loss(const ParameterSet& weights, const Tensor& examples,
                      const Key& key) const {
  const Tensor t =
      key.fold("time").uniform(at::empty({examples.size(0), 1}, options_));
  const Tensor e = key.fold("noise").normal(examples);
  const Tensor alpha = (kQuarterTurn * t).cos(),
               sigma = (kQuarterTurn * t).sin();
  const Tensor v = alpha * e - sigma * examples;
  return (velocity(weights, alpha * examples + sigma * e, t) - v)
      .square()
      .mean();
}

ParameterSet Denoiser::trained_on(const Dataset& examples, std::int64_t batch,
                                  const ShortTraining& training,
                                  const Key& key) const {
  const BatchSchedule batches(examples.size(), batch, key.fold("batches"),
                              examples.rows_device());
  return trained(training, initial_weights(key),
                 [&](const ParameterSet& w, std::int64_t step) {
                   return loss(
                       w, examples.rows(batches.rows(step)).input,
                       key.fold("step").fold(static_cast<std::uint64_t>(step)));
                 });
}

Tensor Denoiser::velocity(const ParameterSet& weights, const Tensor& x_t,
                          const Tensor& t) const {
  return model_->forward(weights, at::cat({x_t, time_features(t)}, -1), Pass())
      .reshape({-1, size_});
}

}  // namespace nestgrad
