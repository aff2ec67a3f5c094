#include "optimizer_contract.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/tensor/autodiff.h"
#include "findings.h"
#include "numbers.h"
#include "particles.h"

namespace nestgrad::testing {
namespace {

ParameterSet some_weights() {
  const Tensor flat = (at::arange(6, float64()) * 1.3).cos();
  return {{"w", flat.narrow(0, 0, 4).view({2, 2})},
          {"b", flat.narrow(0, 4, 1)},
          {"s", flat[5].clone()}};
}

/// The k-th: no entry is near zero, norms are above 1.
ParameterSet some_gradient(const ParameterSet& weights, int k) {
  return weights.map([k](const Tensor& t) { return (5 * t + k).sin() + 0.5; });
}

/// Slots as after some steps: no entry is zero, moments are positive.
ParameterSet some_slots(const ParameterSet& zeros) {
  return zeros.map([](const Tensor& t) {
    return at::arange(1, t.numel() + 1, float64()).view(t.sizes()) / 8 + 0.2;
  });
}

void judge_zeros(Findings& findings, const ParameterSet& zeros,
                 const ParameterSet& weights) {
  // Numbers of the whole rule come last.
  std::size_t of_weights = zeros.size();
  while (of_weights > 0 &&
         zeros.name(of_weights - 1).find('/') == std::string::npos) {
    --of_weights;
    findings.expect(zeros.tensors()[of_weights].dim() == 0 &&
                        zeros.tensors()[of_weights].item<double>() == 0,
                    "slot '" + zeros.name(of_weights) +
                        "' of the whole rule is no number 0");
  }
  findings.expect(of_weights % weights.size() == 0,
                  "has no slot for some weights");
  for (std::size_t i = 0; i < of_weights; ++i) {
    const std::string& name = zeros.name(i);
    const std::string of = name.substr(name.find('/') + 1);
    findings.expect(
        weights.contains(of) &&
            at::equal(zeros.tensors()[i], at::zeros_like(weights.at(of))),
        "slot '" + name + "' does not start as zeros of a weight's shape");
  }
}

void judge_step(Findings& findings, const Optimizer& rule,
                const TrainState& start, const ParameterSet& natural) {
  const TrainState state{start.weights.clone(), start.slots.clone(), start.step,
                         /*particles=*/0, start.noise};
  const ParameterSet g = some_gradient(start.weights, 0);
  const ParameterSet settings = natural.clone();
  const TrainState first = rule.step(state, g, settings);
  const TrainState second = rule.step(state, g, settings);
  findings.expect(
      equal(first.weights, second.weights) && equal(first.slots, second.slots),
      "gives another result for the same arguments");
  findings.expect(
      equal(state.weights, start.weights) && equal(state.slots, start.slots) &&
          state.step == start.step &&
          equal(g, some_gradient(start.weights, 0)) && equal(settings, natural),
      "changes its arguments");
  findings.expect(first.step == start.step + 1, "does not count its step");
  findings.expect(
      alike(first.weights, start.weights) && alike(first.slots, start.slots),
      "gives weights or slots of another form");
  const TrainState later{state.weights, state.slots, state.step + 5,
                         /*particles=*/0, state.noise};
  const TrainState moved = rule.step(later, g, settings);
  findings.expect(!rule.same_at_every_step(natural, 0) ||
                      (equal(moved.weights, first.weights) &&
                       equal(moved.slots, first.slots)),
                  "does something else in a later step, though it says that "
                  "all steps are alike");
  TrainState with_other_noise = state;
  with_other_noise.noise = Key(12);
  findings.expect(rule.draws_noise() !=
                      equal(rule.step(with_other_noise, g, settings).weights,
                            first.weights),
                  "does not say rightly whether it draws noise");
  findings.expect(particle_error(rule, state, natural) < 1e-12,
                  "moves particles otherwise than each by itself");
}

/// A step of the first and of the other numbers of each weight tensor, for a
/// rule that says that it moves each number by itself.
void judge_parts(Findings& findings, const Optimizer& rule,
                 const TrainState& start, const ParameterSet& natural) {
  if (!rule.moves_each_number()) return;
  const ParameterSet gradient = some_gradient(start.weights, 0);
  const TrainState whole = rule.step(start, gradient, natural);
  const std::size_t n = start.weights.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::int64_t numbers = start.weights.tensors()[i].numel();
    const auto judge = [&](std::int64_t first, std::int64_t count) {
      const auto some = [&](const Tensor& t) {
        return t.reshape(-1).narrow(0, first, count);
      };
      std::vector<Tensor> slots, expected;
      for (std::size_t j = i; j < start.slots.size(); j += n) {
        slots.push_back(some(start.slots.tensors()[j]));
        expected.push_back(some(whole.slots.tensors()[j]));
      }
      const ParameterSet w{
          {start.weights.name(i), some(start.weights.tensors()[i])}};
      const TrainState part =
          rule.step({w, rule.slots(w).with(slots), start.step, 0, start.noise},
                    w.with({some(gradient.tensors()[i])}), natural);
      findings.expect(
          equal(part.weights, w.with({some(whole.weights.tensors()[i])})) &&
              equal(part.slots, part.slots.with(expected)),
          "moves some numbers otherwise without the others, though it says "
          "that it moves each by itself");
    };
    judge(0, numbers / 2);
    judge(numbers / 2, numbers - numbers / 2);
  }
}

/// Derivatives of some steps by all that goes into them.
void judge_slopes(Findings& findings, const Optimizer& rule,
                  const TrainState& start, const ParameterSet& natural) {
  constexpr int kSteps = 3;
  ParameterSet x;
  x.append("weights/", start.weights);
  x.append("slots/", start.slots);
  for (int k = 0; k < kSteps; ++k) {
    x.append(fmt::format("gradient {}/", k), some_gradient(start.weights, k));
  }
  x.append("natural/", natural);
  x = x.leaves();
  const auto probe = [](const ParameterSet& like) {
    return like.map([](const Tensor& t) {
      return (at::arange(t.numel(), t.options()) + 0.5).cos().view(t.sizes());
    });
  };
  // One number that depends on all weights and slots at the end.
  const auto outcome = [&](const ParameterSet& in) {
    TrainState now{in.subset("weights/"), in.subset("slots/"), 2};
    for (int k = 0; k < kSteps; ++k) {
      now.noise = start.noise;
      now = rule.step(now, in.subset(fmt::format("gradient {}/", k)),
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
}

}  // namespace

Faults optimizer_faults(const Json& section, const ParameterSet& natural) {
  return found(named("training rule", section), [&](Findings& findings) {
    const auto rule = OptimizerRegistry::instance().make(section);
    const ParameterSet weights = some_weights();
    const ParameterSet zeros = rule->slots(weights);
    judge_zeros(findings, zeros, weights);
    const TrainState start{weights, some_slots(zeros), 4, 0, Key(11)};
    judge_step(findings, *rule, start, natural);
    judge_parts(findings, *rule, start, natural);
    judge_slopes(findings, *rule, start, natural);
  });
}

}  // namespace nestgrad::testing
