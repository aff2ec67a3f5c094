#pragma once

#include <memory>

#include "core/problem.h"
#include "hypergrad/self_tuning/response.h"

namespace nestgrad {

/// A problem whose weights answer its hyperparameters: what self-tuning
/// networks train. A subclass says on which loss.
///
/// Its weights are those of the problem at displacement zero ("base/...") and
/// the numbers of a response ("map/..."). Its hyperparameters are the n numbers
/// of the problem's and, under kDeviation, the standard deviations of the noise
/// that perturbs them, [n].
///
/// If `per_example`, and if the problem and the response allow it, each example
/// of a minibatch has its own perturbation; otherwise losses are means over
/// `draws` perturbations that all examples share.
class ResponseProblem : public ProblemDecorator {
 public:
  static constexpr const char* kDeviation = "stn/deviation";

  ResponseProblem(std::shared_ptr<const BilevelProblem> problem,
                  std::shared_ptr<const Response> response, std::int64_t draws,
                  bool per_example = true);

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  ParameterSet deployed(const ParameterSet& weights,
                        const ParameterSet& hyper) const override;

  /// The perturbed validation loss, with weights that answer hyperparameters
  /// around `centre`, [n].
  Tensor valid_loss_around(const Tensor& centre, const ParameterSet& weights,
                           const ParameterSet& hyper, const Draw& draw) const;

  /// The same with the centre at `hyper` itself, as a constant.
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;

  /// Those of the problem, without weights per example (it gives each example
  /// its own weights already) and without particles.
  ProblemAbilities abilities() const override;

  /// From now on perturbations follow `key`, too.
  void reseed(const Key& key) { noise_ = key; }

  /// Whether each example has its own perturbation.
  bool per_example() const { return sizes_.train > 0; }

 protected:
  /// The displacement that the response is given for `hyper`, [..., n].
  virtual Tensor displacement(const Tensor& hyper,
                              const Tensor& centre) const = 0;

  /// The hyperparameters without the deviation.
  ParameterSet inner_hyper(const ParameterSet& hyper) const override;

  /// Hyperparameters plus noise, one row for each example of a training
  /// minibatch or for each draw, [rows, n].
  Tensor perturbed(const ParameterSet& hyper, const Key& key) const {
    return with_noise(hyper, key, sizes_.train);
  }

  /// The training loss at weights base + shift(u), u = displacement: rows of
  /// `hyper` and of `u` belong to examples or draws. With `linear`, of the
  /// model's outputs to first order in u.
  Tensor train_loss_at(const ParameterSet& base, const ParameterSet& map,
                       const ParameterSet& layout, const Tensor& hyper,
                       const Tensor& u, const Draw& draw,
                       bool linear = false) const;

 private:
  using Loss = Tensor (BilevelProblem::*)(const ParameterSet&,
                                          const ParameterSet&,
                                          const Draw&) const;

  Tensor with_noise(const ParameterSet& hyper, const Key& key,
                    std::int64_t examples) const;
  Tensor loss_at(Loss loss, const ParameterSet& base, const ParameterSet& map,
                 const ParameterSet& layout, const Tensor& hyper,
                 const Tensor& u, Draw draw, bool first_order) const;

  std::shared_ptr<const Response> response_;
  std::int64_t draws_;
  BatchSizes sizes_;  // zero if examples share their perturbations
  Key noise_;
};

}  // namespace nestgrad
