#include "core/nn/bfloat16.h"

#include <ATen/ATen.h>
#include <torch/version.h>

#include "core/nn/foreign/twice_differentiable.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/device.h"
#include "tests/core/nn/exported/archives.h"
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

/// Whether LibTorch adds products up in bfloat16 here, as it does on processors
/// without AVX-512, and not in float32: then 1 + 1 + ... ends at 256.
bool adds_in_bfloat16() {
  const Tensor ones = at::ones({1, 1000, 1, 1}, at::kBFloat16);
  return at::conv2d(ones, ones).item<double>() < 1000;
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
    CHECK(error_of(found.gradient, exact.gradient) <
          (adds_in_bfloat16() ? 0.3 : 0.1));
    // LibTorch 1.13 has no second derivative of these convolutions.
    const bool images = network.input.size() == 3;
    if (TORCH_VERSION_MAJOR < 2 && images) {
      CHECK_FALSE(found.trouble.empty());
    } else {
      CHECK(found.trouble.empty());
      CHECK(error_of(found.product, exact.product) < 0.2);
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

TEST_CASE("settings of layers are not rounded to bfloat16", "[bfloat16]") {
  const auto outputs = [](const Json& layer, bool training) {
    const Json model = {{"type", "sequential"},
                        {"layers",
                         {{{"type", "linear"}, {"out", 1000}},
                          layer,
                          {{"type", "linear"}, {"out", 1}}}}};
    const auto network =
        make_model(Config(complete(ModelRegistry::instance(), model)), {4}, {1},
                   /*bfloat16=*/true);
    Pass pass;
    pass.training = training;
    pass.key = Key(5);
    ParameterSet w = network->initial_weights(Key(1));
    w = w.map([](const Tensor& t) { return at::ones_like(t); });
    return network->forward(w, at::ones({64, 4}), pass);
  };
  // Each feature is 4 + 1, and 999 are kept: 4996, to 8 bits.
  const double kept =
      outputs({{"type", "mask"}, {"share", 0.9995}}, false)[0].item<double>();
  CHECK(kept == Approx(4996).epsilon(0.004));
  const double half =
      outputs({{"type", "mask"}, {"share", 0.5}}, false)[0].item<double>();
  CHECK(half == Approx(2501).epsilon(0.004));
  CHECK(outputs({{"type", "dropout"}, {"rate", 0.999}}, true)
            .isfinite()
            .all()
            .item<bool>());
}

TEST_CASE("foreign networks run in bfloat16", "[bfloat16]") {
  for (const char* name : {"mlp", "lstm", "transformer", "counts"}) {
    CAPTURE(name);
    const auto model = in_bfloat16(load_exported(name));
    const Tensor x = exported_input(name);
    const ParameterSet w =
        model->initial_weights(Key()).to(at::TensorOptions(at::kFloat));
    const Tensor exact = load_exported(name)->forward(
        w.to(at::TensorOptions(at::kDouble)),
        x.is_floating_point() ? x.to(at::kDouble) : x, Pass());
    CHECK(error_of(model->forward(w, x, Pass()), exact) < 0.03);
  }
}

TEST_CASE("kernels without a second derivative are off for a scope only",
          "[bfloat16]") {
  at::Context& context = at::globalContext();
  const bool cudnn = context.userEnabledCuDNN(),
             flash = context.userEnabledFlashSDP();
  try {
    const TwiceDifferentiable scope(/*recurrent=*/true);
    CHECK_FALSE(context.userEnabledCuDNN());
    CHECK_FALSE(context.userEnabledFlashSDP());
    throw Error("on the way");
  } catch (const Error&) {
  }
  CHECK(context.userEnabledCuDNN() == cudnn);
  CHECK(context.userEnabledFlashSDP() == flash);
  const TwiceDifferentiable scope(/*recurrent=*/false);
  CHECK(context.userEnabledCuDNN() == cudnn);
}

TEST_CASE("bfloat16 leaves nothing switched on", "[bfloat16]") {
  const Network& network = networks().front();
  const auto model =
      make_model(Config(complete(ModelRegistry::instance(), network.model)),
                 network.input, network.output, true);
  const Tensor x = input_of(network);
  (void)model->forward(model->initial_weights(Key(1)), x, Pass());
  CHECK(at::mm(x, x.t()).scalar_type() == at::kFloat);
  CHECK_THROWS(
      model->forward(model->initial_weights(Key(1)), at::ones({3, 7}), Pass()));
  CHECK(at::mm(x, x.t()).scalar_type() == at::kFloat);
  const auto there = at::TensorOptions(device_named("privateuseone"));
  CHECK_THROWS_WITH(model->forward(model->initial_weights(Key(1)).to(there),
                                   x.to(there), Pass()),
                    ContainsSubstring("runs on the CPU and on CUDA"));
}

}  // namespace nestgrad
