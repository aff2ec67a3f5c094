#include "core/nn/bfloat16.h"

#include <ATen/ATen.h>

#include "core/platform/exceptions.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/device.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

struct Network {
  Json model;
  Shape input, output;
  bool tokens = false;
};

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {{{"type", "mlp"}, {"hidden", {20, 20}}, {"activation", "tanh"}},
       {6},
       {3}},
      {{{"type", "cnn"}, {"channels", {4, 4}}}, {1, 8, 8}, {3}},
      {{{"type", "convnet"}, {"depth", 2}, {"width", 6}}, {1, 8, 8}, {3}},
      {{{"type", "resnet"}, {"depth", 8}, {"width", 4}, {"norm", "batch"}},
       {1, 8, 8},
       {3}},
      {{{"type", "lstm"}, {"hidden", 8}}, {5}, {5, 7}, true},
      {{{"type", "transformer"}, {"vocabulary", 7}, {"width", 8}, {"heads", 2}},
       {5},
       {5, 7},
       true}};
  return all;
}

Tensor input_of(const Network& network) {
  Shape sizes = network.input;
  sizes.insert(sizes.begin(), 8);
  if (network.tokens) {
    return at::arange(40, at::kLong).remainder(7).view(sizes);
  }
  return Key(3).normal(at::empty(sizes, at::kFloat));
}

struct Results {
  Tensor outputs, gradient, product;  // product: with the Hessian
  std::string trouble;                // why there is no product
};

/// Of the mean square of the outputs.
Results results_of(const Model& model, const Network& network,
                   at::ScalarType type) {
  const ParameterSet w =
      model.initial_weights(Key(1)).to(at::TensorOptions(type)).leaves();
  const Tensor x = input_of(network);
  Results out;
  out.outputs = model.forward(w, network.tokens ? x : x.to(type), Pass());
  const ParameterSet g =
      gradient(out.outputs.square().mean(), w, Tape::kOn, Graph::kKeep);
  out.gradient = g.detach().flatten();
  try {
    out.product = gradient(dot(g, g), w).flatten();
  } catch (const Unsupported& error) {
    out.trouble = error.what();
  }
  return out;
}

/// |got - want| / |want|
double error_of(const Tensor& got, const Tensor& want) {
  return ((got.to(at::kDouble) - want).norm() / want.norm()).item<double>();
}

}  // namespace

TEST_CASE("networks in bfloat16 are those in float64 to three digits or so",
          "[bfloat16]") {
  for (const Network& network : networks()) {
    CAPTURE(network.model.dump());
    const auto plain =
        make_model(Config(complete(ModelRegistry::instance(), network.model)),
                   network.input, network.output, false);
    const auto rounded =
        make_model(Config(complete(ModelRegistry::instance(), network.model)),
                   network.input, network.output, true);
    const Results exact = results_of(*plain, network, at::kDouble),
                  found = results_of(*rounded, network, at::kFloat);
    CHECK(found.outputs.scalar_type() == at::kFloat);
    CHECK(found.gradient.scalar_type() == at::kFloat);
    // Were they computed in float32, errors would be below 1e-5.
    CHECK(error_of(found.outputs, exact.outputs) > 2e-4);
    CHECK(error_of(found.outputs, exact.outputs) < 0.03);
    CHECK(error_of(found.gradient, exact.gradient) < 0.1);
    if (found.trouble.empty()) {
      CHECK(error_of(found.product, exact.product) < 0.2);
    } else {
      // LibTorch 1.13 has no second derivative of these convolutions.
      CHECK(network.input.size() == 3);
    }
  }
}

TEST_CASE("particles and one set of weights are rounded alike in bfloat16",
          "[bfloat16]") {
  const Network& network = networks().front();
  const auto model =
      make_model(Config(complete(ModelRegistry::instance(), network.model)),
                 network.input, network.output, true);
  const ParameterSet w = model->initial_weights(Key(1));
  const ParameterSet both = w.map([](const Tensor& t) {
    return at::stack({t, 2 * t});
  });
  Draw draw;
  draw.particles = 2;
  Pass pass;
  pass.hyper_axis = HyperAxis::kParticles;
  const ParameterSet none;
  pass.hyper = &none;
  const Tensor x = input_of(network);
  const Tensor outputs = model->forward(both, x, pass, draw);
  const Tensor alone = model->forward(w, x, Pass());
  CHECK(error_of(outputs[0], alone.to(at::kDouble)) < 1e-2);
  // A fast product of float32 would be nearer to the exact one than this.
  const auto plain =
      make_model(Config(complete(ModelRegistry::instance(), network.model)),
                 network.input, network.output, false);
  const Tensor exact = plain->forward(w.to(at::TensorOptions(at::kDouble)),
                                      x.to(at::kDouble), Pass());
  CHECK(error_of(outputs[0], exact) > 2e-4);
}

TEST_CASE("bfloat16 leaves nothing switched on", "[bfloat16]") {
  const Network& network = networks().front();
  const auto model =
      make_model(Config(complete(ModelRegistry::instance(), network.model)),
                 network.input, network.output, true);
  const Tensor x = input_of(network);
  (void)model->forward(model->initial_weights(Key(1)), x, Pass());
  CHECK(at::mm(x, x.t()).scalar_type() == at::kFloat);
  const auto there = at::TensorOptions(device_named("privateuseone"));
  CHECK_THROWS_WITH(model->forward(model->initial_weights(Key(1)).to(there),
                                   x.to(there), Pass()),
                    ContainsSubstring("runs on the CPU and on CUDA"));
}

}  // namespace nestgrad
