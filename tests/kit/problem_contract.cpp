#include "problem_contract.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/hyper_space.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "derivatives.h"
#include "numbers.h"
#include "particles.h"

namespace nestgrad::testing {
namespace {

/// A section of hyperparameters with all of its keys.
Config completed(const Json& hyperparameters) {
  return Config(complete(Schema("").map("hyperparameters", hyper_spec_schema(),
                                        kRequired, ""),
                         {{"hyperparameters", hyperparameters}}))
      .object("hyperparameters");
}

/// The problem as estimators see it: in coordinates in which all numbers are
/// allowed. Without `hyperparameters`, all that it offers are tuned.
Reparameterized in_coordinates(std::shared_ptr<const BilevelProblem> problem,
                               Json hyperparameters) {
  if (hyperparameters.empty()) {
    for (const Hyperparameter& h : problem->hyperparameters()) {
      hyperparameters[h.name] = Json::object();
    }
  }
  if (hyperparameters.empty()) return Reparameterized(problem, {});
  return Reparameterized(problem, read_hyper_space(completed(hyperparameters),
                                                   *problem, {}, float64()));
}

/// The two losses of a problem at some weights and hyperparameters, for one
/// draw.
struct Losses {
  const BilevelProblem& problem;
  ParameterSet weights, hyper;
  Draw draw;

  Tensor train(const ParameterSet& w, const ParameterSet& h) const {
    return problem.train_loss(w, h, draw);
  }
  Tensor valid(const ParameterSet& w, const ParameterSet& h) const {
    return problem.valid_loss(w, h, draw);
  }
};

constexpr double kTolerance = 1e-4;

/// Whether f() is there, and does not throw Unsupported.
template <class F>
bool defined(F&& f) {
  try {
    f();
  } catch (const Unsupported&) {
    return false;
  }
  return true;
}

void judge_first_weights(Findings& findings, const Losses& at) {
  disturb(2);
  findings.expect(
      equal(at.problem.initial_weights(at.hyper, Key(3)).detach().to(float64()),
            at.weights),
      "first weights depend on more than the key");
}

void judge_values(Findings& findings, const Losses& at) {
  const double train = at.train(at.weights, at.hyper).item<double>();
  const double valid = at.valid(at.weights, at.hyper).item<double>();
  findings.expect(std::isfinite(train), "the training loss is not finite");
  findings.expect(std::isfinite(valid), "the validation loss is not finite");
  disturb(3);
  at.problem.train_loss(at.weights, at.hyper, {2, Key(9)});
  findings.expect(at.train(at.weights, at.hyper).item<double>() == train,
                  "the same draw gives another training loss");
  findings.expect(at.valid(at.weights, at.hyper).item<double>() == valid,
                  "the same draw gives another validation loss");
  // Where constants only are read, nothing says how many particles there are.
  const bool many = !at.hyper.empty() || at.problem.hyperparameters().empty();
  if (at.problem.abilities().particles && many) {
    findings.expect(
        particle_error(at.problem, at.weights, at.hyper, at.draw) < 1e-10,
        "gives particles other losses than each by itself");
  }
  if (at.problem.abilities().groups && many) {
    findings.expect(
        group_error(at.problem, at.weights, at.hyper, at.draw) < 1e-10,
        "gives groups of particles other losses than each group by itself");
  }
  if (at.problem.abilities().outputs) {
    const bool given = defined([&] {
      const Tensor outputs = at.problem.outputs(at.weights, at.hyper, at.draw);
      at.problem.output_loss(outputs, at.hyper, at.draw);
    });
    findings.expect(given, "does not define the outputs that it says it has");
  }
}

/// Losses of parts of a minibatch make that of the whole.
void judge_division(Findings& findings, const Losses& at) {
  const BatchSizes whole = at.problem.abilities().divisible_examples;
  if (whole.train < 2 || whole.valid < 2) return;
  /// `f` of the losses at a draw of two uneven parts.
  const auto each_part = [&](std::int64_t examples, const auto& f) {
    Losses part = at;
    const std::int64_t first = (examples + 2) / 3;
    part.draw.part = {0, first};
    f(part, static_cast<double>(first));
    part.draw.part = {first, examples - first};
    f(part, static_cast<double>(examples - first));
  };
  /// A loss and its gradients, as one vector.
  const auto with_gradients = [](const Losses& l, const auto& loss) {
    const ParameterSet w = l.weights.leaves(), h = l.hyper.leaves();
    const Partials all = partials(loss(l, w, h), w, h);
    return at::cat({at::scalar_tensor(double(all.loss), float64()).view(1),
                    all.weights.flatten().to(float64()),
                    all.hyper.flatten().to(float64())});
  };
  const auto expect_mean = [&](std::int64_t examples, const auto& loss,
                               const char* name) {
    const Tensor all = with_gradients(at, loss);
    Tensor mean = at::zeros_like(all);
    each_part(examples, [&](const Losses& part, double n) {
      mean =
          mean + n / static_cast<double>(examples) * with_gradients(part, loss);
    });
    findings.expect(difference(mean, all) < 1e-10,
                    std::string("says that its examples are divisible, but the "
                                "parts do not make the ") +
                        name + " loss and its gradients");
  };
  using Set = ParameterSet;
  expect_mean(
      whole.train,
      [](const Losses& l, const Set& w, const Set& h) { return l.train(w, h); },
      "training");
  expect_mean(
      whole.valid,
      [](const Losses& l, const Set& w, const Set& h) { return l.valid(w, h); },
      "validation");
  if (!at.problem.abilities().outputs) return;
  const auto outputs = [](const Losses& l) {
    return l.problem.outputs(l.weights, l.hyper, l.draw);
  };
  std::vector<Tensor> parts;
  each_part(whole.train, [&](const Losses& part, double) {
    parts.push_back(outputs(part));
  });
  findings.expect(difference(at::cat(parts), outputs(at)) < 1e-10,
                  "gives an example other outputs in a part of a minibatch");
}

bool all_differentiable(const Losses& at) {
  const auto offered = at.problem.hyperparameters();
  return at.problem.abilities().second_derivatives &&
         std::all_of(offered.begin(), offered.end(),
                     [&](const Hyperparameter& h) {
                       return h.differentiable || !at.hyper.contains(h.name);
                     });
}

/// train_gradient() where nothing can be differentiated.
ParameterSet gradient_off_tape(const Losses& at) {
  const OffTape off;
  return at.problem.train_gradient(at.weights.detach(), at.hyper.detach(),
                                   at.draw);
}

/// The gradient that a problem gives itself is that of its training loss, and
/// so are its derivatives.
void judge_train_gradient(Findings& findings, const Losses& at) {
  if (!at.problem.has_train_gradient()) return;
  const ParameterSet w = at.weights.leaves(), h = at.hyper.leaves();
  const ParameterSet own = at.problem.train_gradient(w, h, at.draw);
  if (!alike(own, w)) {
    findings.expect(false, "train_gradient is not alike to the weights");
    return;
  }
  const bool twice = at.problem.abilities().second_derivatives;
  const ParameterSet taped =
      gradient(at.train(w, h), w, twice ? Tape::kOn : Tape::kOff);
  const auto equal_to = [](const ParameterSet& a, const ParameterSet& b) {
    return difference(a.detach().flatten(), b.detach().flatten()) < 1e-10;
  };
  findings.expect(equal_to(own, taped),
                  "train_gradient is not the gradient of the training loss");
  if (at.problem.abilities().gradient_by_formula) {
    findings.expect(equal_to(gradient_off_tape(at), own),
                    "train_gradient is said to be a formula, but it "
                    "differentiates by autograd");
  }
  if (!twice) return;
  const ParameterSet u = Key(29).normal(w);
  findings.expect(equal_to(vjp(own, w, u), vjp(taped, w, u)),
                  "train_gradient has another derivative by the weights than "
                  "the gradient of the training loss");
  if (h.empty() || !all_differentiable(at)) return;
  findings.expect(equal_to(vjp(own, h, u), vjp(taped, h, u)),
                  "train_gradient has another derivative by the "
                  "hyperparameters than the gradient of the training loss");
}

/// A problem that says that training has no second derivative throws instead
/// of giving one.
void judge_refusal(Findings& findings, const Losses& at) {
  const bool given = defined([&] {
    const ParameterSet w = at.weights.leaves();
    gradient(at.train(w, at.hyper), w, Tape::kOn);
  });
  findings.expect(!given,
                  "gives a derivative of training, which it says has none");
}

void judge_by_weights(Findings& findings, const Losses& at) {
  if (!at.problem.abilities().second_derivatives) {
    judge_refusal(findings, at);
  } else if (!at.problem.abilities().rounds) {
    judge_derivatives(
        findings, "the training loss by the weights",
        [&](const ParameterSet& w) { return at.train(w, at.hyper); },
        at.weights, true, kTolerance,
        at.problem.abilities().train_loss_has_values);
  }
  if (at.problem.abilities().rounds) return;
  judge_derivatives(
      findings, "the validation loss by the weights",
      [&](const ParameterSet& w) { return at.valid(w, at.hyper); }, at.weights,
      false, kTolerance);
}

void judge_by_hyper(Findings& findings, const Losses& at) {
  if (at.problem.abilities().rounds) return;
  const bool differentiable = all_differentiable(at);
  if (differentiable && at.problem.abilities().train_loss_has_values) {
    judge_derivatives(
        findings, "the training loss by the hyperparameters",
        [&](const ParameterSet& h) { return at.train(at.weights, h); },
        at.hyper, false, kTolerance);
  }
  if (differentiable) {
    // The mixed derivative, which hypergradients are made of.
    const ParameterSet u = Key(23).normal(at.weights);
    const Scalar slope_along = [&](const ParameterSet& h) {
      const ParameterSet w = at.weights.leaves();
      return dot(gradient(at.train(w, h), w, Tape::kOn), u);
    };
    judge_derivatives(findings,
                      "the training loss by weights and hyperparameters",
                      slope_along, at.hyper, false, kTolerance);
  }
  judge_derivatives(
      findings, "the validation loss by the hyperparameters",
      [&](const ParameterSet& h) { return at.valid(at.weights, h); }, at.hyper,
      false, kTolerance);
}

void judge_problem(Findings& findings, const BilevelProblem& problem) {
  const ParameterSet hyper = problem.initial_hyper();
  disturb(1);
  const ParameterSet weights =
      problem.initial_weights(hyper, Key(3)).detach().to(float64());
  const Losses at{problem, weights, hyper, {1, Key(4)}};
  const ParameterSet weights_before = weights.clone();
  const ParameterSet hyper_before = hyper.clone();
  judge_first_weights(findings, at);
  judge_values(findings, at);
  judge_division(findings, at);
  judge_by_weights(findings, at);
  judge_train_gradient(findings, at);
  if (hyper.empty()) return;
  judge_by_hyper(findings, at);
  findings.expect(equal(weights, weights_before), "a loss changes the weights");
  findings.expect(equal(hyper, hyper_before),
                  "a loss changes the hyperparameters");
  const ParameterSet deployed = problem.deployed(weights, hyper);
  for (const auto& [name, value] : problem.evaluate(deployed, hyper)) {
    findings.expect(std::isfinite(value), name + " is not finite");
  }
}

}  // namespace

Faults problem_faults(const Json& section, const Json& hyperparameters) {
  return found(named("problem", section), [&](Findings& findings) {
    const std::shared_ptr<const BilevelProblem> problem =
        ProblemRegistry::instance().make(
            section, {float64(), Key(1),
                      chosen_granularities(completed(hyperparameters))});
    judge_problem(findings, in_coordinates(problem, hyperparameters));
  });
}

}  // namespace nestgrad::testing
