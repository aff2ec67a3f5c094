// Problems that break their contract in one way each, and what the test kit
// says about them.

#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/penalty.h"
#include "core/problem.h"
#include "tests/kit/contract.h"
#include "tests/mutants/mentions.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

using testing::Faults;
using testing::mentions;

/// Two parabolas with a decay, but for one fault.
class FaultyProblem : public BilevelProblem {
 public:
  FaultyProblem(const Config& config, const ProblemContext& context)
      : fault_(config.text("fault")), options_(context.options) {}

  static Schema schema() { return Schema("").text("fault", "none", ""); }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "decay";
    decay.initial = at::scalar_tensor(0.3, at::kDouble);
    decay.coordinates = Coordinates::log();
    return {decay};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    const Tensor like = at::empty({3}, options_);
    return {{"w",
             fault_ == "global" ? at::randn({3}, options_) : key.normal(like)}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.groups = fault_ == "groups";
    out.particles = fault_ == "particles" || out.groups;
    out.second_derivatives = fault_ != "derivative";
    out.outputs = fault_ == "outputs";
    out.gradient_by_formula = fault_ == "gradient by autograd";
    return out;
  }

  bool has_train_gradient() const override {
    return fault_.rfind("gradient", 0) == 0;
  }

  ParameterSet train_gradient(const ParameterSet& weights,
                              const ParameterSet& hyper,
                              const Draw&) const override {
    const Tensor &w = weights.at("w"), &decay = hyper.at("decay");
    const Tensor cubes = 4 * (w - 1).pow(3);
    if (fault_ == "gradient by autograd") {
      const at::AutoGradMode mode(true);
      const Tensor x = w.requires_grad() ? w : w.detach().requires_grad_();
      const Tensor loss = (x - 1).pow(4).sum() + 0.5 * decay * x.square().sum();
      return gradient(loss, {{"w", x}}, Tape::kOn);
    }
    if (fault_ == "gradient shape") return {{"w", cubes.sum()}};
    if (fault_ == "gradient") return {{"w", 2 * cubes + decay * w}};
    if (fault_ == "gradient by weights") {
      return {{"w", cubes + decay * w.detach()}};
    }
    return {{"w", cubes + decay.detach() * w}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor w = weights.at("w");
    const Tensor decay = hyper.at("decay");
    if (fault_ == "groups") {  // which all have the first one's draw
      return (w - 1).pow(4).sum(-1) + 0.5 * decay * w.square().sum(-1) +
             0.1 * static_cast<double>(draw.step);
    }
    if (draw.particles > 0) return (w - 1).pow(4).sum(1);  // and no decay
    if (fault_ == "writes") w.detach().add_(1e-3);
    Tensor loss =
        (w - 1).pow(4).sum() +
        l2_penalty(weights, fault_ == "detached" ? decay.detach() : decay);
    if (fault_ == "noise") loss = loss + at::rand({}, options_);
    if (fault_ == "first order") loss = loss + (w.detach() * w).sum();
    if (fault_ == "not finite") loss = loss + INFINITY;
    if (fault_ == "vector") return loss + w;
    if (fault_ == "state") loss = loss + static_cast<double>(draws_++);
    return loss + 0 * draw.key.normal(w).sum();
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    const Tensor squares = (weights.at("w") - 2).square();
    return fault_ == "no mean" ? squares : squares.sum(-1);
  }

 private:
  std::string fault_;
  at::TensorOptions options_;
  mutable std::int64_t draws_ = 0;
};

NESTGRAD_REGISTER(ProblemRegistry, "faulty", FaultyProblem)

TEST_CASE("the kit finds what is wrong with a problem", "[contract]") {
  const auto faults = [](const char* fault) {
    return testing::problem_faults({{"type", "faulty"}, {"fault", fault}});
  };
  CHECK(faults("none") == Faults{});
  CHECK(mentions(faults("global"), "more than the key"));
  CHECK(mentions(faults("writes"), "changes the weights"));
  CHECK(mentions(faults("detached"), "by the hyperparameters"));
  CHECK(mentions(faults("noise"), "same draw gives another training loss"));
  CHECK(mentions(faults("state"), "same draw gives another training loss"));
  CHECK(mentions(faults("first order"), "training loss by the weights"));
  CHECK(mentions(faults("not finite"), "not finite"));
  CHECK(mentions(faults("derivative"), "gives a derivative of training"));
  CHECK(mentions(faults("particles"), "particles other losses"));
  CHECK(mentions(faults("groups"), "groups of particles other losses"));
  CHECK(mentions(faults("outputs"), "does not define the outputs"));
  CHECK(mentions(faults("gradient"), "not the gradient of the training loss"));
  CHECK(mentions(faults("gradient shape"), "not alike to the weights"));
  CHECK(mentions(faults("gradient by weights"),
                 "train_gradient has another derivative by the weights"));
  CHECK(mentions(faults("gradient by decay"),
                 "train_gradient has another derivative by the hyper"));
  CHECK(mentions(faults("gradient by autograd"), "differentiates by autograd"));
  CHECK(faults("vector") ==
        Faults{"the problem 'faulty' throws: the training loss must be one "
               "number (a scalar tensor, such as a mean over examples), it has "
               "the shape [3]"});
  CHECK(mentions(faults("no mean"), "the validation loss must be one number"));
}

}  // namespace
}  // namespace nestgrad
