#include <ATen/ATen.h>

#include "core/nn/model.h"
#include "tests/kit/contract.h"
#include "tests/support/support.h"

// Models that are made of many layers: resnet, convnet, transformer,
// autoencoder.

namespace nestgrad {
namespace {

std::unique_ptr<Model> make(const Json& config, const Shape& input,
                            const Shape& outputs) {
  return ModelRegistry::instance().make(config, input, outputs);
}

std::string complaint(const Json& config, const Shape& input,
                      const Shape& outputs) {
  try {
    make(config, input, outputs);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

ParameterSet moved_weights(const Model& model) {
  const ParameterSet fresh = model.initial_weights(Key(1)).to(float64());
  return fresh + 0.1 * Key(2).normal(fresh);
}

Tensor batch_of(const Shape& example, std::int64_t examples = 3) {
  Shape sizes = example;
  sizes.insert(sizes.begin(), examples);
  return Key(3).normal(at::empty(sizes, float64()));
}

Tensor tokens() { return at::arange(10, at::kLong).remainder(7).view({2, 5}); }

Json with(Json config, const Json& more) {
  config.update(more);
  return config;
}

std::set<std::string> named(const Model& model) {
  std::set<std::string> names;
  for (const Hyperparameter& h : model.hyperparameters()) names.insert(h.name);
  return names;
}

}  // namespace

TEST_CASE("networks have as many weights as their papers and PyTorch count",
          "[networks]") {
  const auto count = [](const Json& config, const Shape& input,
                        std::int64_t classes) {
    return make(config, input, {classes})->initial_weights(Key(1)).numel();
  };
  // torchvision.models.resnet18().
  CHECK(count({{"type", "resnet"},
               {"depth", 18},
               {"width", 64},
               {"stem", "large"},
               {"norm", "batch"}},
              {3, 64, 64}, 1000) == 11689512);
  // "0.27M" without the projections, of 16 * 32 and 32 * 64 numbers and their
  // normalization.
  CHECK(count({{"type", "resnet"}, {"depth", 20}}, {3, 32, 32}, 10) ==
        269722 + 16 * 32 + 32 * 64 + 2 * (32 + 64));
  // The ConvNet of the tables on CIFAR-10.
  CHECK(count({{"type", "convnet"}}, {3, 32, 32}, 10) == 320010);
  // Fashion-MNIST is enlarged to 32 x 32, so its last images are 4 x 4, too.
  CHECK(count({{"type", "convnet"}}, {1, 28, 28}, 10) == 320010 - 2 * 9 * 128);
}

TEST_CASE("a resnet is the chain of convolutions that one writes by hand",
          "[networks]") {
  const auto model =
      make({{"type", "resnet"}, {"depth", 8}, {"width", 2}, {"norm", "batch"}},
           {3, 7, 6}, {4});
  const ParameterSet w = moved_weights(*model);
  const Tensor x = batch_of({3, 7, 6});
  const auto normalized = [&](const std::string& at, std::int64_t next,
                              const Tensor& in, int stride) {
    const Tensor kernels = w.at(fmt::format("{}{}.weight", at, next));
    const std::string norm = fmt::format("{}{}.", at, next + 1);
    return at::batch_norm(
        at::conv2d(in, kernels, {}, stride, kernels.size(-1) / 2),
        w.at(norm + "weight"), w.at(norm + "bias"), {}, {}, true, 0, 1e-5,
        false);
  };
  Tensor y = normalized("", 0, x, 1).relu();
  for (int stage = 0; stage < 3; ++stage) {
    const std::string block = fmt::format("{}.", 3 + 2 * stage);
    const int stride = stage > 0 ? 2 : 1;
    const Tensor skip =
        stage > 0 ? normalized(block + "skip.", 0, y, stride) : y;
    const Tensor h = normalized(block, 0, y, stride).relu();
    y = (skip + normalized(block, 3, h, 1)).relu();
  }
  y = at::linear(y.mean({2, 3}), w.at("10.weight"), w.at("10.bias"));
  CHECK(at::allclose(model->forward(w, x, Pass()), y, 1e-10, 1e-10));
}

TEST_CASE("a convnet is the network of dataset distillation", "[networks]") {
  const auto model =
      make({{"type", "convnet"}, {"width", 2}, {"depth", 2}}, {1, 28, 28}, {3});
  const ParameterSet w = moved_weights(*model);
  const Tensor x = batch_of({1, 28, 28});
  Tensor y = x;
  for (int block = 0; block < 2; ++block) {
    const auto at = [&](int layer, const char* name) {
      return w.at(fmt::format("{}.{}", 4 * block + layer, name));
    };
    y = at::conv2d(y, at(0, "weight"), at(0, "bias"), 1, block == 0 ? 3 : 1);
    y = at::group_norm(y, 2, at(1, "weight"), at(1, "bias")).relu();
    y = at::avg_pool2d(y, 2);
  }
  y = at::linear(y.flatten(1), w.at("9.weight"), w.at("9.bias"));
  CHECK(y.sizes() == at::IntArrayRef({3, 3}));
  CHECK(at::allclose(model->forward(w, x, Pass()), y, 1e-10, 1e-10));
}

TEST_CASE("a transformer is the sum of its parts, written by hand",
          "[networks]") {
  const Json config = {{"type", "transformer"},
                       {"width", 4},
                       {"heads", 1},
                       {"depth", 1},
                       {"mlp", 3},
                       {"norm", "rms"}};
  const auto model = make(config, {5}, {5, 7});
  const ParameterSet w = moved_weights(*model);
  const auto norm = [&](const Tensor& x, const std::string& name) {
    return w.at(name) * x / (x.square().mean(-1, true) + 1e-5).sqrt();
  };
  const auto linear = [&](const Tensor& x, const std::string& weight,
                          const std::string& bias) {
    return at::linear(x, w.at(weight), w.at(bias));
  };
  Tensor x = at::embedding(w.at("0.weight"), tokens()) + w.at("1.weight");
  const std::vector<Tensor> in =
      linear(norm(x, "2.0.weight"), "2.1.in_weight", "2.1.in_bias")
          .chunk(3, -1);
  const Tensor later = at::full({5, 5}, -INFINITY, float64()).triu(1);
  const Tensor shares =
      (at::matmul(in[0], in[1].transpose(1, 2)) / 2 + later).softmax(-1);
  x = x + linear(at::matmul(shares, in[2]), "2.1.out_weight", "2.1.out_bias");
  const Tensor h =
      at::gelu(linear(norm(x, "3.0.weight"), "3.1.weight", "3.1.bias"));
  x = norm(x + linear(h, "3.3.weight", "3.3.bias"), "4.weight");
  x = linear(x, "5.weight", "5.bias");
  CHECK(at::allclose(model->forward(w, tokens(), Pass()), x, 1e-10, 1e-10));
}

TEST_CASE("a transformer that classifies knows the order by its positions",
          "[networks]") {
  const Json config = {
      {"type", "transformer"}, {"width", 8},    {"heads", 2}, {"depth", 1},
      {"vocabulary", 7},       {"pool", "mean"}};
  const auto differs = [](const Json& json) {
    const auto model = make(json, {5}, {3});
    const ParameterSet w = moved_weights(*model);
    const Tensor y = model->forward(w, tokens(), Pass());
    CHECK(y.sizes() == at::IntArrayRef({2, 3}));
    return !at::allclose(y, model->forward(w, tokens().flip({1}), Pass()));
  };
  CHECK_FALSE(differs(with(config, {{"positions", "none"}})));
  for (const char* positions : {"learned", "sinusoidal", "rotary"}) {
    CAPTURE(positions);
    CHECK(differs(with(config, {{"positions", positions}})));
  }
  // The last step is another one now.
  CHECK(differs(with(config, {{"positions", "none"}, {"pool", "last"}})));
}

TEST_CASE("an autoencoder restores even and odd sizes", "[networks]") {
  const Json config = {{"type", "autoencoder"},
                       {"channels", {2, 3}},
                       {"hidden", Json::array()},
                       {"code", 4}};
  for (const std::int64_t side : {7, 8, 9, 10}) {
    const Shape images = {1, side, side};
    const auto model = make(config, images, images);
    const ParameterSet w = moved_weights(*model);
    const Tensor x = batch_of(images);
    const auto at = [&](int layer, const char* name) {
      return w.at(fmt::format("{}.{}", layer, name));
    };
    Tensor y = at::conv2d(x, at(0, "weight"), at(0, "bias"), 2, 1).relu();
    const std::int64_t half = y.size(2);
    y = at::conv2d(y, at(2, "weight"), at(2, "bias"), 2, 1).relu();
    const Shape middle = y.sizes().vec();
    y = at::linear(y.flatten(1), at(5, "weight"), at(5, "bias"));
    y = at::linear(y, at(6, "weight"), at(6, "bias")).relu().view(middle);
    const auto enlarged = [&](const Tensor& in, int layer, std::int64_t size) {
      return at::conv_transpose2d(
          in, at(layer, "weight").transpose(0, 1).flip({2, 3}),
          at(layer, "bias"), 2, 1, size + 1 - 2 * in.size(2));
    };
    y = enlarged(enlarged(y, 9, half).relu(), 11, side);
    CHECK(at::allclose(model->forward(w, x, Pass()), y, 1e-10, 1e-10));
    // As numbers, where these are wanted.
    CHECK(
        at::allclose(make(config, images, {side * side})->forward(w, x, Pass()),
                     y.flatten(1), 1e-10, 1e-10));
  }
  const auto plain =
      make({{"type", "autoencoder"}, {"hidden", {6}}, {"code", 2}}, {5}, {5});
  CHECK(plain->initial_weights(Key(1)).numel() ==
        (5 * 6 + 6) + (6 * 2 + 2) + (2 * 6 + 6) + (6 * 5 + 5));
}

TEST_CASE("networks of many layers keep the contract of models", "[networks]") {
  const auto faults = [](const Json& config, const Tensor& x,
                         const Shape& outputs) {
    CAPTURE(config.dump());
    const auto model = make(config, x.sizes().slice(1).vec(), outputs);
    CHECK(testing::model_faults(*model, x) == testing::Faults{});
  };
  faults({{"type", "resnet"},
          {"depth", 8},
          {"width", 2},
          {"groups", 2},
          {"activation", "silu"},
          {"dropout", 0.2}},
         batch_of({1, 4, 4}), {2});
  faults({{"type", "transformer"},
          {"width", 4},
          {"heads", 2},
          {"depth", 1},
          {"positions", "rotary"},
          {"dropout", 0.2}},
         tokens(), {5, 7});
  faults({{"type", "transformer"},
          {"width", 4},
          {"heads", 1},
          {"depth", 1},
          {"pool", "last"},
          {"input_dropout", 0.2}},
         batch_of({3, 2}), {2});
  faults({{"type", "autoencoder"},
          {"channels", {2}},
          {"hidden", {3}},
          {"code", 2},
          {"activation", "tanh"},
          {"dropout", 0.2}},
         batch_of({1, 4, 4}), {1, 4, 4});
}

TEST_CASE("each place of a network can have a dropout rate of its own",
          "[networks]") {
  const auto places = [](const Json& config, const Shape& input,
                         const Shape& outputs) {
    const auto model = make(config, input, outputs);
    CHECK(named(*model) == std::set<std::string>{"p"});
    return model->hyperparameters().at(0).granularities.at(1).second;
  };
  const Json transformer = {{"type", "transformer"},
                            {"depth", 3},
                            {"width", 8},
                            {"heads", 2},
                            {"dropout", "$p"}};
  CHECK(places(transformer, {5}, {5, 7}) == 6);
  CHECK(places(with(transformer, {{"input_dropout", "$p"}}), {5}, {5, 7}) == 7);
  CHECK(
      places(
          {{"type", "resnet"}, {"depth", 14}, {"width", 8}, {"dropout", "$p"}},
          {1, 8, 8}, {3}) == 6);
  CHECK(places({{"type", "autoencoder"}, {"hidden", {4, 3}}, {"dropout", "$p"}},
               {9}, {9}) == 4);
}

TEST_CASE("networks of many layers refuse what they cannot be", "[networks]") {
  CHECK(complaint({{"type", "resnet"}, {"depth", 21}}, {3, 32, 32}, {10}) ==
        "/depth: must be 6 n + 2 (8, 14, 20, 32, 44, ...), 18 or 34, but is "
        "21");
  CHECK_THAT(complaint({{"type", "resnet"}}, {784}, {10}),
             ContainsSubstring("/type: resnet expects images"));
  CHECK(complaint({{"type", "convnet"}, {"depth", 4}}, {3, 8, 8}, {10}) ==
        "/depth: is too large: each block halves the images, and [128, 1, 1] "
        "is too small for that");
  CHECK(complaint({{"type", "transformer"}}, {5}, {3}) ==
        "/vocabulary: is needed: how many different tokens the input has, "
        "which the number of classes does not say");
  CHECK(complaint({{"type", "transformer"}, {"heads", 3}}, {5}, {5, 7}) ==
        "/heads: must divide the width, 64, but is 3");
  CHECK(complaint({{"type", "transformer"},
                   {"heads", 32},
                   {"width", 96},
                   {"positions", "rotary"}},
                  {5}, {5, 7}) ==
        "/heads: must divide the width, 96, into even parts, but is 32");
  CHECK_THAT(complaint({{"type", "transformer"}}, {1, 28, 28}, {10}),
             ContainsSubstring("inputs are [1, 28, 28] and [10] numbers are "
                               "wanted"));
  CHECK(complaint({{"type", "autoencoder"}}, {5}, {4}) ==
        "/type: autoencoder gives outputs of the shape of its input, [5], but "
        "[4] numbers are wanted");
  CHECK(complaint({{"type", "autoencoder"}, {"channels", {2}}}, {1, 4, 5},
                  {1, 4, 5}) ==
        "/channels: cannot halve and restore images of 4 x 5 pixels: both "
        "sides must be even or both odd, and larger than 1");
}

}  // namespace nestgrad
