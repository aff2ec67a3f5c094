#pragma once

#include <memory>
#include <vector>

#include "core/dataset.h"
#include "core/nn/model.h"
#include "experiments/problems/sampled/short_training.h"

namespace nestgrad {

/// A network that takes noise away from vectors x_t = alpha_t x + sigma_t e,
/// where x is an example and e standard normal, at times t from 0 (the example)
/// to 1 (noise alone):
///
///   alpha_t = cos(pi t / 2),   sigma_t = sin(pi t / 2)
///
/// It predicts the velocity v = alpha_t e - sigma_t x (Salimans and Ho 2022,
/// "Progressive distillation for fast sampling of diffusion models"), from
/// which both follow at every t:
///
///   x = alpha_t x_t - sigma_t v,   e = sigma_t x_t + alpha_t v
class Denoiser {
 public:
  /// For vectors of this size. `model`: a section of a model.
  Denoiser(const Config& model, std::int64_t size,
           const at::TensorOptions& options);

  ParameterSet initial_weights(const Key& key) const;

  /// x_t with noise e.
  static Tensor noisy(const Tensor& x, const Tensor& e, double t);

  /// A step of the deterministic sampler, from x_t to time s < t (Song, Meng
  /// and Ermon 2021, "Denoising diffusion implicit models"):
  ///
  ///   x_s = alpha_s x + sigma_s e   with the predicted x and e.
  ///
  /// x_t: [n, size]; on the tape of the weights and of x_t.
  Tensor step(const ParameterSet& weights, const Tensor& x_t, double t,
              double s) const;

  /// The mean of |v - predicted v|^2 / size over examples [n, size], each with
  /// a time and noise of its own.
  Tensor loss(const ParameterSet& weights, const Tensor& examples,
              const Key& key) const;

  /// Weights trained on the examples, `batch` of them at a time.
  ParameterSet trained_on(const Dataset& examples, std::int64_t batch,
                          const ShortTraining& training, const Key& key) const;

 private:
  /// The predicted v for times t, [n, 1].
  Tensor velocity(const ParameterSet& weights, const Tensor& x_t,
                  const Tensor& t) const;

  std::int64_t size_;
  at::TensorOptions options_;
  std::unique_ptr<const Model> model_;
};

}  // namespace nestgrad
