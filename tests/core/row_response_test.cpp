#include "core/nn/penalty.h"
#include "core/nn/row_wise_weights.h"
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

}  // namespace

TEST_CASE("a layer gives each example the output of its own responding weights",
          "[response]") {
  for (const LayerCase& c : layer_cases()) {
    const ParameterSet w = weights_for(c);
    // The noise of flipout depends on the number of examples.
    if (w.empty() || c.type() == "flipout") continue;
    CAPTURE(c.config.dump());
    const RowResponse r = response_for(w);
    const Tensor x = input_for(c);
    const SharedWeights shared(w);
    const auto layer = c.make();
    const Tensor y = layer->apply(RespondingWeights(shared, r), x, kTraining);
    for (std::int64_t n = 0; n < kBatch; ++n) {
      const SharedWeights own(answered(w, r, r.displacement[n]));
      CHECK(
          at::allclose(y[n], layer->apply(own, x, kTraining)[n], 1e-10, 1e-10));
    }
  }
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
  const SharedWeights shared(w);
  const Tensor y = model->apply(RespondingWeights(shared, r), x, Pass());
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
