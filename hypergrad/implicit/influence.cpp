#include "hypergrad/implicit/influence.h"

#include <algorithm>
#include <string>

#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "hypergrad/implicit/implicit_system.h"

namespace nestgrad {
namespace {

/// A problem whose training loss is that of all examples at every draw.
class AllExamples : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;

  bool has_train_gradient() const override {
    return problem().has_train_gradient();
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return problem().train_loss(weights, hyper, whole(draw));
  }
  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw& draw) const override {
    return problem().train_gradient(weights, hyper, whole(draw));
  }
  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override {
    return problem().outputs(weights, hyper, whole(draw));
  }
  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override {
    return problem().output_loss(outputs, hyper, whole(draw));
  }

 private:
  static Draw whole(Draw draw) {
    draw.all_examples = true;
    return draw;
  }
};

}  // namespace

Influence::Influence(const TrainingLoop& loop, AttributionTask task,
                     const InverseHessian& solver)
    : task_(std::move(task)),
      loop_(loop),
      whole_(loop.of(std::make_shared<AllExamples>(loop.problem()))),
      solver_(solver) {}

bool Influence::advance() {
  if (state_.weights.empty()) {
    state_ = loop_.start(task_.hyper, task_.run).detach();
  }
  if (state_.step < task_.steps) {
    train();
  } else if (gradients_.size() < task_.functions.size()) {
    solve(gradients_.size());
  } else {
    return false;
  }
  return true;
}

void Influence::train() {
  constexpr std::int64_t kPieces = 100;
  const std::int64_t piece = (task_.steps + kPieces - 1) / kPieces;
  state_ = loop_.steps(state_, std::min(piece, task_.steps - state_.step),
                       task_.hyper, task_.run);
}

void Influence::solve(std::size_t function) {
  require(all_finite(state_.weights),
          "training has led to weights that are not finite");
  InnerRun run(whole_, {});
  run.begin(task_.hyper, task_.run);
  const InnerRun end = run.with_state(state_);
  const ImplicitSystem system =
      ImplicitSystem::stationarity(end, task_.hyper, solver_.options());
  const ParameterSet w = state_.weights.leaves(), h = task_.hyper.leaves();
  const Partials f = partials(
      at_end(task_, whole_, function, {w, state_.slots, state_.step}, h), w, h);
  const Solution q = solver_.solve(system.transposed(), system.embed(f.weights),
                                   nullptr, task_.run.fold("influence"));
  require(q.status != Status::kDiverged, "the solver has diverged: {}",
          q.trouble);
  values_.push_back(f.loss);
  gradients_.push_back(f.hyper - system.hyper_transposed(q.x));
}

double Influence::done() const {
  const auto steps = static_cast<double>(task_.steps);
  const auto functions = static_cast<double>(task_.functions.size());
  return (static_cast<double>(state_.step) / steps +
          static_cast<double>(gradients_.size()) / functions) /
         2;
}

void Influence::persist(Archive& archive) {
  archive("state", state_);
  auto solved = static_cast<std::int64_t>(gradients_.size());
  archive("solved", solved);
  gradients_.resize(static_cast<std::size_t>(solved));
  values_.resize(static_cast<std::size_t>(solved));
  for (std::size_t i = 0; i < gradients_.size(); ++i) {
    archive("gradient/" + std::to_string(i), gradients_[i]);
    archive("value/" + std::to_string(i), values_[i]);
  }
}

}  // namespace nestgrad
