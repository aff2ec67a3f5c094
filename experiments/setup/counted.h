#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "core/problem.h"
#include "core/storage/archive.h"
#include "core/tensor/replay.h"

namespace nestgrad {

/// A problem that counts the evaluations of its losses, once per particle; a
/// gradient of its own counts as a training loss. The counts measure the cost
/// of a method independently of the machine.
class Counted : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    each_time([this, n = losses(draw)] { train_losses_ += n; });
    return ProblemDecorator::train_loss(weights, hyper, draw);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    each_time([this, n = losses(draw)] { valid_losses_ += n; });
    return ProblemDecorator::valid_loss(weights, hyper, draw);
  }

  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override {
    each_time([this, n = losses(draw)] { train_losses_ += n; });
    return ProblemDecorator::train_gradient(weights, hyper, draw);
  }
  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }

  /// Resets both counts.
  void start_again() const { train_losses_ = valid_losses_ = 0; }

  void persist(Archive& archive) {
    std::int64_t train = train_losses_, valid = valid_losses_;
    archive("train_losses", train);
    archive("valid_losses", valid);
    train_losses_ = train;
    valid_losses_ = valid;
  }

  /// Adds what other ranks have evaluated.
  void add(std::int64_t train, std::int64_t valid) const {
    train_losses_ += train;
    valid_losses_ += valid;
  }

  std::int64_t train_losses() const { return train_losses_; }
  std::int64_t valid_losses() const { return valid_losses_; }

 private:
  static std::int64_t losses(const Draw& draw) {
    return std::max<std::int64_t>(1, draw.particles);
  }

  mutable std::atomic<std::int64_t> train_losses_{0};
  mutable std::atomic<std::int64_t> valid_losses_{0};
};

}  // namespace nestgrad
