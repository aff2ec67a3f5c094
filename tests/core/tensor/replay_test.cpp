#include "core/tensor/replay.h"

#include <ATen/ATen.h>

#include "core/dataset.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/device.h"
#include "tests/fake_device/fake_device.h"

namespace nestgrad {
namespace {

at::Device there() { return device_named("privateuseone"); }

Tensor sent(const Tensor& t) { return t.to(there()); }

/// Two tensors that differ for every k.
ParameterSet example(int k) {
  const Key key = Key(7).fold(static_cast<std::uint64_t>(k));
  return {{"a", sent(key.fold("a").normal(at::empty({3, 4}, at::kDouble)))},
          {"b", sent(key.fold("b").normal(at::empty({4}, at::kDouble)))}};
}

/// A function with products, views, a convolution, something in place and a
/// derivative; counts how often its host runs.
struct Counting {
  int calls = 0;
  ParameterSets operator()(const ParameterSets& x) {
    ++calls;
    const ParameterSet w = x[0].leaves();
    const Tensor y = at::mv(w.at("a"), w.at("b")).tanh();
    const Tensor z =
        at::conv1d(w.at("a").reshape({1, 3, -1}), w.at("a").reshape({1, 3, -1}))
            .sum() +
        y.slice(0, 1, 3).exp().sum();
    Tensor sum = at::zeros({3}, y.options());
    sum.add_(y.detach());
    return {gradient(z, w), {{"sum", sum}, {"z", z}}};
  }
};

void check_equal(const ParameterSets& a, const ParameterSets& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(at::equal(a[i].flatten().to(at::kCPU), b[i].flatten().to(at::kCPU)));
  }
}

}  // namespace

TEST_CASE("a replayed function has the results of the function", "[replay]") {
  Replay replay(there());
  Counting f, plain;
  for (int k = 0; k < 5; ++k) {
    const ParameterSets x = {example(k)};
    check_equal(replay(std::ref(f), x), plain(x));
  }
  CHECK(f.calls == 2);
  CHECK(plain.calls == 5);
}

TEST_CASE("results of a replay stay what they are at the next replay",
          "[replay]") {
  Replay replay(there());
  Counting f;
  for (int k = 0; k < 2; ++k) replay(std::ref(f), {example(k)});
  const ParameterSets out = replay(std::ref(f), {example(2)});
  replay(std::ref(f), {example(3)});
  check_equal(out, Counting()({example(2)}));
}

TEST_CASE("a set that is whole is replayed as a whole", "[replay]") {
  Replay replay(there());
  const auto twice = [](const ParameterSets& x) -> ParameterSets {
    REQUIRE(x[0].whole().defined());
    return {x[0].unflatten(2 * x[0].whole())};
  };
  for (int k = 0; k < 4; ++k) {
    const ParameterSet x = example(k);
    const ParameterSets out = replay(twice, {x.unflatten(x.flatten())});
    CHECK(out[0].whole().defined());
    CHECK(
        at::equal(out[0].flatten().to(at::kCPU), 2 * x.flatten().to(at::kCPU)));
  }
}

TEST_CASE("other shapes are not replayed", "[replay]") {
  Replay replay(there());
  Counting f;
  for (int k = 0; k < 3; ++k) replay(std::ref(f), {example(k)});
  const ParameterSet other{{"a", sent(at::ones({3, 5}, at::kDouble))},
                           {"b", sent(at::ones({5}, at::kDouble))}};
  Counting plain;
  check_equal(replay(std::ref(f), {other}), plain({other}));
  CHECK(f.calls == 3);
  check_equal(replay(std::ref(f), {example(4)}), plain({example(4)}));
  CHECK(f.calls == 3);
}

TEST_CASE("what waits for the device or sends to it cannot be replayed",
          "[replay]") {
  const std::vector<std::pair<const char*, SetFunction>> functions = {
      {"reading of a number",
       [](const ParameterSets& x) -> ParameterSets {
         return {x[0].at("b").sum().item<double>() * x[0]};
       }},
      {"a transfer",
       [](const ParameterSets& x) -> ParameterSets {
         return {{{"c", x[0].at("b") + sent(at::ones({4}, at::kDouble))}}};
       }},
      {"a transfer",
       [](const ParameterSets& x) -> ParameterSets {
         return {{{"c", x[0].at("b").to(at::kCPU)}}};
       }},
      {"aten::nonzero", [](const ParameterSets& x) -> ParameterSets {
         return {{{"c", at::nonzero(x[0].at("b"))}}};
       }}};
  for (const auto& [obstacle, f] : functions) {
    CAPTURE(obstacle);
    Replay replay(there());
    replay(f, {example(0)});
    CHECK_THROWS_WITH(replay(f, {example(1)}),
                      ContainsSubstring(obstacle) &&
                          ContainsSubstring("without \"device_graphs\""));
    // The device is not left recording.
    CHECK(example(2).at("b").sum().item<double>() != 0);
  }
}

TEST_CASE("what has an argument on the CPU is not replayed", "[replay]") {
  Replay replay(there());
  const auto f = [](const ParameterSets& x) -> ParameterSets {
    return {x[1].at("s").item<double>() * x[0]};
  };
  for (int k = 0; k < 4; ++k) {
    const ParameterSet s{{"s", at::scalar_tensor(k, at::kDouble)}};
    check_equal(replay(f, {example(k), s}), f({example(k), s}));
  }
}

TEST_CASE("a first call that fails is made again", "[replay]") {
  Replay replay(there());
  int calls = 0;
  const auto f = [&](const ParameterSets& x) -> ParameterSets {
    const Tensor c =
        host_constant([] { return sent(at::full({4}, 3, at::kDouble)); });
    require(++calls > 1, "not yet");
    return {{{"c", x[0].at("b") * c}}};
  };
  CHECK_THROWS_WITH(replay(f, {example(0)}), ContainsSubstring("not yet"));
  for (int k = 1; k < 4; ++k) {
    CHECK(at::equal(replay(f, {example(k)})[0].at("c").to(at::kCPU),
                    3 * example(k).at("b").to(at::kCPU)));
  }
}

TEST_CASE("large functions are kept only as long as there is room",
          "[replay]") {
  ReplayCache replays(there(), /*bytes=*/200);
  int calls = 0;
  const auto f = [&](const ParameterSets& x) -> ParameterSets {
    ++calls;
    return {2.0 * x[0]};
  };
  // Arguments and results of one take 192 bytes.
  const auto call = [&](const char* name, int k) {
    replays(name, f, {{{"x", example(k).at("a")}}});
  };
  for (int k = 0; k < 3; ++k) call("a", k);
  CHECK(calls == 2);
  for (int k = 0; k < 3; ++k) call("b", k);
  CHECK(calls == 4);
  call("a", 3);
  CHECK(calls == 5);
}

TEST_CASE("a constant of the host is made once and kept", "[replay]") {
  Replay replay(there());
  int made = 0;
  Tensor cache;  // of one constant, as a schedule of minibatches has it
  const auto f = [&](const ParameterSets& x) -> ParameterSets {
    ParameterSet out;
    for (int i = 0; i < 3; ++i) {
      cache = host_constant([&] {
        ++made;
        return sent(at::full({4}, i, at::kDouble));
      });
      out.insert(fmt::format("{}", i), x[0].at("b") * cache);
    }
    return {out};
  };
  for (int k = 0; k < 4; ++k) {
    const ParameterSets out = replay(f, {example(k)});
    cache = Tensor();
    for (int i = 0; i < 3; ++i) {
      CHECK(
          at::equal(out[0].tensors()[static_cast<std::size_t>(i)].to(at::kCPU),
                    example(k).at("b").to(at::kCPU) * i));
    }
  }
  CHECK(made == 3);
}

TEST_CASE("a recording whose memory somebody else has given back is refused",
          "[replay][fake_device]") {
  Replay replay(there());
  Tensor table = sent(at::ones({4}, at::kDouble));
  const auto f = [&](const ParameterSets& x) -> ParameterSets {
    return {{{"c", x[0].at("b") * table}}};
  };
  for (int k = 0; k < 3; ++k) replay(f, {example(k)});
  table = Tensor();
  CHECK_THROWS_WITH(replay(f, {example(3)}),
                    ContainsSubstring("memory that nobody has"));
}

TEST_CASE("minibatches of several epochs are replayed", "[replay]") {
  const BatchSchedule schedule(6, 2, Key(3), there());
  Replay replay(there());
  const auto sums = [&](const ParameterSets& x) -> ParameterSets {
    ParameterSet out;
    for (std::int64_t step = 0; step < 9; ++step) {
      out.insert(fmt::format("{}", step),
                 x[0].at("x").index_select(0, schedule.rows(step)));
    }
    return {out};
  };
  for (int k = 0; k < 4; ++k) {
    const Tensor x =
        Key(static_cast<std::uint64_t>(k)).normal(at::empty({6}, at::kDouble));
    const ParameterSets out = replay(sums, {{{"x", sent(x)}}});
    for (std::int64_t step = 0; step < 9; ++step) {
      CHECK(at::equal(
          out[0].tensors()[static_cast<std::size_t>(step)].to(at::kCPU),
          x.index_select(0, schedule.rows(step).to(at::kCPU))));
    }
  }
}

TEST_CASE("what happens on the host happens at every replay", "[replay]") {
  Replay replay(there());
  int counted = 0;
  const auto f = [&](const ParameterSets& x) -> ParameterSets {
    each_time([&] { counted += 2; });
    return {2.0 * x[0]};
  };
  for (int k = 0; k < 5; ++k) {
    replay(f, {example(k)});
    CHECK(counted == 2 * (k + 1));
  }
}

TEST_CASE("a replay within a replay is part of it", "[replay]") {
  Replay outer(there()), inner(there());
  Counting f;
  const auto both = [&](const ParameterSets& x) {
    return inner(std::ref(f), x);
  };
  for (int k = 0; k < 4; ++k) {
    check_equal(outer(both, {example(k)}), Counting()({example(k)}));
  }
  CHECK(f.calls == 2);
}

TEST_CASE("of functions by name, those called last are kept", "[replay]") {
  ReplayCache replays(there());
  std::map<int, Counting> functions;
  const auto call = [&](int n) {
    return replays(fmt::format("{}", n), std::ref(functions[n]), {example(n)});
  };
  for (int round = 0; round < 4; ++round) {
    for (int n = 0; n < 3; ++n) {
      check_equal(call(n), Counting()({example(n)}));
    }
  }
  CHECK(functions[0].calls == 2);
  for (int n = 3; n < 600; ++n) call(n);
  call(0);
  call(599);
  CHECK(functions[0].calls == 3);
  call(599);
  CHECK(functions[599].calls == 2);
}

TEST_CASE("a device that cannot record is told", "[replay]") {
  CHECK_THROWS_WITH(ReplayCache(at::Device(at::kCPU)),
                    ContainsSubstring("'cpu' cannot record") &&
                        ContainsSubstring("privateuseone"));
}

}  // namespace nestgrad
