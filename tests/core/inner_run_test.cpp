#include "core/inner_run.h"

#include <ATen/ATen.h>

#include <numeric>
#include <set>

#include "tests/kit/numbers.h"
#include "tests/support/counting_problem.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

using Steps = std::vector<std::int64_t>;

Truncation cut(std::int64_t window, std::int64_t horizon,
               std::int64_t outer_steps = 1, std::int64_t starts = 1) {
  Truncation out;
  out.window = window;
  out.horizon = horizon;
  out.outer_steps_per_window = outer_steps;
  out.starts = starts;
  return out;
}

Tensor w(const InnerRun& run) { return run.state().weights.at("w"); }

/// The weights after each of some turns, and which steps those trained.
struct Course {
  std::vector<Tensor> weights;
  std::vector<Steps> steps;
  std::vector<std::uint64_t> keys;  // what each window's first draw follows
};

Course course(const Truncation& truncation, int turns) {
  const CountingBench bench;
  InnerRun run(bench.loop, truncation);
  run.begin(bench.hyper, Key(5));
  Course out;
  for (int i = 0; i < turns; ++i) {
    bench.problem->draws.clear();
    run.advance(bench.hyper);
    out.weights.push_back(w(run));
    out.steps.push_back(bench.problem->steps());
    if (!bench.problem->draws.empty()) {
      out.keys.push_back(bench.problem->draws.front().key.bits());
    }
  }
  return out;
}

/// What training for some steps under one key makes of the start.
Tensor by_hand(const CountingBench& bench, const Key& run, int steps) {
  TrainState state = bench.loop.start(bench.hyper, run);
  for (int i = 0; i < steps; ++i) {
    state = bench.loop.step(state, bench.hyper, run);
  }
  return state.weights.at("w");
}

TEST_CASE("horizon 0 is one run that never starts again", "[inner_run]") {
  const Course c = course(cut(3, 0), 4);
  CHECK(c.steps ==
        std::vector<Steps>{{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9, 10, 11}});
}

TEST_CASE("a horizon of one window starts every window again", "[inner_run]") {
  const Course c = course(cut(3, 3), 3);
  CHECK(c.steps == std::vector<Steps>{{0, 1, 2}, {0, 1, 2}, {0, 1, 2}});
  CHECK(at::equal(c.weights[1], c.weights[0]));
  CHECK(at::equal(c.weights[2], c.weights[0]));
  CHECK(c.keys[1] == c.keys[0]);
}

TEST_CASE("a horizon of some windows starts again after them", "[inner_run]") {
  const Course c = course(cut(2, 6), 7);
  CHECK(c.steps == std::vector<Steps>{
                       {0, 1}, {2, 3}, {4, 5}, {0, 1}, {2, 3}, {4, 5}, {0, 1}});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(at::equal(c.weights[i + 3], c.weights[i]));
  }
  CHECK(!at::equal(c.weights[1], c.weights[0]));
  // Windows of one run make the same steps as the run in one piece.
  CHECK(at::equal(course(cut(6, 6), 1).weights[0], c.weights[2]));
}

TEST_CASE("fresh starts have new weights and new noise, the first excepted",
          "[inner_run]") {
  const Course c = course(cut(2, 4, 1, /*starts=*/0), 6);
  const Course same = course(cut(2, 4), 6);
  CHECK(c.steps == same.steps);
  CHECK(at::equal(c.weights[0], same.weights[0]));
  CHECK(at::equal(c.weights[1], same.weights[1]));
  CHECK(!at::equal(c.weights[2], c.weights[0]));
  CHECK(!at::equal(c.weights[4], c.weights[2]));
  CHECK(!at::equal(c.weights[4], c.weights[0]));
  CHECK(std::set<std::uint64_t>(c.keys.begin(), c.keys.end()).size() == 6);
  // They are as repeatable as any.
  const Course again = course(cut(2, 4, 1, 0), 6);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(at::equal(again.weights[i], c.weights[i]));
  }
}

TEST_CASE("runs that start again take turns among the given number of starts",
          "[inner_run]") {
  const Course c = course(cut(2, 2, 1, /*starts=*/3), 7);
  const Course fresh = course(cut(2, 2, 1, /*starts=*/0), 3);
  for (std::size_t i = 0; i < 7; ++i) {
    CAPTURE(i);
    CHECK(at::equal(c.weights[i], fresh.weights[i % 3]));
  }
}

TEST_CASE("windows of random length have every length and start from scratch",
          "[inner_run]") {
  Truncation random = cut(5, 5);
  random.shortest = 2;
  const Course c = course(random, 40);
  const Course whole = course(cut(1, 0), 5);
  std::set<std::size_t> lengths;
  for (std::size_t i = 0; i < 40; ++i) {
    const std::size_t length = c.steps[i].size();
    lengths.insert(length);
    Steps expected(length);
    std::iota(expected.begin(), expected.end(), 0);
    CHECK(c.steps[i] == expected);
    REQUIRE(length >= 1);
    CHECK(at::equal(c.weights[i], whole.weights[length - 1]));
  }
  CHECK(lengths == std::set<std::size_t>{2, 3, 4, 5});
}

TEST_CASE("advance trains at the first of several outer steps and then stays",
          "[inner_run]") {
  const Course c = course(cut(2, 4, /*outer_steps=*/3), 10);
  CHECK(c.steps == std::vector<Steps>{
                       {0, 1}, {}, {}, {2, 3}, {}, {}, {0, 1}, {}, {}, {2, 3}});
  for (std::size_t i = 0; i < 9; ++i) {
    CAPTURE(i);
    CHECK(at::equal(c.weights[i], c.weights[i / 3 * 3]));
  }
}

TEST_CASE("finish_turn stays until the last of several outer steps",
          "[inner_run]") {
  const CountingBench bench;
  const Course reference = course(cut(2, 4), 3);
  InnerRun run(bench.loop, cut(2, 4, /*outer_steps=*/3));
  run.begin(bench.hyper, Key(5));
  for (std::size_t window = 0; window < 3; ++window) {
    for (int turn = 0; turn < 3; ++turn) {
      CAPTURE(window, turn);
      const Tensor before = w(run);
      const TrainState end = run.unroll(bench.hyper, Tape::kOff);
      CHECK(at::equal(end.weights.at("w"), reference.weights[window]));
      CHECK(at::equal(w(run), before));
      run.finish_turn(end);
      CHECK(at::equal(w(run), turn < 2 ? before : reference.weights[window]));
    }
  }
}

TEST_CASE("a run stands at its initial weights before the first turn",
          "[inner_run]") {
  const CountingBench bench;
  InnerRun run(bench.loop, cut(2, 0));
  run.begin(bench.hyper, Key(5));
  CHECK(run.state().step == 0);
  CHECK(at::equal(w(run), by_hand(bench, run.run_key(), 0)));
  CHECK(bench.problem->draws.empty());
}

TEST_CASE("steps follow the key of the run that they belong to",
          "[inner_run]") {
  const std::int64_t starts = GENERATE(0, 1, 3);
  CAPTURE(starts);
  const CountingBench bench;
  InnerRun run(bench.loop, cut(2, 4, 1, starts));
  run.begin(bench.hyper, Key(5));
  for (int turn = 0; turn < 6; ++turn) {
    CAPTURE(turn);
    run.advance(bench.hyper);
    const int steps = turn % 2 == 0 ? 2 : 4;
    CHECK(run.state().step == steps);
    CHECK(at::equal(w(run), by_hand(bench, run.run_key(), steps)));
  }
}

TEST_CASE("begin forgets what was before", "[inner_run]") {
  const CountingBench bench;
  InnerRun run(bench.loop, cut(2, 4, 3, true)), other = run;
  run.begin(bench.hyper, Key(1));
  for (int turn = 0; turn < 8; ++turn) run.advance(bench.hyper);
  run.begin(bench.hyper, Key(5));
  other.begin(bench.hyper, Key(5));
  for (int turn = 0; turn < 8; ++turn) {
    run.advance(bench.hyper);
    other.advance(bench.hyper);
    CHECK(at::equal(w(run), w(other)));
    CHECK(run.draw("valid").key.bits() == other.draw("valid").key.bits());
  }
}

TEST_CASE("a copy of a run branches off", "[inner_run]") {
  const CountingBench bench;
  InnerRun run(bench.loop, cut(2, 0));
  run.begin(bench.hyper, Key(5));
  run.advance(bench.hyper);
  InnerRun branch = run;
  const Tensor before = w(run);
  branch.advance(bench.hyper);
  CHECK(at::equal(w(run), before));
  run.advance(bench.hyper);
  CHECK(at::equal(w(run), w(branch)));
}

TEST_CASE("draws differ by purpose, turn and run, and repeat", "[inner_run]") {
  const CountingBench bench;
  InnerRun run(bench.loop, cut(2, 2, /*outer_steps=*/2, true));
  run.begin(bench.hyper, Key(5));
  std::set<std::uint64_t> keys;
  std::set<std::int64_t> steps;
  for (int turn = 0; turn < 6; ++turn) {
    run.advance(bench.hyper);
    const Draw valid = run.draw("valid");
    keys.insert(valid.key.bits());
    keys.insert(run.draw("noise").key.bits());
    steps.insert(valid.step);
    CHECK(run.draw("valid").key.bits() == valid.key.bits());
    CHECK(run.draw("valid").step == valid.step);
    CHECK(run.draw("noise").step == valid.step);
  }
  CHECK(keys.size() == 12);
  CHECK(steps.size() == 6);
  for (const Draw& draw : bench.problem->draws) {
    CHECK(keys.count(draw.key.bits()) == 0);
  }
}

TEST_CASE("an unrolled window carries derivatives to hyper", "[inner_run]") {
  struct Turns {
    Truncation truncation;
    int before;
  };
  // Turn 1 starts again in cold start only.
  const auto [truncation, turns] =
      GENERATE(Turns{cut(4, 4), 0}, Turns{cut(4, 4), 1}, Turns{cut(4, 8), 1},
               Turns{cut(4, 0), 1});
  CAPTURE(truncation.horizon, turns);
  const CountingBench bench;
  InnerRun run(bench.loop, truncation);
  run.begin(bench.learned, Key(5));
  for (int i = 0; i < turns; ++i) run.advance(bench.learned);
  const bool starts = turns == 0 || truncation.horizon == 4;

  const ParameterSet hyper = bench.learned.leaves();
  const auto outcome = [&run](const ParameterSet& h, Tape tape) {
    return run.unroll(h, tape).weights.at("w").square().sum();
  };
  const ParameterSet g = gradient(outcome(hyper, Tape::kOn), hyper);
  const ParameterSet reference = central_differences(
      hyper, [&](const ParameterSet& h) { return outcome(h, Tape::kOff); });
  CHECK(relative_error(g, reference) < 1e-8);
  // With learning rate 0.1 and decay 0.5, 0.95 of the start is left per step;
  // a window that does not start a run sees its start as a constant.
  const Tensor end = run.unroll(hyper, Tape::kOff).weights.at("w");
  CHECK(at::allclose(
      g.at("start"),
      starts ? 2 * std::pow(0.95, 4) * end : at::zeros({2}, float64()), 1e-12));
}

TEST_CASE("what a run keeps and deploys is off every tape", "[inner_run]") {
  const CountingBench bench;
  const ParameterSet hyper = bench.learned.leaves();
  InnerRun run(bench.loop, cut(2, 2));
  run.begin(hyper, Key(5));
  CHECK(!w(run).requires_grad());
  const TrainState end = run.unroll(hyper, Tape::kOn);
  CHECK(end.weights.at("w").requires_grad());
  run.finish_turn(end);
  CHECK(!w(run).requires_grad());
  CHECK(at::equal(w(run), end.weights.at("w")));
  run.advance(hyper);
  CHECK(!w(run).requires_grad());
  const ParameterSet deployed = run.deployed(hyper);
  CHECK(at::equal(deployed.at("w"), w(run)));
  CHECK(!deployed.at("w").requires_grad());
}

TEST_CASE("a restored run continues identically", "[inner_run]") {
  const auto turns = GENERATE(0, 1, 2, 3, 5, 8);
  CAPTURE(turns);
  const CountingBench bench;
  // A key whose highest bit is set.
  const Key key(0xFEDCBA9876543210ULL);
  InnerRun run(bench.loop, cut(2, 4, /*outer_steps=*/3, true)), other = run;
  run.begin(bench.hyper, key);
  for (int i = 0; i < turns; ++i) run.advance(bench.hyper);
  restore(other, save(run));
  CHECK(at::equal(w(other), w(run)));
  CHECK(other.run_key().bits() == run.run_key().bits());
  for (int i = 0; i < 8; ++i) {
    CAPTURE(i);
    run.advance(bench.hyper);
    other.advance(bench.hyper);
    CHECK(at::equal(w(other), w(run)));
    CHECK(other.state().step == run.state().step);
    CHECK(other.draw("valid").key.bits() == run.draw("valid").key.bits());
    CHECK(other.draw("valid").step == run.draw("valid").step);
  }
}

TEST_CASE("the cut of training is read from a configuration", "[inner_run]") {
  const auto read = [](const std::string& json) {
    return Truncation::read(
        Config(complete(Truncation::schema(), Json::parse(json))));
  };
  const Truncation defaults = read("{}");
  CHECK(defaults.window == 10);
  CHECK(defaults.horizon == 0);
  CHECK(defaults.outer_steps_per_window == 1);
  CHECK(defaults.starts == 3);
  CHECK(defaults.shortest == 0);
  const Truncation all = read(
      R"({"window": 5, "horizon": 20, "outer_steps_per_window": 2,
          "starts": 2})");
  CHECK(all.window == 5);
  CHECK(all.horizon == 20);
  CHECK(all.outer_steps_per_window == 2);
  CHECK(all.starts == 2);
  for (const int horizon : {3, 12}) {
    CHECK_THROWS_WITH(
        read(fmt::format(R"({{"window": 5, "horizon": {}}})", horizon)),
        ContainsSubstring(fmt::format(
            "must be 0 or a multiple of the window, 5; is {}", horizon)));
  }
  CHECK_THROWS_AS(read(R"({"window": 0})"), ConfigError);
  CHECK(read(R"({"window": 5, "horizon": 5, "shortest": 5})").shortest == 5);
  CHECK_THROWS_WITH(read(R"({"window": 5, "horizon": 5, "shortest": 6})"),
                    ContainsSubstring("must be at most the window, 5; is 6"));
  CHECK_THROWS_WITH(read(R"({"window": 5, "horizon": 10, "shortest": 2})"),
                    ContainsSubstring("is only allowed in cold start"));
}

}  // namespace
TEST_CASE("weights are those at the end of the window, moved or not",
          "[inner_run]") {
  const CountingBench bench;
  InnerRun run(bench.loop, cut(3, 0, 2));
  run.begin(bench.hyper, Key(5));
  for (const int turn : {1, 2, 3, 4}) {
    CAPTURE(turn);
    const TrainState end = run.unroll(bench.hyper, Tape::kOff);
    CHECK(run.finish_turn(end) == (turn % 2 == 0));
    CHECK(at::equal(run.reached().weights.at("w"), end.weights.at("w")));
    CHECK(run.reached().step == (turn <= 2 ? 3 : 6));
    CHECK(at::equal(run.deployed(bench.hyper).at("w"), end.weights.at("w")));
    // A copy goes on from a saved turn.
    InnerRun other(bench.loop, cut(3, 0, 2));
    other.begin(bench.hyper, Key(6));
    restore(other, save(run));
    CHECK(at::equal(other.reached().weights.at("w"), end.weights.at("w")));
  }
}

}  // namespace nestgrad
