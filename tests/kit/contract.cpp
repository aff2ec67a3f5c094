#include "contract.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "bench.h"
#include "core/hyper_space.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/data.h"
#include "experiments/problems/dynamics.h"
#include "linear_system.h"
#include "numbers.h"
#include "particles.h"

namespace nestgrad::testing {
namespace {

/// Collects sentences, each once.
class Findings {
 public:
  /// Where the next ones are found: "with horizon 4".
  void at(std::string place) { place_ = std::move(place); }

  void expect(bool holds, const std::string& fault) {
    if (holds) return;
    const std::string all = place_.empty() ? fault : fault + " " + place_;
    if (std::count(faults_.begin(), faults_.end(), all) == 0) {
      faults_.push_back(all);
    }
  }

  Faults take() { return std::move(faults_); }

 private:
  std::string place_;
  Faults faults_;
};

/// Faults, an exception among them.
Faults found(const std::function<void(Findings&)>& judge) {
  Findings findings;
  try {
    judge(findings);
  } catch (const std::exception& error) {
    findings.expect(false, fmt::format("throws: {}", error.what()));
  }
  return findings.take();
}

bool equal(const ParameterSet& a, const ParameterSet& b) {
  return alike(a, b) && at::equal(a.flatten(), b.flatten());
}

bool on_tape(const ParameterSet& set) {
  const auto& tensors = set.tensors();
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const Tensor& t) { return t.requires_grad(); });
}

/// Disturbs whoever draws from LibTorch's own generator.
void disturb(std::uint64_t seed) {
  at::Generator global = at::globalContext().defaultGenerator(c10::kCPU);
  global.set_current_seed(seed);
}

// --- estimators --------------------------------------------------------------

using EstimatorPtr = std::unique_ptr<HypergradientEstimator>;

EstimatorPtr make(Json section, const Json& cut, const TrainingLoop& loop) {
  section.update(cut);
  return EstimatorRegistry::instance().make(section, loop);
}

/// A network whose training rule has tuned settings as well, unless the
/// estimator refuses those.
Bench bench_for(const Json& section, std::int64_t batch) {
  Bench bench = network_bench(
      {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}}, batch);
  try {
    make(section, Json::object(), *bench.loop);
    return bench;
  } catch (const ConfigError&) {
    return network_bench({{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.6}},
                         batch);
  }
}

/// What any outer loop may do between two estimates.
ParameterSet moved(const ParameterSet& hyper, const ParameterSet& gradient) {
  return add(hyper, -0.05, gradient).detach();
}

/// Three estimates in a row, the hyperparameters moving in between.
std::vector<ParameterSet> three(HypergradientEstimator& estimator,
                                ParameterSet hyper) {
  std::vector<ParameterSet> gradients;
  for (int i = 0; i < 3; ++i) {
    gradients.push_back(estimator.estimate(hyper).gradient);
    hyper = moved(hyper, gradients.back());
  }
  return gradients;
}

bool all_equal(const std::vector<ParameterSet>& a,
               const std::vector<ParameterSet>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

void judge_calls(Findings& findings, const Json& section, const Json& cut) {
  const Bench bench = bench_for(section, /*batch=*/4);
  const ParameterSet before = bench.hyper.clone();
  const auto begun = [&](std::uint64_t key) {
    EstimatorPtr out = make(section, cut, *bench.loop);
    out->begin(bench.hyper, Key(key));
    return out;
  };
  const EstimatorPtr first = begun(7);
  const std::vector<ParameterSet> expected = three(*first, bench.hyper);
  findings.expect(equal(bench.hyper, before), "changes the hyperparameters");
  for (const ParameterSet& gradient : expected) {
    findings.expect(alike(gradient, bench.hyper),
                    "gives a gradient that is not alike to the "
                    "hyperparameters");
    findings.expect(all_finite(gradient),
                    "gives a gradient that is not "
                    "finite");
    findings.expect(!on_tape(gradient), "gives a gradient on a tape");
  }
  const ParameterSet weights = first->weights(bench.hyper);
  findings.expect(!on_tape(weights), "gives weights on a tape");
  findings.expect(
      alike(weights, bench.problem->initial_weights(bench.hyper, Key(7))),
      "gives weights that are not those of the problem");

  const EstimatorPtr second = make(section, cut, *bench.loop);
  const EstimatorPtr other = begun(8);
  disturb(99);
  second->begin(bench.hyper, Key(7));
  other->estimate(bench.hyper);
  findings.expect(all_equal(three(*second, bench.hyper), expected),
                  "depends on more than the key and the calls");
  findings.expect(!equal(other->estimate(bench.hyper).gradient, expected[1]),
                  "gives the same estimates for another key");
  second->begin(bench.hyper, Key(7));
  findings.expect(equal(second->estimate(bench.hyper).gradient, expected[0]),
                  "remembers something after begin()");
}

void judge_restore(Findings& findings, const Json& section, const Json& cut) {
  const Bench bench = bench_for(section, /*batch=*/4);
  const EstimatorPtr original = make(section, cut, *bench.loop);
  original->begin(bench.hyper, Key(7));
  original->estimate(bench.hyper);
  const Snapshot snapshot = save(*original);
  const EstimatorPtr restored = make(section, cut, *bench.loop);
  restore(*restored, snapshot);
  findings.expect(
      equal(restored->weights(bench.hyper), original->weights(bench.hyper)),
      "has other weights after a restore");
  const auto expected = three(*original, bench.hyper);
  findings.expect(all_equal(three(*restored, bench.hyper), expected),
                  "does not continue identically after a restore: persist() "
                  "must list all that changes between calls");
}

void judge_turns(Findings& findings, const Json& section) {
  // All examples at once: a minibatch for the Hessian would be another one in
  // every turn.
  const Bench bench = bench_for(section, /*batch=*/12);
  const EstimatorPtr estimator = make(
      section, {{"window", 4}, {"outer_steps_per_window", 3}}, *bench.loop);
  estimator->begin(bench.hyper, Key(7));
  // One that is random itself, or starts a solver from its last solution, says
  // something else in every turn: then the weights tell.
  struct Seen {
    ParameterSet gradient, weights;
    bool same(const Seen& other) const {
      return equal(gradient, other.gradient) || equal(weights, other.weights);
    }
  };
  const auto seen = [&] {
    const ParameterSet gradient = estimator->estimate(bench.hyper).gradient;
    return Seen{gradient, estimator->weights(bench.hyper)};
  };
  const Seen first = seen();
  for (int i = 0; i < 2; ++i) {
    findings.expect(seen().same(first),
                    "trains on within a window of several outer steps");
  }
  findings.expect(!seen().same(first),
                  "does not train on after a window of several outer steps");
}

void judge_claim(Findings& findings, const Json& section, const Bench& bench) {
  const EstimatorPtr estimator = make(section, {{"window", 4}}, *bench.loop);
  ParameterSet hyper = bench.hyper;
  estimator->begin(hyper, Key(7));
  for (int i = 0; i < 3; ++i) {
    const ParameterSet gradient = estimator->estimate(hyper).gradient;
    const Objective claim = estimator->claim();
    if (!claim) return;
    if (i != 1) {
      const ParameterSet reference =
          central_differences(hyper, [&](const ParameterSet& h) {
            return at::scalar_tensor(claim(h), float64());
          });
      const double error = norm(gradient - reference).item<double>();
      const double size = norm(gradient).item<double>();
      findings.expect(error <= 1e-6 * size,
                      fmt::format("is not the derivative of its claim: "
                                  "relative error {:.2g}",
                                  error / size));
    }
    hyper = moved(hyper, gradient);
  }
}

// --- inverse Hessians --------------------------------------------------------

void judge_solver(Findings& findings, const InverseHessian& solver,
                  const LinearSystem& system, bool solves) {
  const Solution got = solver.solve(system.map(), system.b, nullptr, Key(11));
  findings.expect(
      got.products == system.calls,
      fmt::format("reports {} products, made {}", got.products, system.calls));
  if (solves) {
    const double error = distance(got.x, system.exact());
    findings.expect(
        error < 1e-8,
        fmt::format("does not solve: relative error {:.2g}", error));
    findings.expect(got.status == Status::kOk, "complains: " + got.trouble);
  }
  if (got.status == Status::kDiverged) return;
  const Tensor formula =
      solver.formula(system.a, system.b.flatten(), Tensor(), Key(11));
  const double error = distance(got.x, system.b.unflatten(formula));
  findings.expect(
      error < 1e-8,
      fmt::format("is not its formula: relative error {:.2g}", error));
  const double residual = system.residual(got.x);
  findings.expect(!solves || std::abs(residual - got.residual) < 1e-8,
                  fmt::format("reports the residual {:.2g}, which is {:.2g}",
                              got.residual, residual));
  const Solution scaled =
      solver.solve(system.map(), -300.0 * system.b, nullptr, Key(11));
  findings.expect(distance(scaled.x, -300.0 * got.x) < 1e-8,
                  "is not in proportion to the right-hand side");
  const Solution none =
      solver.solve(system.map(), system.b.zeros(), nullptr, Key(11));
  findings.expect(norm(none.x).item<double>() == 0 && none.products == 0 &&
                      none.status == Status::kOk,
                  "does not answer zeros with zeros");
}

// --- derivatives along directions --------------------------------------------

using Scalar = std::function<Tensor(const ParameterSet&)>;

/// Whether `slope` is d/de f(x + e u) at e = 0: by central differences, of
/// which one of several step sizes must agree, since a large one crosses kinks
/// (ReLU) and a small one loses digits. Says what they are otherwise.
void judge_slope(Findings& findings, double slope, const Scalar& f,
                 const ParameterSet& x, const ParameterSet& u, double error,
                 const std::string& what) {
  std::string met;
  for (const double step : {1e-5, 1e-6, 1e-7}) {
    const double up = f(add(x, step, u).detach()).item<double>();
    const double down = f(add(x, -step, u).detach()).item<double>();
    const double difference = (up - down) / (2 * step);
    if (std::abs(slope - difference) <= error) return;
    met += fmt::format(" {:.8g} (step {:g})", difference, step);
  }
  findings.expect(false, fmt::format("{} is {:.8g}, central differences are{}",
                                     what, slope, met));
}

/// Of length 1, half along `preferred`: random directions are nearly orthogonal
/// to everything where there are many numbers.
ParameterSet direction(const Key& key, const ParameterSet& preferred) {
  const auto unit = [](const ParameterSet& set) {
    const double size = norm(set).item<double>();
    return size > 0 ? (1 / size) * set : set;
  };
  return unit(unit(key.normal(preferred)) + unit(preferred)).detach();
}

/// Whether the gradient of a loss is that of its values, or a field that the
/// loss declares (Dynamics): then the values tell nothing, and the field's
/// derivative need not be symmetric.
enum class Gradient { kOfValues, kDeclared };

/// First and, if wanted, second derivatives of f at x.
void judge_derivatives(Findings& findings, const std::string& what,
                       const Scalar& f, const ParameterSet& x, bool second,
                       double tolerance, Gradient kind = Gradient::kOfValues) {
  const auto slope = [&](const ParameterSet& at, Tape tape) {
    const ParameterSet leaves = at.leaves();
    return std::pair(leaves, gradient(f(leaves), leaves, tape));
  };
  const ParameterSet g = slope(x, Tape::kOff).second;
  findings.expect(all_finite(g),
                  fmt::format("the gradient of {} is not finite", what));
  const ParameterSet u = direction(Key(21), g);
  const bool of_values = kind == Gradient::kOfValues;
  if (of_values) {
    judge_slope(findings, dot(g, u).item<double>(), f, x, u,
                tolerance * norm(g).item<double>(),
                fmt::format("the derivative of {}", what));
  }
  if (!second) return;
  const auto [leaves, taped] = slope(x, Tape::kOn);
  if (!on_tape(taped)) return;  // linear
  const ParameterSet hu =
      gradient(dot(taped, u), leaves, Tape::kOff, Graph::kKeep);
  const ParameterSet v = direction(Key(22), hu);
  const ParameterSet hv = gradient(dot(taped, v), leaves);
  const double product = dot(v, hu).item<double>();
  const double scale = norm(hu).item<double>();
  const double other = dot(u, hv).item<double>();
  findings.expect(!of_values || std::abs(other - product) <= 1e-8 * scale,
                  fmt::format("the Hessian of {} is not symmetric: u'Hv is "
                              "{:.8g}, v'Hu {:.8g}",
                              what, other, product));
  const Scalar gradient_along = [&](const ParameterSet& at) {
    return dot(slope(at, Tape::kOff).second, u);
  };
  judge_slope(findings, product, gradient_along, x, v, tolerance * scale,
              fmt::format("the second derivative of {}", what));
}

// --- problems ----------------------------------------------------------------

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
  const Config config(complete(
      Schema("").map("hyperparameters", hyper_spec_schema(), kRequired, ""),
      {{"hyperparameters", hyperparameters}}));
  return Reparameterized(
      problem, read_hyper_space(config.object("hyperparameters"), *problem, {},
                                float64()));
}

void judge_problem(Findings& findings, const BilevelProblem& problem,
                   Gradient kind) {
  const ParameterSet hyper = problem.initial_hyper();
  disturb(1);
  const ParameterSet weights =
      problem.initial_weights(hyper, Key(3)).detach().to(float64());
  disturb(2);
  findings.expect(
      equal(problem.initial_weights(hyper, Key(3)).detach().to(float64()),
            weights),
      "first weights depend on more than the key");
  const ParameterSet weights_before = weights.clone();
  const ParameterSet hyper_before = hyper.clone();
  const Draw draw{1, Key(4)};
  const auto train = [&](const ParameterSet& w, const ParameterSet& h) {
    return problem.train_loss(w, h, draw);
  };
  const auto valid = [&](const ParameterSet& w, const ParameterSet& h) {
    return problem.valid_loss(w, h, draw);
  };
  const double train_loss = train(weights, hyper).item<double>();
  const double valid_loss = valid(weights, hyper).item<double>();
  findings.expect(std::isfinite(train_loss), "the training loss is not finite");
  findings.expect(std::isfinite(valid_loss),
                  "the validation loss is not finite");
  disturb(3);
  problem.train_loss(weights, hyper, {2, Key(9)});
  findings.expect(train(weights, hyper).item<double>() == train_loss,
                  "the same draw gives another training loss");
  findings.expect(valid(weights, hyper).item<double>() == valid_loss,
                  "the same draw gives another validation loss");
  if (problem.vectorizes() && !hyper.empty()) {
    findings.expect(particle_error(problem, weights, hyper, draw) < 1e-10,
                    "gives particles other losses than each by itself");
  }
  constexpr double kTolerance = 1e-4;
  if (problem.twice_differentiable()) {
    judge_derivatives(
        findings, "the training loss by the weights",
        [&](const ParameterSet& w) { return train(w, hyper); }, weights, true,
        kTolerance, kind);
  } else {
    bool refused = false;
    try {
      const ParameterSet w = weights.leaves();
      gradient(train(w, hyper), w, Tape::kOn);
    } catch (const Unsupported&) {
      refused = true;
    }
    findings.expect(refused,
                    "gives a derivative of training, which it says has none");
  }
  judge_derivatives(
      findings, "the validation loss by the weights",
      [&](const ParameterSet& w) { return valid(w, hyper); }, weights, false,
      kTolerance);
  if (hyper.empty()) return;
  const auto all_differentiable = [&] {
    const auto offered = problem.hyperparameters();
    return problem.twice_differentiable() &&
           std::all_of(offered.begin(), offered.end(),
                       [&](const Hyperparameter& h) {
                         return h.differentiable || !hyper.contains(h.name);
                       });
  };
  if (all_differentiable() && kind == Gradient::kOfValues) {
    judge_derivatives(
        findings, "the training loss by the hyperparameters",
        [&](const ParameterSet& h) { return train(weights, h); }, hyper, false,
        kTolerance);
  }
  if (all_differentiable()) {
    // The mixed one, which hypergradients are made of.
    const ParameterSet u = Key(23).normal(weights);
    const Scalar slope_along = [&](const ParameterSet& h) {
      const ParameterSet w = weights.leaves();
      return dot(gradient(train(w, h), w, Tape::kOn), u);
    };
    judge_derivatives(findings,
                      "the training loss by weights and hyperparameters",
                      slope_along, hyper, false, kTolerance);
  }
  judge_derivatives(
      findings, "the validation loss by the hyperparameters",
      [&](const ParameterSet& h) { return valid(weights, h); }, hyper, false,
      kTolerance);
  findings.expect(equal(weights, weights_before), "a loss changes the weights");
  findings.expect(equal(hyper, hyper_before),
                  "a loss changes the hyperparameters");
  const ParameterSet deployed = problem.deployed(weights, hyper);
  for (const auto& [name, value] : problem.evaluate(deployed, hyper)) {
    findings.expect(std::isfinite(value), name + " is not finite");
  }
}

// --- models ------------------------------------------------------------------

void judge_model(Findings& findings, const Model& model, const Tensor& input) {
  disturb(1);
  const ParameterSet fresh = model.initial_weights(Key(3));
  disturb(2);
  findings.expect(equal(model.initial_weights(Key(3)), fresh),
                  "fresh weights depend on more than the key");
  const ParameterSet weights = fresh.to(float64());
  const ParameterSet weights_before = weights.clone();
  const Tensor input_before = input.clone();
  ParameterSet hyper;
  for (const Hyperparameter& h : model.hyperparameters()) {
    hyper.insert(h.name, h.initial.to(at::kDouble));
  }
  const auto pass_for = [&](bool training) {
    findings.at(training ? "in training" : "in evaluation");
    Pass pass;
    pass.training = training;
    pass.key = Key(5);
    pass.hyper = &hyper;
    return pass;
  };
  for (const bool training : {false, true}) {
    const Pass pass = pass_for(training);
    const Tensor first = model.forward(weights, input, pass);
    disturb(3);
    findings.expect(first.equal(model.forward(weights, input, pass)),
                    "the output depends on more than the arguments");
    findings.expect(first.isfinite().all().item<bool>(),
                    "the output is not finite");
    if (!training) {
      Pass other = pass;
      other.key = Key(6);
      findings.expect(first.equal(model.forward(weights, input, other)),
                      "the output is noisy");
    }
    const bool tokens = !input.is_floating_point();
    ParameterSet x = weights;
    if (!tokens) x.insert("input", input);
    if (x.empty()) continue;
    const Tensor probe = Key(6).normal(first.detach());
    judge_derivatives(
        findings, "the output",
        [&](const ParameterSet& at) {
          std::vector<Tensor> tensors = at.tensors();
          const Tensor in = tokens ? input : tensors.back();
          if (!tokens) tensors.pop_back();
          const Tensor y =
              model.forward(weights.with(std::move(tensors)), in, pass);
          return (probe * y + y * y / 2).sum();
        },
        x, true, 1e-5);
  }
  findings.at("");
  findings.expect(equal(weights, weights_before), "changes its weights");
  findings.expect(input.equal(input_before), "changes its input");
  for (const bool training : {false, true}) {
    const Pass pass = pass_for(training);
    findings.expect(particle_error(model, weights, input, pass) < 1e-10,
                    "gives particles other outputs than each by itself");
  }
}

}  // namespace

int report(const Faults& faults) {
  for (const std::string& fault : faults) {
    fmt::print(stderr, "contract: {}\n", fault);
  }
  return faults.empty() ? 0 : 1;
}

Faults estimator_faults(const Json& section) {
  return found([&](Findings& findings) {
    for (const std::int64_t horizon : {0, 4, 8}) {
      findings.at(fmt::format("(horizon {})", horizon));
      const Json cut = {{"window", 4}, {"horizon", horizon}};
      judge_calls(findings, section, cut);
      judge_restore(findings, section, cut);
    }
    findings.at("");
    judge_turns(findings, section);
    int accepted = 0;
    for (const Json& rule :
         {Json{{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}},
          Json{{"type", "adam"}, {"lr", "$lr"}},
          Json{{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.6}}}) {
      for (const bool network : {false, true}) {
        findings.at(fmt::format("({}, trained by {})",
                                network ? "network" : "ridge regression",
                                rule.dump()));
        const Bench bench =
            network ? network_bench(rule, /*batch=*/4) : ridge_bench(rule);
        try {
          make(section, Json::object(), *bench.loop);
        } catch (const ConfigError&) {
          continue;  // it refuses the rule
        }
        ++accepted;
        judge_claim(findings, section, bench);
      }
    }
    findings.at("");
    findings.expect(accepted >= 2, "refuses every training rule");
  });
}

Faults inverse_hessian_faults(const InverseHessian& solver,
                              bool enough_products) {
  struct Named {
    const char* name;
    std::vector<double> eigenvalues;
  };
  return found([&](Findings& findings) {
    const bool solves = enough_products && solver.converges();
    for (const auto& [name, eigenvalues] :
         {Named{"for one unknown", {2.5}},
          Named{"for a multiple of the identity", {0.7, 0.7, 0.7, 0.7}},
          Named{"for two clusters", {0.5, 0.5, 2, 2, 2}},
          Named{"for a spread-out spectrum",
                {0.05, 0.2, 0.4, 0.5, 1, 1.5, 2, 3, 4, 5}}}) {
      findings.at(name);
      judge_solver(findings, solver, system_with(eigenvalues), solves);
    }
    findings.at("");
    const LinearSystem system = system_with({1, 2, 3});
    const Solution bad =
        solver.solve([](const ParameterSet& v) { return NAN * v; }, system.b,
                     nullptr, Key(11));
    findings.expect(bad.products == 0 || bad.status == Status::kDiverged,
                    "does not report products that are not finite");
  });
}

Faults inverse_hessian_faults(const Json& section) {
  return inverse_hessian_faults(
      *InverseHessianRegistry::instance().make(section),
      /*enough_products=*/true);
}

Faults optimizer_faults(const Json& section, const ParameterSet& natural) {
  return found([&](Findings& findings) {
    constexpr int kSteps = 3;
    const auto rule = OptimizerRegistry::instance().make(section);
    const Tensor flat = (at::arange(6, float64()) * 1.3).cos();
    const ParameterSet weights{{"w", flat.narrow(0, 0, 4).view({2, 2})},
                               {"b", flat.narrow(0, 4, 1)},
                               {"s", flat[5].clone()}};
    // No entry near zero, norms above 1.
    const auto some_gradient = [&](int k) {
      return weights.map(
          [k](const Tensor& t) { return (5 * t + k).sin() + 0.5; });
    };
    const ParameterSet zeros = rule->slots(weights);
    findings.expect(zeros.size() % weights.size() == 0,
                    "has no slot for some weights");
    for (std::size_t i = 0; i < zeros.size(); ++i) {
      const std::string& name = zeros.name(i);
      const std::string of = name.substr(name.find('/') + 1);
      findings.expect(
          weights.contains(of) &&
              at::equal(zeros.tensors()[i], at::zeros_like(weights.at(of))),
          "slot '" + name + "' does not start as zeros of a weight's shape");
    }
    // As if some steps had been made: no entry is zero, moments are positive.
    const ParameterSet slots = zeros.map([](const Tensor& t) {
      return at::arange(1, t.numel() + 1, float64()).view(t.sizes()) / 8 + 0.2;
    });

    const TrainState state{weights.clone(), slots.clone(), 4};
    const ParameterSet g = some_gradient(0), settings = natural.clone();
    const TrainState first = rule->step(state, g, settings);
    const TrainState second = rule->step(state, g, settings);
    findings.expect(equal(first.weights, second.weights) &&
                        equal(first.slots, second.slots),
                    "gives another result for the same arguments");
    findings.expect(equal(state.weights, weights) &&
                        equal(state.slots, slots) && state.step == 4 &&
                        equal(g, some_gradient(0)) && equal(settings, natural),
                    "changes its arguments");
    findings.expect(first.step == 5, "does not count its step");
    findings.expect(alike(first.weights, weights) && alike(first.slots, slots),
                    "gives weights or slots of another form");

    findings.expect(particle_error(*rule, state, natural) < 1e-12,
                    "moves particles otherwise than each by itself");

    ParameterSet x;
    x.append("weights/", weights);
    x.append("slots/", slots);
    for (int k = 0; k < kSteps; ++k) {
      x.append(fmt::format("gradient {}/", k), some_gradient(k));
    }
    x.append("natural/", natural);
    x = x.leaves();
    const auto probe = [](const ParameterSet& like) {
      return like.map([](const Tensor& t) {
        return (at::arange(t.numel(), t.options()) + 0.5).cos().view(t.sizes());
      });
    };
    // One number that all weights and slots at the end have part in.
    const auto outcome = [&](const ParameterSet& in) {
      TrainState now{in.subset("weights/"), in.subset("slots/"), 2};
      for (int k = 0; k < kSteps; ++k) {
        now = rule->step(now, in.subset(fmt::format("gradient {}/", k)),
                         in.subset("natural/"));
      }
      const Tensor by_weights = dot(probe(now.weights), now.weights);
      return now.slots.empty()
                 ? by_weights
                 : by_weights + dot(probe(now.slots), now.slots).sin();
    };
    const ParameterSet slope = gradient(outcome(x), x);
    const ParameterSet reference = central_differences(x, outcome);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Tensor error = slope.tensors()[i] - reference.tensors()[i];
      // Both are zero for a limit that nothing reaches.
      findings.expect(error.norm().item<double>() <=
                          1e-6 * reference.tensors()[i].norm().item<double>(),
                      "has a wrong derivative by " + x.name(i));
    }
  });
}

Faults problem_faults(const Json& section, const Json& hyperparameters) {
  return found([&](Findings& findings) {
    const std::shared_ptr<const BilevelProblem> problem =
        ProblemRegistry::instance().make(section, {float64(), Key(1)});
    const bool declared =
        dynamic_cast<const Dynamics*>(problem.get()) != nullptr;
    judge_problem(findings, in_coordinates(problem, hyperparameters),
                  declared ? Gradient::kDeclared : Gradient::kOfValues);
  });
}

Faults model_faults(const Model& model, const Tensor& input) {
  return found(
      [&](Findings& findings) { judge_model(findings, model, input); });
}

Faults layer_faults(const Json& section, const Tensor& input) {
  return found([&](Findings& findings) {
    const Shape shape = input.sizes().slice(1).vec();
    const std::shared_ptr<const Layer> layer =
        LayerRegistry::instance().make(section, shape);
    const Sequential model(Chain(shape).add(section));
    Shape promised = layer->output_shape();
    promised.insert(promised.begin(), input.size(0));
    const Tensor y =
        model.forward(model.initial_weights(Key(1)).to(float64()), input, {});
    findings.expect(y.sizes() == at::IntArrayRef(promised),
                    "gives another shape than it promises");
    judge_model(findings, model, input);
  });
}

Faults dataset_faults(const Json& section) {
  return found([&](Findings& findings) {
    const auto source = DataRegistry::instance().make(section);
    disturb(1);
    const Examples first = source->load(Key(1));
    disturb(2);
    const Examples again = source->load(Key(1));
    const auto judge = [&](const Dataset& data, const Dataset& repeated) {
      if (!data.inputs.defined()) return;
      findings.expect(data.inputs.equal(repeated.inputs) &&
                          data.targets.equal(repeated.targets),
                      "the same key gives other examples");
      findings.expect(data.size() > 0 && data.targets.size(0) == data.size(),
                      "there is not one label for each example");
      findings.expect(data.inputs.isfinite().all().item<bool>(),
                      "inputs are not finite");
      findings.expect(
          data.targets.scalar_type() == at::kLong &&
              data.targets.min().item<std::int64_t>() >= 0 &&
              data.targets.max().item<std::int64_t>() < data.classes,
          "labels are not the numbers of classes");
    };
    findings.at("(training)");
    judge(first.training, again.training);
    findings.at("(test)");
    judge(first.test, again.test);
  });
}

}  // namespace nestgrad::testing
