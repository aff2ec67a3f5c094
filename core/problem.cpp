#include "core/problem.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include "core/particles.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

/// A loss of a problem, or of each of many particles.
Tensor checked(Tensor loss, const char* name, const Draw& draw) {
  require(
      draw.particles > 0 || loss.numel() == 1,
      "the {} loss must be one number (a scalar tensor, such as a mean over "
      "examples), it has the shape [{}]",
      name, fmt::join(loss.sizes(), ", "));
  return loss;
}

}  // namespace

ParameterSet BilevelProblem::initial_hyper() const {
  ParameterSet hyper;
  for (const Hyperparameter& h : hyperparameters()) {
    if (h.optional) continue;
    require(h.initial.defined(), "the hyperparameter '{}' has no default",
            h.name);
    hyper.insert(h.name, h.initial);
  }
  return hyper;
}

Tensor BilevelProblem::outputs(const ParameterSet&, const ParameterSet&,
                               const Draw&) const {
  throw Unsupported(
      "this problem does not define the outputs of its model (outputs)");
}

Tensor BilevelProblem::output_loss(const Tensor&, const ParameterSet&,
                                   const Draw&) const {
  throw Unsupported(
      "this problem does not define a loss of its outputs (output_loss)");
}

ParameterSet BilevelProblem::train_gradient(const ParameterSet&,
                                            const ParameterSet&,
                                            const Draw&) const {
  throw Unsupported(
      "this problem does not define the gradient of its training loss "
      "(train_gradient)");
}

Metrics BilevelProblem::evaluate(const ParameterSet&,
                                 const ParameterSet&) const {
  return {};
}

Json BilevelProblem::network(const ParameterSet&) const {
  return Json::object();
}

ParameterSet BilevelProblem::hyper_of(const SoftExamples&) const {
  throw Unsupported("the hyperparameters of this problem are no examples");
}

Tensor BilevelProblem::samples(const ParameterSet&, std::int64_t) const {
  return Tensor();
}

KnownExamples BilevelProblem::examples(const std::string&,
                                       const Tensor&) const {
  throw Unsupported("this problem does not learn from examples");
}

Tensor BilevelProblem::example_losses(const std::string&, const Tensor&,
                                      const ParameterSet&,
                                      const ParameterSet&) const {
  throw Unsupported("this problem does not learn from examples");
}

SoftExamples BilevelProblem::learned_examples(const ParameterSet&) const {
  return {};
}

ParameterSet tuned(const BilevelProblem& problem, const ParameterSet& hyper) {
  const ParameterSet natural = problem.natural(hyper);
  ParameterSet out;
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    out.insert(hyper.name(i), natural.at(hyper.name(i)));
  }
  return out;
}

ParameterSet train_gradient(const BilevelProblem& problem,
                            const ParameterSet& weights,
                            const ParameterSet& hyper, const Draw& draw,
                            Tape tape) {
  const bool own = problem.has_train_gradient();
  if (draw.particles > 0 && !problem.abilities().particles &&
      (own || tape == Tape::kOff)) {
    // Of a loss, one graph at a time, to save memory.
    Draw one = draw;
    one.particles = 0;
    return one_by_one(draw.particles, [&](std::int64_t i) {
      return train_gradient(problem, particle(weights, i), particle(hyper, i),
                            one, tape);
    });
  }
  if (own) {
    const at::AutoGradMode mode(tape == Tape::kOn);
    const ParameterSet g = problem.train_gradient(weights, hyper, draw);
    // It may be one of the arguments themselves.
    return tape == Tape::kOn ? g : g.map([](const Tensor& t) {
      return t.requires_grad() ? t.detach() : t;
    });
  }
  // Weights that are not on a tape become leaves, so that the gradient can be
  // taken.
  const ParameterSet w = weights.map([tape](const Tensor& t) {
    return tape == Tape::kOn && t.requires_grad() ? t
                                                  : t.detach().requires_grad_();
  });
  const ParameterSet h = tape == Tape::kOn ? hyper : hyper.detach();
  const at::AutoGradMode mode(true);
  const Tensor loss = draw.particles > 0
                          ? train_losses(problem, w, h, draw).sum()
                          : problem.train_loss(w, h, draw);
  return gradient(loss, w, tape);
}

void require_values(const BilevelProblem& problem) {
  require(problem.abilities().train_loss_has_values,
          "training of this problem is a map from one state to the next, of "
          "which no loss is known; this estimator, as configured, needs one. "
          "Others differentiate the map");
}

std::vector<Hyperparameter> ProblemDecorator::hyperparameters() const {
  return problem_->hyperparameters();
}

ParameterSet ProblemDecorator::initial_weights(const ParameterSet& hyper,
                                               const Key& key) const {
  return problem_->initial_weights(inner_hyper(hyper), key);
}

Tensor ProblemDecorator::train_loss(const ParameterSet& weights,
                                    const ParameterSet& hyper,
                                    const Draw& draw) const {
  return checked(
      problem_->train_loss(inner_weights(weights), inner_hyper(hyper), draw),
      "training", draw);
}

Tensor ProblemDecorator::valid_loss(const ParameterSet& weights,
                                    const ParameterSet& hyper,
                                    const Draw& draw) const {
  return checked(
      problem_->valid_loss(inner_weights(weights), inner_hyper(hyper), draw),
      "validation", draw);
}

ParameterSet ProblemDecorator::train_gradient(const ParameterSet& weights,
                                              const ParameterSet& hyper,
                                              const Draw& draw) const {
  return problem_->train_gradient(inner_weights(weights), inner_hyper(hyper),
                                  draw);
}

ParameterSet ProblemDecorator::initial_hyper() const {
  return problem_->initial_hyper();
}

ParameterSet ProblemDecorator::natural(const ParameterSet& hyper) const {
  return problem_->natural(inner_hyper(hyper));
}

ParameterSet ProblemDecorator::deployed(const ParameterSet& weights,
                                        const ParameterSet& hyper) const {
  return problem_->deployed(inner_weights(weights), inner_hyper(hyper));
}

Tensor ProblemDecorator::outputs(const ParameterSet& weights,
                                 const ParameterSet& hyper,
                                 const Draw& draw) const {
  return problem_->outputs(inner_weights(weights), inner_hyper(hyper), draw);
}

Tensor ProblemDecorator::output_loss(const Tensor& outputs,
                                     const ParameterSet& hyper,
                                     const Draw& draw) const {
  return problem_->output_loss(outputs, inner_hyper(hyper), draw);
}

Metrics ProblemDecorator::evaluate(const ParameterSet& weights,
                                   const ParameterSet& hyper) const {
  // Deployed weights already have the problem's own form.
  return problem_->evaluate(weights, inner_hyper(hyper));
}

Json ProblemDecorator::network(const ParameterSet& hyper) const {
  return problem_->network(inner_hyper(hyper));
}

Tensor ProblemDecorator::samples(const ParameterSet& hyper,
                                 std::int64_t count) const {
  return problem_->samples(inner_hyper(hyper), count);
}

SoftExamples ProblemDecorator::learned_examples(
    const ParameterSet& hyper) const {
  return problem_->learned_examples(inner_hyper(hyper));
}

}  // namespace nestgrad
