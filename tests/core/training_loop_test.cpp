#include "core/training_loop.h"

#include <ATen/ATen.h>

#include "core/flattened.h"
#include "core/tensor/device.h"
#include "tests/kit/bench.h"
#include "tests/kit/numbers.h"
#include "tests/support/counting_problem.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Bench momentum_bench() {
  return network_bench(
      {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", "$momentum"}},
      /*batch=*/4);
}

TrainState trained(const TrainingLoop& loop, TrainState state,
                   const ParameterSet& hyper, const Key& run, int steps,
                   Tape tape = Tape::kOff) {
  for (int i = 0; i < steps; ++i) state = loop.step(state, hyper, run, tape);
  return state;
}

bool equal(const TrainState& a, const TrainState& b) {
  return a.step == b.step &&
         at::equal(a.weights.flatten(), b.weights.flatten()) &&
         at::equal(a.slots.flatten(), b.slots.flatten());
}

bool on_tape(const ParameterSet& set) {
  for (const Tensor& t : set.tensors()) {
    if (t.requires_grad()) return true;
  }
  return false;
}

TEST_CASE("training starts at the problem's weights with an empty memory",
          "[training_loop]") {
  const Bench bench = momentum_bench();
  const TrainState state = bench.loop->start(bench.hyper, Key(3));
  CHECK(state.step == 0);
  CHECK(
      alike(state.weights, bench.problem->initial_weights(bench.hyper, Key())));
  CHECK(at::equal(state.slots.flatten(),
                  at::zeros({state.weights.numel()}, float64())));
  CHECK(equal(state, bench.loop->start(bench.hyper, Key(3))));
  CHECK(!equal(state, bench.loop->start(bench.hyper, Key(4))));
}

TEST_CASE("a step is the rule on the gradient of the loss at its draw",
          "[training_loop]") {
  const Tape tape = GENERATE(Tape::kOff, Tape::kOn);
  const CountingBench bench;
  TrainState state = bench.loop.start(bench.hyper, Key(1));
  Tensor w = state.weights.at("w");
  for (int i = 0; i < 5; ++i) {
    state = bench.loop.step(state, bench.hyper, Key(1), tape);
    const Draw& draw = bench.problem->draws.back();
    CHECK(draw.step == i);
    w = w - 0.1 * (0.5 * w + CountingProblem::slope(draw));
    CHECK(relative_error(state.weights.at("w"), w) < 1e-14);
    CHECK(state.step == i + 1);
  }
  CHECK(bench.problem->draws.size() == 5);
}

TEST_CASE("noise differs from step to step and from run to run",
          "[training_loop]") {
  const CountingBench bench;
  const TrainState start = bench.loop.start(bench.hyper, Key(1));
  trained(bench.loop, start, bench.hyper, Key(1), 3);
  trained(bench.loop, start, bench.hyper, Key(2), 3);
  std::set<std::uint64_t> keys;
  for (const Draw& draw : bench.problem->draws) keys.insert(draw.key.bits());
  CHECK(keys.size() == 6);
}

TEST_CASE("a stretch of a run is repeated exactly and changes no argument",
          "[training_loop]") {
  const Bench bench = momentum_bench();
  const Key run(3);
  const TrainState start = bench.loop->start(bench.hyper, run);
  const TrainState middle = trained(*bench.loop, start, bench.hyper, run, 4);
  const TrainState copy{middle.weights.clone(), middle.slots.clone(),
                        middle.step};
  const ParameterSet hyper = bench.hyper.clone();
  const TrainState end = trained(*bench.loop, middle, bench.hyper, run, 3);
  CHECK(equal(middle, copy));
  CHECK(at::equal(bench.hyper.flatten(), hyper.flatten()));
  CHECK(equal(trained(*bench.loop, middle, bench.hyper, run, 3), end));
  CHECK(equal(trained(*bench.loop, start, bench.hyper, run, 7), end));
  // Another minibatch: the noise is not all that depends on the step.
  TrainState shifted = middle;
  shifted.step = 5;
  CHECK(!equal(trained(*bench.loop, shifted, bench.hyper, run, 3), end));
}

TEST_CASE("tape on and tape off give the same numbers", "[training_loop]") {
  const Bench bench = momentum_bench();
  const Key run(3);
  const ParameterSet hyper = bench.hyper.leaves();
  const TrainState start = bench.loop->start(hyper, run);
  const TrainState on = trained(*bench.loop, start, hyper, run, 6, Tape::kOn);
  const TrainState off = trained(*bench.loop, start, hyper, run, 6);
  CHECK(equal(on, off));
  CHECK(on_tape(on.weights));
  CHECK(on_tape(on.slots));
  CHECK(!on_tape(off.weights));
  CHECK(!on_tape(off.slots));
  // Off means off, even if what comes in is on a tape.
  const TrainState after = bench.loop->step(on, hyper, run);
  CHECK(!on_tape(after.weights));
  CHECK(!on_tape(after.slots));
}

TEST_CASE("the tape carries derivatives to hyper, weights and slots",
          "[training_loop]") {
  const Bench bench = momentum_bench();
  const Key run(3);
  const TrainState begun = trained(
      *bench.loop, bench.loop->start(bench.hyper, run), bench.hyper, run, 2);
  ParameterSet inputs;
  inputs.append("hyper/", bench.hyper);
  inputs.append("weights/", begun.weights);
  inputs.append("slots/", begun.slots);
  const auto outcome = [&](const ParameterSet& in, Tape tape) {
    const TrainState end = trained(
        *bench.loop, {in.subset("weights/"), in.subset("slots/"), begun.step},
        in.subset("hyper/"), run, 4, tape);
    const Tensor all =
        at::cat({end.weights.flatten(), end.slots.flatten()}).sin();
    return at::dot(all, at::arange(all.numel(), float64()).cos());
  };
  const ParameterSet x = inputs.leaves();
  const ParameterSet g = gradient(outcome(x, Tape::kOn), x);
  const ParameterSet reference = central_differences(
      x, [&](const ParameterSet& at) { return outcome(at, Tape::kOff); });
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x.name(i));
    CHECK(relative_error(g.tensors()[i], reference.tensors()[i]) < 1e-6);
  }
}

/// Two weights, one of which starts at a hyperparameter.
class HalfLearned : public BilevelProblem {
 public:
  explicit HalfLearned(bool learned_first) : learned_first_(learned_first) {}

  std::vector<Hyperparameter> hyperparameters() const override { return {}; }

  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key&) const override {
    const std::pair<std::string, Tensor> fixed{
        "fixed", at::tensor({0.2, 0.7}, float64())};
    const std::pair<std::string, Tensor> learned{"learned", hyper.at("start")};
    return learned_first_ ? ParameterSet{learned, fixed}
                          : ParameterSet{fixed, learned};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return (weights.at("learned") * weights.at("fixed")).sin().sum();
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.flatten().square().sum();
  }

 private:
  bool learned_first_;
};

TEST_CASE("weights that start at a hyperparameter give it a derivative",
          "[training_loop]") {
  const bool learned_first = GENERATE(true, false);
  CAPTURE(learned_first);
  const auto problem = std::make_shared<HalfLearned>(learned_first);
  const TrainingLoop loop(problem, OptimizerRegistry::instance().make(
                                       Json{{"type", "sgd"}, {"lr", 0.3}}));
  const ParameterSet hyper =
      ParameterSet{{"start", at::tensor({0.5, -0.4}, float64())}}.leaves();
  const auto outcome = [&](const ParameterSet& h, Tape tape) {
    const TrainState end =
        trained(loop, loop.start(h, Key()), h, Key(), 3, tape);
    return problem->valid_loss(end.weights, h, Draw());
  };
  const ParameterSet reference = central_differences(
      hyper, [&](const ParameterSet& h) { return outcome(h, Tape::kOff); });
  CHECK(relative_error(gradient(outcome(hyper, Tape::kOn), hyper), reference) <
        1e-8);
}

TEST_CASE("a flattened problem is the same problem", "[flattened]") {
  const Bench bench = momentum_bench();
  const auto flat = std::make_shared<Flattened>(bench.problem);
  const ParameterSet hyper = bench.hyper.leaves();
  const ParameterSet own =
      bench.problem->initial_weights(hyper, Key(8)).leaves();
  const ParameterSet one = flat->initial_weights(hyper, Key(8)).leaves();
  REQUIRE(one.size() == 1);
  REQUIRE(one.name(0) == "weights");
  CHECK(at::equal(one.at("weights"), own.flatten()));

  const Draw draw{2, Key(9)};
  const Tensor loss = bench.problem->train_loss(own, hyper, draw);
  const Tensor flat_loss = flat->train_loss(one, hyper, draw);
  CHECK(loss.item<double>() == Approx(flat_loss.item<double>()).epsilon(1e-14));
  CHECK(
      bench.problem->valid_loss(own, hyper, draw).item<double>() ==
      Approx(flat->valid_loss(one, hyper, draw).item<double>()).epsilon(1e-14));
  const Partials expected = partials(loss, own, hyper);
  const Partials got = partials(flat_loss, one, hyper);
  CHECK(relative_error(got.weights.at("weights"), expected.weights.flatten()) <
        1e-13);
  CHECK(relative_error(got.hyper, expected.hyper) < 1e-13);

  const ParameterSet deployed = flat->deployed(one, hyper);
  REQUIRE(alike(deployed, own));
  CHECK(at::equal(deployed.flatten(), own.flatten()));
  CHECK(at::equal(flat->natural(hyper).flatten(),
                  bench.problem->natural(hyper).flatten()));
}

TEST_CASE("training a flattened problem gives the same weights",
          "[flattened]") {
  const Tape tape = GENERATE(Tape::kOff, Tape::kOn);
  const Bench bench = momentum_bench();
  const TrainingLoop flat(std::make_shared<Flattened>(bench.problem),
                          bench.loop->optimizer());
  const Key run(3);
  const ParameterSet hyper = bench.hyper.leaves();
  const TrainState a =
      trained(*bench.loop, bench.loop->start(hyper, run), hyper, run, 20, tape);
  const TrainState b =
      trained(flat, flat.start(hyper, run), hyper, run, 20, tape);
  CHECK(relative_error(b.weights.flatten(), a.weights.flatten()) < 1e-12);
  CHECK(relative_error(b.slots.flatten(), a.slots.flatten()) < 1e-12);
  if (tape == Tape::kOn) {
    CHECK(relative_error(gradient(b.weights.flatten().sum(), hyper),
                         gradient(a.weights.flatten().sum(), hyper)) < 1e-11);
  }
}

/// The same problem with a training loss of twice the size.
class Doubled : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return 2 * ProblemDecorator::train_loss(weights, hyper, draw);
  }
};

TEST_CASE("a stretch is replayed where it comes again, and no other",
          "[training_loop][replay]") {
  const at::Device before = float64().device();
  testing::judge_on(device_named("privateuseone"));
  const Bench bench = momentum_bench();
  const TrainingLoop plain(bench.problem, bench.loop->optimizer(),
                           Minibatches::kOfRun);
  const TrainingLoop replaying(
      bench.problem, plain.optimizer(), Minibatches::kOfRun,
      std::make_shared<ReplayCache>(float64().device()));
  const auto doubled = std::make_shared<Doubled>(bench.problem);
  const TrainingLoop plain_doubled = plain.of(doubled),
                     replaying_doubled = replaying.of(doubled);
  const auto same = [](const TrainState& a, const TrainState& b) {
    const auto here = [](const ParameterSet& set) {
      return set.flatten().to(at::kCPU);
    };
    return a.step == b.step && at::equal(here(a.weights), here(b.weights)) &&
           at::equal(here(a.slots), here(b.slots));
  };
  for (int round = 0; round < 4; ++round) {
    const ParameterSet hyper = (1 + 0.1 * round) * bench.hyper;
    for (const std::uint64_t run : {1, 2}) {
      for (const std::int64_t count : {3, 5}) {
        CAPTURE(round, run, count);
        const Key key(run);
        const TrainState start = plain.start(hyper, key).detach();
        const TrainState end = plain.steps(start, count, hyper, key);
        CHECK(same(replaying.steps(start, count, hyper, key), end));
        CHECK(same(replaying.steps(end, count, hyper, key),
                   plain.steps(end, count, hyper, key)));
        CHECK(same(replaying_doubled.steps(start, count, hyper, key),
                   plain_doubled.steps(start, count, hyper, key)));
      }
    }
  }
  testing::judge_on(before);
}

}  // namespace
}  // namespace nestgrad
