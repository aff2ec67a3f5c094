#pragma once

#include <memory>
#include <vector>

#include "core/distributed/world.h"
#include "core/problem.h"

namespace nestgrad {

/// A problem whose minibatches are divided into shares, which ranks evaluate.
/// What comes out is what the whole minibatch gives on one rank, up to the
/// order of sums: with n_s of the B examples in share s, which follow each
/// other,
///
///   loss = sum_s n_s / B loss of the examples of share s,
///
/// and so are derivatives of any order, by weights and by hyperparameters.
/// Estimators know nothing of it.
///
/// All functions that evaluate examples are collective, unless the draw says
/// that this rank evaluates by itself (Draw::on_this_rank); the bits are then
/// those of one rank. A training gradient is one exchange, and each derivative
/// of it another one.
class DataParallel : public ProblemDecorator {
 public:
  /// `shares`: so many in all, a power of two that the number of ranks divides;
  /// sums are then made pairwise, and every such number of ranks gets the same
  /// bits. 0: one share for each rank, and sums in the order of c10d.
  ///
  /// Throws Error if the problem cannot be divided, or has fewer examples in a
  /// minibatch than there are shares.
  DataParallel(std::shared_ptr<const BilevelProblem> problem,
               std::shared_ptr<World> world, std::int64_t shares = 0);

  /// Those of the problem, but for groups and a gradient by formula.
  ProblemAbilities abilities() const override;

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// The same as the derivative of train_loss(), without an exchange for its
  /// value.
  bool has_train_gradient() const override { return true; }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override;

  /// Those of the whole minibatch.
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override;
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override;

 private:
  using Loss = Tensor (BilevelProblem::*)(const ParameterSet&,
                                          const ParameterSet&,
                                          const Draw&) const;

  class Passage;

  /// The shares of a minibatch that this rank evaluates, and who sums.
  struct Work {
    std::shared_ptr<World> world;
    std::vector<BatchPart> parts;

    /// f(share, draw): what has been added to `passage`, to be taken, and the
    /// draw of the share.
    template <class F>
    void each_share(const Passage& passage, const Draw& draw, F&& f) const;
  };
  Work work(std::int64_t examples, const Draw& draw) const;

  Tensor together(Loss loss, std::int64_t examples, const ParameterSet& weights,
                  const ParameterSet& hyper, const Draw& draw) const;

  std::shared_ptr<World> world_;
  std::int64_t shares_;  // of a minibatch, on all ranks
  bool fixed_;           // the same for every number of ranks
  BatchSizes examples_;  // of whole minibatches
};

/// Whether so many shares, 1 or more, are a power of two that the number of
/// ranks divides.
bool can_share(std::int64_t shares, const World& world);

/// How much the training gradient of a few examples differs from the mean of
/// those of its two halves, relatively. More than rounding: the problem cannot
/// be divided, although it says so, because examples look at each other or have
/// other noise in a part of a minibatch.
double division_error(const BilevelProblem& problem,
                      const ParameterSet& weights, const ParameterSet& hyper);

}  // namespace nestgrad
