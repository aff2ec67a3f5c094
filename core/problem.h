#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/dataset.h"
#include "core/draw.h"
#include "core/hyperparameter.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// Numbers for users, by name.
using Metrics = std::map<std::string, double>;

/// The number of examples that each loss uses.
struct BatchSizes {
  std::int64_t train = 0;
  std::int64_t valid = 0;
};

/// What a problem can do beyond being evaluated for one set of weights. Who
/// needs an ability asks for it before; a problem that lacks it is used in
/// another way or refused with a sentence.
struct ProblemAbilities {
  /// Both losses and natural() take Draw::particles into account. Without it,
  /// particles are evaluated one after another.
  bool particles = false;

  /// Both losses take Draw::response into account, and are then means over
  /// these numbers of examples. Zero: all examples of a minibatch have the same
  /// weights and hyperparameters.
  BatchSizes responding_examples = {};

  /// The gradient of the training loss by the weights can be differentiated.
  bool second_derivatives = true;

  /// The training loss is a number whose derivative is its gradient. False for
  /// a problem that defines the gradient alone, as a map from one state to the
  /// next.
  bool train_loss_has_values = true;

  /// outputs() and output_loss() are overridden.
  bool outputs = false;

  /// The loss of an example is curved in the outputs of the model. False for
  /// absolute differences, whose second derivative is zero: a Hessian then
  /// shows the curvature of penalties and of the model alone.
  bool curved = true;

  /// A network rounds what its losses follow from, and rounding counts as the
  /// identity for derivatives (see Layer::rounds()). So central differences of
  /// the losses are no reference for them.
  bool rounds = false;

  /// The two sets are players of a game: weights descend train_loss, and
  /// hyperparameters descend valid_loss by its derivative at constant weights.
  /// False for a problem whose hyperparameters act through training alone.
  bool game = false;

  /// Both losses take Draw::groups into account, and so does train_gradient.
  /// Only with `particles`.
  bool groups = false;

  /// train_gradient() differentiates nothing by autograd: it is a formula.
  /// Operators off the tape then need no preparation for one; see OffTape.
  bool gradient_by_formula = false;

  /// Both losses take Draw::part into account, and outputs() and output_loss()
  /// if there are any. They are then means over these numbers of examples, each
  /// evaluated by itself, plus terms that do not depend on the examples.
  BatchSizes divisible_examples = {};
};

/// A bilevel problem: find hyperparameters h that minimise
///
///   valid_loss(w*(h), h)   where   w*(h) minimises   train_loss(w, h).
///
/// This is the interface that users of the framework implement. All functions
/// are pure: the result depends only on the arguments, and they may be called
/// in any order, any number of times, from several threads.
///
/// Losses are scalar tensors on the tape of every set that they are given: they
/// must not detach w or h, nor update them in place. Implicit and unrolled
/// methods need a twice differentiable train_loss. One exception: a loss may
/// hold constant what it computes from w for a further estimate of the same
/// expectation, as the problem "diffusion" does with samples that it noises
/// anew. Its derivative is then no longer that of its values.
class BilevelProblem {
 public:
  static constexpr const char* kKind = "problems";

  virtual ~BilevelProblem() = default;

  /// The hyperparameters that the losses read, in their own units.
  virtual std::vector<Hyperparameter> hyperparameters() const = 0;

  /// The start of training. If it depends on `hyper` (a learned
  /// initialisation), it is on its tape.
  virtual ParameterSet initial_weights(const ParameterSet& hyper,
                                       const Key& key) const = 0;

  virtual Tensor train_loss(const ParameterSet& weights,
                            const ParameterSet& hyper,
                            const Draw& draw) const = 0;

  virtual Tensor valid_loss(const ParameterSet& weights,
                            const ParameterSet& hyper,
                            const Draw& draw) const = 0;

  // The following functions have defaults that suit most problems.

  /// The start of `hyper`. Default: every required hyperparameter at its own
  /// default.
  virtual ParameterSet initial_hyper() const;

  /// The hyperparameters in their own units, e.g. exp of a logarithm.
  /// Estimators move and perturb `hyper` itself; settings of the training rule
  /// (a learning rate) read the result of natural().
  virtual ParameterSet natural(const ParameterSet& hyper) const {
    return hyper;
  }

  /// The weights that a model would be used with. They differ from `weights` if
  /// those have another form: one vector, or the weights of a hypernetwork.
  virtual ParameterSet deployed(const ParameterSet& weights,
                                const ParameterSet& hyper) const {
    (void)hyper;
    return weights;
  }

  /// The model's outputs for a batch, for methods that compare functions rather
  /// than weights. Called only if abilities().outputs.
  virtual Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                         const Draw& draw) const;

  /// The part of train_loss that depends on the weights only through
  /// outputs(weights, hyper, draw): a scalar on the tape of `outputs`. For
  /// methods that linearise the model but not the loss (Gauss-Newton). Called
  /// only if abilities().outputs.
  virtual Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                             const Draw& draw) const;

  /// Whether train_gradient() is overridden.
  virtual bool has_train_gradient() const { return false; }

  /// d train_loss / d weights by a formula of the problem's own: alike to
  /// `weights`, on the tape of every set that it is given. With particles, the
  /// gradient of each. For small problems, whose steps take less time than
  /// LibTorch's way back through a loss. Called only if has_train_gradient().
  virtual ParameterSet train_gradient(const ParameterSet& weights,
                                      const ParameterSet& hyper,
                                      const Draw& draw) const;

  /// The default: two plain losses, of which second derivatives exist.
  virtual ProblemAbilities abilities() const { return {}; }

  /// Metrics such as accuracy or test loss. Never differentiated. `weights` are
  /// deployed weights.
  virtual Metrics evaluate(const ParameterSet& weights,
                           const ParameterSet& hyper) const;

  /// The metric of evaluate() that tells a better result. Default: the
  /// validation loss.
  virtual std::string metric() const { return "valid_loss"; }

  /// Two metrics of evaluate() whose path through the plane is worth a picture.
  /// Default: none, both empty.
  virtual std::pair<std::string, std::string> plane() const { return {}; }

  /// For a problem whose hyperparameters are training examples: these examples,
  /// with inputs in the units of the data source. Default: none, both tensors
  /// undefined.
  virtual SoftExamples learned_examples(const ParameterSet& hyper) const;

  /// The reverse: the hyperparameters of this problem that stand for examples,
  /// from wherever they come. Default: throws Unsupported.
  virtual ParameterSet hyper_of(const SoftExamples& examples) const;

  /// For a problem that makes examples, from noise for instance: `count` of
  /// them, the same ones at every call with the same `hyper`, [count, shape of
  /// an example...], in the units of the data source. Default: undefined.
  virtual Tensor samples(const ParameterSet& hyper, std::int64_t count) const;

  // For a problem that learns from examples and is judged by others. `part` is
  // "train", "valid" or "test".

  /// How many examples a part has. Default: none.
  virtual std::int64_t example_count(const std::string& part) const {
    (void)part;
    return 0;
  }

  /// Those in the rows `rows` of a part, int64; undefined: all.
  virtual KnownExamples examples(const std::string& part,
                                 const Tensor& rows) const;

  /// The losses of examples, each by itself: of those in the rows `rows`,
  /// without noise or penalties, [rows]. `weights` are deployed weights; the
  /// result is on the tapes of both sets.
  virtual Tensor example_losses(const std::string& part, const Tensor& rows,
                                const ParameterSet& weights,
                                const ParameterSet& hyper) const;

  /// The hyperparameter that has a factor for the loss of each training
  /// example, 1 for examples that count as they are; "" if there is none.
  virtual std::string example_weight() const { return ""; }

  /// What the hyperparameters lead to where that is more than one result: the
  /// metrics of each, under a name. May take as long as tuning. Default: none.
  virtual std::vector<std::pair<std::string, Metrics>> outcomes(
      const ParameterSet& hyper) const {
    (void)hyper;
    return {};
  }

  /// How the network of this problem is asked about new examples, in the form
  /// of SavedNetwork (experiments/problems), which reads it again without the
  /// problem and its data. Default: an empty object, there is no network.
  virtual Json network(const ParameterSet& hyper) const;

  /// Hyperparameters found in another way, by name, for comparison with the
  /// tuned ones. A hyperparameter that is left out has its initial value.
  /// Default: none.
  virtual std::vector<std::pair<std::string, ParameterSet>> baselines() const {
    return {};
  }
};

/// The tuned hyperparameters in their own units: natural(hyper) without
/// constants.
ParameterSet tuned(const BilevelProblem& problem, const ParameterSet& hyper);

/// The arguments from which every problem is made.
struct ProblemContext {
  at::TensorOptions options;  ///< floating-point type and device
  Key key;                    ///< for data sets, splits and batch orders

  /// The granularity that a configuration chooses for a hyperparameter
  /// ("per"), by the name of the hyperparameter. One that is not listed has the
  /// first that the problem offers.
  std::map<std::string, std::string> granularities = {};

  /// Networks compute in bfloat16, everything else in the type of `options`:
  /// make_model() in core/nn/bfloat16.h takes this flag.
  bool bfloat16 = false;

  /// That of one hyperparameter; "" for the first that the problem offers.
  std::string granularity_of(const std::string& name) const {
    const auto found = granularities.find(name);
    return found == granularities.end() ? "" : found->second;
  }
};

using ProblemRegistry = Registry<BilevelProblem, const ProblemContext&>;

/// The gradient of the training loss by the weights, with particles that of
/// each: the problem's own, or the derivative of its train_loss. With Tape::kOn
/// it is on the tapes of `weights` and `hyper`.
ParameterSet train_gradient(const BilevelProblem& problem,
                            const ParameterSet& weights,
                            const ParameterSet& hyper, const Draw& draw,
                            Tape tape);

/// Throws Error if the training loss of a problem has no values. For methods
/// that need its derivative by the hyperparameters, or differences of its
/// values.
void require_values(const BilevelProblem& problem);

/// A problem seen in another form. Functions that a subclass does not override
/// forward to the wrapped problem, but for hyper_of(), whose result would have
/// another form. A subclass whose form takes an ability away
/// overrides abilities(). One that keeps the training loss may say that it
/// has_train_gradient() if the wrapped problem has; otherwise it has none.
class ProblemDecorator : public BilevelProblem {
 public:
  explicit ProblemDecorator(std::shared_ptr<const BilevelProblem> problem)
      : problem_(std::move(problem)) {}

  std::vector<Hyperparameter> hyperparameters() const override;
  ProblemAbilities abilities() const override { return problem_->abilities(); }
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key& key) const override;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override;
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override;
  ParameterSet initial_hyper() const override;
  ParameterSet natural(const ParameterSet& hyper) const override;
  ParameterSet deployed(const ParameterSet& weights,
                        const ParameterSet& hyper) const override;
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override;
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override;
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override;
  std::string metric() const override { return problem_->metric(); }
  std::pair<std::string, std::string> plane() const override {
    return problem_->plane();
  }
  SoftExamples learned_examples(const ParameterSet& hyper) const override;
  Tensor samples(const ParameterSet& hyper, std::int64_t count) const override;
  std::vector<std::pair<std::string, Metrics>> outcomes(
      const ParameterSet& hyper) const override {
    return problem_->outcomes(inner_hyper(hyper));
  }
  std::int64_t example_count(const std::string& part) const override {
    return problem_->example_count(part);
  }
  KnownExamples examples(const std::string& part,
                         const Tensor& rows) const override {
    return problem_->examples(part, rows);
  }
  Tensor example_losses(const std::string& part, const Tensor& rows,
                        const ParameterSet& weights,
                        const ParameterSet& hyper) const override {
    // Deployed weights already have the problem's own form.
    return problem_->example_losses(part, rows, weights, inner_hyper(hyper));
  }
  std::string example_weight() const override {
    return problem_->example_weight();
  }
  Json network(const ParameterSet& hyper) const override;
  std::vector<std::pair<std::string, ParameterSet>> baselines() const override {
    return problem_->baselines();
  }

 protected:
  const BilevelProblem& problem() const { return *problem_; }

  /// The two sets as the wrapped problem takes them.
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
