#include <set>

#include "core/nn/penalty.h"
#include "core/tensor/autodiff.h"
#include "tests/support/layer_cases.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kHypers = 2;

const Pass kTraining{true, Key(5)};

/// A response with numbers in it for weights `w`, and the displacement of each
/// of kBatch examples.
RowResponse response_for(const ParameterSet& w) {
  RowResponse r;
  const ParameterSet slopes = Key(21).normal(w);
  r.slopes = slopes.tensors();
  for (std::size_t i = 0; i < w.size(); ++i) {
    r.gates.push_back(Key(22).fold(i).normal(
        at::empty({w.tensors()[i].size(0), kHypers}, float64())));
  }
  r.displacement =
      0.5 * Key(23).normal(at::empty({kBatch, kHypers}, float64()));
  return r;
}

/// w + diag(G u) R.
ParameterSet answered(const ParameterSet& w, const RowResponse& r,
                      const Tensor& u) {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < w.size(); ++i) {
    const Tensor rows = r.slopes[i].flatten(r.slopes[i].dim() > 1 ? 1 : 0);
    const Tensor scale = at::mv(r.gates[i], u);
    out.push_back(w.tensors()[i] +
                  (rows.dim() > 1 ? scale.unsqueeze(1) * rows : scale * rows)
                      .view_as(w.tensors()[i]));
  }
  return w.with(std::move(out));
}

Tensor respond(const LayerCase& c, const ParameterSet& w, const RowResponse& r,
               const Tensor& x, const Pass& pass) {
  return c.make()->respond(w.tensors(), {r.slopes, r.gates, r.displacement}, x,
                           pass);
}

std::vector<LayerCase> responding() {
  std::vector<LayerCase> cases;
  for (LayerCase& c : layer_cases()) {
    if (c.make()->responds()) cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace

TEST_CASE("a layer that responds gives each example what its own weights give",
          "[response]") {
  int layers = 0;
  for (const LayerCase& c : responding()) {
    CAPTURE(c.config.dump());
    const ParameterSet w = weights_for(c);
    const RowResponse r = response_for(w);
    const Tensor x = input_for(c);
    const Tensor y = respond(c, w, r, x, kTraining);
    for (std::int64_t b = 0; b < kBatch; ++b) {
      const ParameterSet own = answered(w, r, r.displacement[b]);
      const Tensor expected = c.make()->apply(own.tensors(), x, kTraining)[b];
      CHECK(at::allclose(y[b], expected, 1e-10, 1e-10));
    }
    ++layers;
  }
  // linear, conv2d (two of each), five normalizations, embedding.
  CHECK(layers >= 10);
}

TEST_CASE("to first order a layer responds with its derivative", "[response]") {
  for (const LayerCase& c : responding()) {
    CAPTURE(c.config.dump());
    const ParameterSet w = weights_for(c);
    const RowResponse r = response_for(w);
    const Tensor x = input_for(c);
    const bool tokens = !at::isFloatingType(x.scalar_type());
    const Tensor direction = tokens ? Tensor() : Key(24).normal(x);

    Pass linear = kTraining;
    linear.linear = true;
    Tensor value, slope;
    {
      const DualNumbers dual;
      const Tensor y =
          respond(c, w, r, tokens ? x : with_tangent(x, direction), linear);
      value = primal(y);
      slope = tangent(y);
    }
    CHECK(at::allclose(value, c.make()->apply(w.tensors(), x, kTraining)));
    const auto at_distance = [&](double t) {
      RowResponse moved = r;
      moved.displacement = t * r.displacement;
      return respond(c, w, moved, tokens ? x : x + t * direction, kTraining);
    };
    const double h = 1e-6;
    CHECK(at::allclose(slope, (at_distance(h) - at_distance(-h)) / (2 * h),
                       1e-6, 1e-7));
  }
}

TEST_CASE("a layer that cannot respond says so", "[response]") {
  for (const LayerCase& c : layer_cases()) {
    const ParameterSet w = weights_for(c);
    if (w.empty() || c.make()->responds()) continue;
    CAPTURE(c.config.dump());
    // Those whose answer is not one of their channels.
    const std::set<std::string> known{"flipout", "lstm"};
    CHECK(known.count(c.type()) == 1);
    CHECK_THROWS_AS(respond(c, w, response_for(w), input_for(c), kTraining),
                    Unsupported);
  }
}

TEST_CASE("a network responds if all of its layers with weights do",
          "[response]") {
  const auto model = [](const Json& layers, const Shape& input) {
    return ModelRegistry::instance().make(
        Json{{"type", "sequential"}, {"layers", layers}}, input, {2});
  };
  CHECK(model({{{"type", "linear"}, {"out", 3}},
               {{"type", "relu"}},
               {{"type", "dropout"}},
               {{"type", "linear"}, {"out", 2}}},
              {4})
            ->responds());
  CHECK_FALSE(model({{{"type", "lstm"}, {"hidden", 3}},
                     {{"type", "linear"}, {"out", 2}}},
                    {4, 3})
                  ->responds());
}

TEST_CASE("a whole network responds example by example", "[response]") {
  const auto model =
      ModelRegistry::instance().make(Json{{"type", "cnn"},
                                          {"channels", {2}},
                                          {"norm", "instance"},
                                          {"hidden", {5}},
                                          {"activation", "tanh"}},
                                     {1, 4, 4}, {3});
  const ParameterSet w = model->initial_weights(Key(1)).to(float64());
  const RowResponse r = response_for(w);
  const Tensor x = Key(2).normal(at::empty({kBatch, 1, 4, 4}, float64()));
  Pass pass;
  pass.response = &r;
  const Tensor y = model->forward(w, x, pass);
  for (std::int64_t b = 0; b < kBatch; ++b) {
    const ParameterSet own = answered(w, r, r.displacement[b]);
    CHECK(at::allclose(y[b], model->forward(own, x, Pass())[b], 1e-10, 1e-10));
  }
}

TEST_CASE("a decay of each example penalizes its own weights", "[response]") {
  const ParameterSet w{
      {"0.weight", Key(1).normal(at::empty({3, 2}, float64()))},
      {"0.bias", Key(2).normal(at::empty({3}, float64()))},
      {"2.weight", Key(3).normal(at::empty({2, 3}, float64()))}};
  const RowResponse r = response_for(w);
  // One for all, one per layer, one per tensor.
  for (const std::int64_t numbers : {1, 2, 3}) {
    CAPTURE(numbers);
    const Tensor decay =
        Key(4).uniform(at::empty({kBatch, numbers}, float64()));
    double expected = 0;
    for (std::int64_t b = 0; b < kBatch; ++b) {
      expected += l2_penalty(answered(w, r, r.displacement[b]), decay[b])
                      .item<double>() /
                  kBatch;
    }
    CHECK(l2_penalty(w, r, decay).item<double>() == Approx(expected));
  }
  CHECK(l2_penalty(w, r, at::ones({kBatch}, float64())).item<double>() ==
        Approx(
            l2_penalty(w, r, at::ones({kBatch, 1}, float64())).item<double>()));
  CHECK_THROWS_AS(l2_penalty(w, r, at::ones({kBatch, 15}, float64())), Error);
}

}  // namespace nestgrad
