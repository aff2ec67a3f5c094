#include <ATen/ATen.h>

#include "core/nn/layer.h"
#include "core/nn/weight_forms.h"
#include "core/particles.h"
#include "tests/support/layer_cases.h"

namespace nestgrad {
namespace {

/// All layers with a state that the tests know.
std::vector<LayerCase> stepped_cases() {
  std::vector<LayerCase> out;
  for (const LayerCase& c : layer_cases()) {
    if (dynamic_cast<const SteppedLayer*>(c.make().get())) out.push_back(c);
  }
  return out;
}

/// The output after the last of the steps of x, [batch..., time, features].
Tensor stepped(const SteppedLayer& layer, const Weights& weights,
               const Tensor& x) {
  std::vector<Tensor> state;
  for (const std::int64_t size : layer.state_sizes()) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.pop_back();
    sizes.back() = size;
    state.push_back(at::zeros(sizes, x.options()));
  }
  Tensor output;
  for (const Tensor& now : x.unbind(-2)) {
    output = layer.step(weights, now, state);
  }
  return output;
}

}  // namespace

TEST_CASE(
    "a layer that is run step by step gives what it gives for the whole "
    "sequence",
    "[layers]") {
  const std::vector<LayerCase> cases = stepped_cases();
  REQUIRE(cases.size() >= 6);
  for (const LayerCase& c : cases) {
    CAPTURE(c.config.dump());
    const auto made = c.make();
    const auto& layer = dynamic_cast<const SteppedLayer&>(*made);
    const Tensor x = input_for(c);
    const auto last = [&](const Tensor& y, std::int64_t axes) {
      return y.dim() > axes + 1 ? y.select(-2, -1) : y;
    };
    const ParameterSet w = weights_for(c);
    const SharedWeights shared(w);
    CHECK(at::equal(stepped(layer, shared, x),
                    last(layer.apply(shared, x, Pass()), 1)));

    // Particles, the second with other weights.
    const ParameterSet two = stacked({w, add(w, 0.1, Key(9).normal(w))});
    const ParticleWeights particles(two, 2);
    const Tensor expanded = x.unsqueeze(0).expand({2, -1, -1, -1});
    CHECK(at::allclose(stepped(layer, particles, expanded),
                       last(layer.apply(particles, expanded, Pass()), 2), 1e-12,
                       1e-12));
  }
}

}  // namespace nestgrad
