#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/dataset.h"
#include "core/draw.h"
#include "core/hyperparameter.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Numbers for people, by name.
using Metrics = std::map<std::string, double>;

/// How many examples the two losses look at.
struct BatchSizes {
  std::int64_t train = 0;
  std::int64_t valid = 0;
};

/// A bilevel problem: find hyperparameters h that minimise
///
///   valid_loss(w*(h), h)   where   w*(h) minimises   train_loss(w, h).
///
/// This is what a user of the framework writes. All functions are pure: what
/// they return depends on the arguments alone, and they may be called in any
/// order, any number of times, from several threads.
///
/// Losses are scalar tensors that are on the tape of every set they are given:
/// they must not detach w or h, nor update either in place. To support implicit
/// and unrolled methods, train_loss must be twice differentiable.
class BilevelProblem {
 public:
  static constexpr const char* kKind = "problems";

  virtual ~BilevelProblem() = default;

  /// The hyperparameters that the losses read, in their own units.
  virtual std::vector<Hyperparameter> hyperparameters() const = 0;

  /// Where training starts. May depend on `hyper` (a learned initialisation),
  /// in which case it is on its tape.
  virtual ParameterSet initial_weights(const ParameterSet& hyper,
                                       const Key& key) const = 0;

  virtual Tensor train_loss(const ParameterSet& weights,
                            const ParameterSet& hyper,
                            const Draw& draw) const = 0;

  virtual Tensor valid_loss(const ParameterSet& weights,
                            const ParameterSet& hyper,
                            const Draw& draw) const = 0;

  // What follows has a default, and most problems leave it alone.

  /// Where `hyper` starts. The default: every required hyperparameter at its
  /// own default.
  virtual ParameterSet initial_hyper() const;

  /// The hyperparameters in their own units, e.g. exp of a logarithm.
  /// Estimators move and perturb `hyper` itself; settings of the training rule
  /// (a learning rate) are read from here.
  virtual ParameterSet natural(const ParameterSet& hyper) const {
    return hyper;
  }

  /// The weights that a model would be used with. Differs from `weights` when
  /// these are in another form: one vector, or those of a hypernetwork.
  virtual ParameterSet deployed(const ParameterSet& weights,
                                const ParameterSet& hyper) const {
    (void)hyper;
    return weights;
  }

  /// What the model says about a batch, for methods that compare functions
  /// rather than weights. The default throws Unsupported.
  virtual Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                         const Draw& draw) const;

  /// The part of train_loss that depends on the weights only through what
  /// outputs(weights, hyper, draw) gave, a scalar on the tape of `outputs`. For
  /// methods that linearise the model but not the loss (Gauss-Newton). The
  /// default throws Unsupported.
  virtual Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                             const Draw& draw) const;

  /// For a problem whose losses take a Draw::response into account, which are
  /// means over examples then, how many examples these are. The default: zero,
  /// the weights and the hyperparameters are those of the whole minibatch.
  virtual BatchSizes batch_sizes() const { return {}; }

  /// Whether both losses, and natural(), take Draw::particles into account. The
  /// default: no; particles are then evaluated one after another.
  virtual bool vectorizes() const { return false; }

  /// Whether what training does has derivatives: the gradient of the training
  /// loss is one by the weights whose own derivatives can be taken. The
  /// default: yes.
  virtual bool twice_differentiable() const { return true; }

  /// Numbers for people: accuracy, test loss. Never differentiated. `weights`
  /// are deployed ones.
  virtual Metrics evaluate(const ParameterSet& weights,
                           const ParameterSet& hyper) const;

  /// For a problem whose hyperparameters are training examples: these examples,
  /// inputs in the units of the data's source. The default: none, both tensors
  /// undefined.
  virtual SoftExamples learned_examples(const ParameterSet& hyper) const;

  /// Hyperparameters that were found in another way, by name, which those that
  /// are tuned should beat. What one of them leaves out is as at the start. The
  /// default: none.
  virtual std::vector<std::pair<std::string, ParameterSet>> baselines() const {
    return {};
  }
};

/// The hyperparameters that are tuned, in their own units: natural(hyper)
/// without its constants.
ParameterSet tuned(const BilevelProblem& problem, const ParameterSet& hyper);

/// What every problem is made with.
struct ProblemContext {
  at::TensorOptions options;  ///< floating-point type and device
  Key key;                    ///< for data sets, splits and batch orders
};

using ProblemRegistry = Registry<BilevelProblem, const ProblemContext&>;

/// A problem seen in another form: whatever a subclass does not override goes
/// to the problem itself.
class ProblemDecorator : public BilevelProblem {
 public:
  explicit ProblemDecorator(std::shared_ptr<const BilevelProblem> problem)
      : problem_(std::move(problem)) {}

  std::vector<Hyperparameter> hyperparameters() const override;
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  ParameterSet initial_hyper() const override;
  ParameterSet natural(const ParameterSet& hyper) const override;
  ParameterSet deployed(const ParameterSet& weights,
                        const ParameterSet& hyper) const override;
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override;
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override;
  BatchSizes batch_sizes() const override { return problem_->batch_sizes(); }
  bool twice_differentiable() const override {
    return problem_->twice_differentiable();
  }
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;
  SoftExamples learned_examples(const ParameterSet& hyper) const override;
  std::vector<std::pair<std::string, ParameterSet>> baselines() const override {
    return problem_->baselines();
  }

 protected:
  const BilevelProblem& problem() const { return *problem_; }

  /// The two sets as the problem itself takes them.
  virtual ParameterSet inner_weights(const ParameterSet& weights) const {
    return weights;
  }
  virtual ParameterSet inner_hyper(const ParameterSet& hyper) const {
    return hyper;
  }

 private:
  std::shared_ptr<const BilevelProblem> problem_;
};

}  // namespace nestgrad
