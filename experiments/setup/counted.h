#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/problem.h"
#include "core/storage/archive.h"
#include "core/tensor/replay.h"

namespace nestgrad {

/// A problem that counts the evaluations of its losses, once per particle; a
/// gradient of its own counts as a training loss. The counts measure the cost
/// of a method independently of the machine.
class Counted : public ProblemDecorator {
 public:
  explicit Counted(std::shared_ptr<const BilevelProblem> problem)
      : ProblemDecorator(std::move(problem)),
        counts_(std::make_shared<Counts>()) {}

  /// Adds to the counts of `other`.
  Counted(std::shared_ptr<const BilevelProblem> problem, const Counted& other)
      : ProblemDecorator(std::move(problem)), counts_(other.counts_) {}

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    count(counts_->train, draw);
    return ProblemDecorator::train_loss(weights, hyper, draw);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    count(counts_->valid, draw);
    return ProblemDecorator::valid_loss(weights, hyper, draw);
  }

  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override {
    count(counts_->train, draw);
    return ProblemDecorator::train_gradient(weights, hyper, draw);
  }
  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }

  /// Resets both counts.
  void start_again() const { counts_->train = counts_->valid = 0; }

  void persist(Archive& archive) {
    std::int64_t train = train_losses(), valid = valid_losses();
    archive("train_losses", train);
    archive("valid_losses", valid);
    counts_->train = train;
    counts_->valid = valid;
  }

  /// Adds what other ranks have evaluated.
  void add(std::int64_t train, std::int64_t valid) const {
    counts_->train += train;
    counts_->valid += valid;
  }

  std::int64_t train_losses() const { return counts_->train; }
  std::int64_t valid_losses() const { return counts_->valid; }

 private:
  struct Counts {
    std::atomic<std::int64_t> train{0}, valid{0};
  };

  static void count(std::atomic<std::int64_t>& losses, const Draw& draw) {
    each_time([&losses, n = std::max<std::int64_t>(1, draw.particles)] {
      losses += n;
    });
  }

  std::shared_ptr<Counts> counts_;
};

}  // namespace nestgrad
