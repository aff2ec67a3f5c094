#include "estimator_contract.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "bench.h"
#include "findings.h"

namespace nestgrad::testing {
namespace {

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
      const ParameterSet reference = central_differences(hyper, claim);
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

}  // namespace

Faults estimator_faults(const Json& section) {
  return found(named("estimator", section), [&](Findings& findings) {
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

}  // namespace nestgrad::testing
