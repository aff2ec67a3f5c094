#pragma once

#include <vector>

#include "core/nn/weights.h"

namespace nestgrad {

/// One set of weights for the whole batch.
class SharedWeights final : public Weights {
 public:
  SharedWeights() = default;
  explicit SharedWeights(std::vector<Tensor> tensors)
      : tensors_(std::move(tensors)) {}
  explicit SharedWeights(const ParameterSet& weights)
      : SharedWeights(weights.tensors()) {}

  std::size_t size() const override { return tensors_.size(); }
  Tensor linear(const Tensor& x, std::size_t w, std::size_t b) const override;
  Tensor convolution(const Tensor& x, const ConvolutionOptions& options,
                     std::size_t w, std::size_t b) const override;
  Tensor lookup(const Tensor& tokens, std::size_t w) const override;
  Tensor tensor(std::size_t w) const override { return tensors_[w]; }
  Tensor like(std::size_t w) const override { return tensors_[w]; }

 private:
  Tensor bias(std::size_t b) const;

  std::vector<Tensor> tensors_;
};

/// One set of weights for each particle, the first axis of each tensor; see
/// core/particles.h.
class ParticleWeights final : public Weights {
 public:
  ParticleWeights(std::vector<Tensor> tensors, std::int64_t particles)
      : tensors_(std::move(tensors)), particles_(particles) {}
  ParticleWeights(const ParameterSet& weights, std::int64_t particles)
      : ParticleWeights(weights.tensors(), particles) {}

  std::size_t size() const override { return tensors_.size(); }
  std::int64_t particles() const override { return particles_; }
  Tensor linear(const Tensor& x, std::size_t w, std::size_t b) const override;
  Tensor convolution(const Tensor& x, const ConvolutionOptions& options,
                     std::size_t w, std::size_t b) const override;
  Tensor lookup(const Tensor& tokens, std::size_t w) const override;
  Tensor tensor(std::size_t w) const override;
  Tensor like(std::size_t w) const override;

 private:
  std::vector<Tensor> tensors_;
  std::int64_t particles_;
};

}  // namespace nestgrad
