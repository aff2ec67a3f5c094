#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/reversible/reversible_state.h"
#include "core/nn/weight_forms.h"
#include "core/platform/memory_meter.h"
#include "core/tensor/autodiff.h"
#include "tests/support/reversible_cases.h"

namespace nestgrad {
namespace {

/// Factors as the gates of a network give them, and what is added.
struct Update {
  Update(const Key& key, double max_forget, const at::TensorOptions& options)
      : keep(ReversibleState::nearest_factor(
            max_forget *
                key.fold(1).normal(at::empty({4, 64}, options)).sigmoid() +
            (1 - max_forget))),
        add((1 - keep) *
            key.fold(2).normal(at::empty({4, 64}, options)).tanh()) {}

  Tensor keep, add;
};

/// d sum(v * y) / d(weights, x) for y = f(weights, x), and the derivative of
/// its sum with respect to the same, weighted by more numbers.
struct Derivatives {
  ParameterSet first, second;

  template <class F>
  Derivatives(const ParameterSet& weights, const Tensor& x, const F& f) {
    ParameterSet from = weights;
    from.insert("x", x);
    const ParameterSet leaves = from.leaves();
    const Tensor y =
        f(weights.with({leaves.tensors().begin(), leaves.tensors().end() - 1}),
          leaves.at("x"));
    const Tensor loss = (y * Key(5).normal(y) + y.square()).sum();
    first = gradient(loss, leaves, Tape::kOff, Graph::kKeep);
    const ParameterSet on_tape = gradient(loss, leaves, Tape::kOn);
    Tensor sum = at::zeros({}, x.options());
    for (std::size_t i = 0; i < on_tape.size(); ++i) {
      const Tensor& g = on_tape.tensors()[i];
      sum = sum + (g * Key(6).fold(i).normal(g)).sum();
    }
    second = gradient(sum, leaves);
  }
};

LayerCase with_time(LayerCase c, std::int64_t time) {
  c.input[0] = time;
  return c;
}

/// The memory that a tape of the layer takes, and the peak while it is walked,
/// for the squares of the output of all steps or of the last.
struct TapeMemory {
  TapeMemory(const Json& config, std::int64_t time) {
    const auto layer = LayerRegistry::instance().make(config, {time, 16});
    const ParameterSet w = layer->initial_weights(Key(1)).leaves();
    const Tensor x = Key(2).normal(at::empty({8, time, 16}));
    MemoryMeter meter;
    Tensor y = layer->apply(SharedWeights(w), x, Pass());
    const Tensor loss = y.square().sum();
    const std::int64_t outputs = y.numel() * y.element_size();
    y = Tensor();
    kept = meter.current() - outputs;
    gradient(loss, w);
    peak = meter.peak();
  }

  std::int64_t kept, peak;
};

}  // namespace

TEST_CASE("a reversible state comes back bit for bit after 1000 updates",
          "[layers]") {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const double max_forget : {0.5, 0.75, 0.875, 0.96875, 1.}) {
      CAPTURE(max_forget);
      const at::TensorOptions options = at::TensorOptions().dtype(type);
      ReversibleState state({4, 64}, options);
      double forgotten = 0;
      std::vector<Tensor> values;
      for (std::uint64_t t = 0; t < 1000; ++t) {
        values.push_back(state.values());
        const Update now(Key(3).fold(t), max_forget, options);
        state.update(now.keep, now.add);
        forgotten -= now.keep.to(at::kDouble).log2().sum().item<double>();
        // Rounding: less than 1024 units of a product, half a unit of the sum.
        const Tensor product = now.keep * values.back() + now.add;
        const double unit =
            std::ldexp(1., -ReversibleState::fraction_bits(type));
        CHECK((state.values() - product).abs().max().item<double>() <
              1025 * unit);
      }
      // No more is kept than is forgotten.
      CHECK(state.bits() == Approx(forgotten).epsilon(0.01));
      for (std::uint64_t t = 1000; t-- > 0;) {
        const Update now(Key(3).fold(t), max_forget, options);
        state.undo(now.keep, now.add);
        REQUIRE(at::equal(state.values(), values[t]));
      }
      CHECK(state.at_beginning());
      CHECK(state.bits() == 0);
    }
  }
}

TEST_CASE("a copy of a reversible state is undone without the other",
          "[layers]") {
  ReversibleState state({4, 64}, float64());
  for (std::uint64_t t = 0; t < 200; ++t) {
    const Update now(Key(3).fold(t), 1, float64());
    state.update(now.keep, now.add);
  }
  for (int time = 0; time < 2; ++time) {
    ReversibleState copy = state;
    for (std::uint64_t t = 200; t-- > 0;) {
      const Update now(Key(3).fold(t), 1, float64());
      copy.undo(now.keep, now.add);
    }
    CHECK(copy.at_beginning());
  }
  CHECK_FALSE(state.at_beginning());
}

TEST_CASE("what is no number makes a reversible state NaN, and nothing breaks",
          "[layers]") {
  const Tensor half = at::full({2}, 0.5, float64());
  for (const double bad : {double{NAN}, double{INFINITY}, -double{INFINITY}}) {
    ReversibleState state({2}, float64());
    state.update(half, half);
    CHECK(state.finite());
    state.update(at::full({2}, bad, float64()), half);
    CHECK_FALSE(state.finite());
    CHECK(state.values().isnan().all().item<bool>());
    state.update(half, half);
    CHECK(state.values().isnan().all().item<bool>());
    CHECK_THROWS_AS(state.undo(half, half), Error);
    ReversibleState other({2}, float64());
    other.update(half, at::full({2}, bad, float64()));
    CHECK_FALSE(other.finite());
  }
}

TEST_CASE(
    "derivatives of reversible layers, first and second, equal those of the "
    "same arithmetic on a tape",
    "[layers]") {
  for (const LayerCase& short_case : reversible_cases()) {
    const LayerCase c = with_time(short_case, 12);
    CAPTURE(c.config.dump());
    const auto layer = c.make();
    const ParameterSet w = weights_for(c);
    const Tensor x = input_for(c);
    const bool all = c.config.value("output", "last") == "all";
    const double m = c.config.value("max_forget", 0.875);
    const std::int64_t slice = layer->output_shape().back();
    const Derivatives found(w, x, [&](const ParameterSet& p, const Tensor& y) {
      return layer->apply(SharedWeights(p), y, Pass());
    });
    const Derivatives expected(
        w, x, [&](const ParameterSet& p, const Tensor& y) {
          const Tensor states = c.type() == "rev_gru"
                                    ? rev_gru_states(p, y, m)
                                    : rev_lstm_states(p, y, m);
          return (all ? states : states.select(1, 11)).narrow(-1, 0, slice);
        });
    CHECK(relative_error(found.first, expected.first) < 1e-10);
    CHECK(relative_error(found.second, expected.second) < 1e-10);
  }
}

TEST_CASE("a tape of a reversible layer can be walked after the layer is gone",
          "[layers]") {
  const LayerCase c = reversible_cases().front();
  const ParameterSet w = weights_for(c).leaves();
  const Tensor y = c.make()->apply(SharedWeights(w), input_for(c), Pass());
  const ParameterSet first = gradient(y.sum(), w, Tape::kOff, Graph::kKeep);
  CHECK(norm(first).item<double>() > 0);
  CHECK(relative_error(gradient(y.sum(), w), first) == 0);
}

TEST_CASE("weights that are no numbers give NaN and no error", "[layers]") {
  const LayerCase c = reversible_cases().front();
  const ParameterSet w =
      weights_for(c).map([](const Tensor& t) { return t * NAN; }).leaves();
  const Tensor y = c.make()->apply(SharedWeights(w), input_for(c), Pass());
  CHECK(y.isnan().all().item<bool>());
  for (const Tensor& g : gradient(y.sum(), w).tensors()) {
    CHECK(g.isnan().all().item<bool>());
  }
}

TEST_CASE("a reversible network takes an eighth of the memory of the other",
          "[layers]") {
  for (const auto& [reversible, taped] :
       {std::pair("rev_gru", "gru"), std::pair("rev_lstm", "lstm")}) {
    CAPTURE(reversible);
    Json config = {{"type", taped}, {"hidden", 64}};
    const TapeMemory other(config, 200);
    config["type"] = reversible;
    const TapeMemory found(config, 200);
    CHECK(found.kept * 8 < other.kept);
    CHECK(found.peak * 8 < other.peak);

    // Of all steps, what is handed on is kept by whoever reads it.
    config["output"] = "all";
    const std::int64_t whole = TapeMemory(config, 200).peak;
    config["slice"] = 8;
    CHECK(TapeMemory(config, 200).peak * 2 < whole);
  }
}

TEST_CASE("a reversible layer refuses sizes that it cannot have", "[layers]") {
  CHECK(layer_complaint(Json{{"type", "rev_gru"}, {"hidden", 5}}, {3, 2}) ==
        "/hidden: must be even, is 5");
  CHECK(layer_complaint(Json{{"type", "rev_lstm"}, {"hidden", 4}, {"slice", 5}},
                        {3, 2}) ==
        "/slice: must be at most \"hidden\", 4, is 5");
  CHECK(layer_complaint(Json{{"type", "rev_gru"}, {"hidden", 4}}, {784}) ==
        "/type: rev_gru expects sequences [time, features], but its input is "
        "[784]");
}

}  // namespace nestgrad
