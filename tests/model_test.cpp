#include "core/model.h"

#include <ATen/ATen.h>

#include "core/autodiff.h"
#include "tests/support.h"

namespace nestgrad {
namespace {

const Shape kDigits = {1, 28, 28};

std::unique_ptr<Model> make(const Json& config, const Shape& input,
                            std::int64_t outputs) {
  return ModelRegistry::instance().make(config, input, {outputs});
}

std::string names(const Model& model) {
  const ParameterSet weights = model.initial_weights(Key(1));
  std::string text;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    text += weights.name(i) + " ";
  }
  return text;
}

std::string complaint(const Json& config, const Shape& input,
                      std::int64_t outputs) {
  try {
    make(config, input, outputs);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

Json layers(std::vector<Json> list) {
  return Json{{"type", "sequential"}, {"layers", list}};
}

}  // namespace

TEST_CASE("models have the number of weights that one counts by hand",
          "[model]") {
  const auto count = [](const Json& config) {
    return make(config, kDigits, 10)->initial_weights(Key(1)).numel();
  };
  CHECK(count({{"type", "mlp"}}) == 101770);
  CHECK(count({{"type", "mlp"}, {"hidden", Json::array()}}) == 7850);
  CHECK(count({{"type", "logistic"}}) == 7850);
  const std::int64_t blocks = (9 * 1 * 16 + 16) + (9 * 16 * 32 + 32);
  const std::int64_t dense = (32 * 7 * 7 * 64 + 64) + (64 * 10 + 10);
  CHECK(count({{"type", "cnn"}}) == blocks + dense);
  for (const char* norm : {"batch", "group", "instance"}) {
    CHECK(count({{"type", "cnn"}, {"norm", norm}}) ==
          blocks + 2 * (16 + 32) + dense);
  }
}

TEST_CASE("weights are named by the position of their layer", "[model]") {
  CHECK(names(*make({{"type", "logistic"}}, kDigits, 10)) ==
        "1.weight 1.bias ");
  const Json mlp = {{"type", "mlp"}, {"hidden", {4, 3}}};
  CHECK(names(*make(mlp, {5}, 2)) ==
        "1.weight 1.bias 3.weight 3.bias 5.weight 5.bias ");
  CHECK(names(*make({{"type", "mlp"}, {"dropout", 0.5}}, {5}, 2)) ==
        "1.weight 1.bias 4.weight 4.bias ");
  CHECK(names(*make({{"type", "cnn"}, {"norm", "batch"}}, kDigits, 10)) ==
        "0.weight 0.bias 1.weight 1.bias 4.weight 4.bias 5.weight 5.bias "
        "9.weight 9.bias 11.weight 11.bias ");
  const Json lstm = layers(
      {{{"type", "lstm"}, {"hidden", 2}}, {{"type", "linear"}, {"out", 2}}});
  CHECK(names(*make(lstm, {5, 2}, 2)) ==
        "0.weight_ih 0.weight_hh 0.bias_ih 0.bias_hh 1.weight 1.bias ");
}

TEST_CASE("an mlp equals the chain that one writes by hand", "[model]") {
  const auto model = make({{"type", "mlp"}}, kDigits, 10);
  const ParameterSet w = model->initial_weights(Key(1));
  const Tensor x = Key(2).normal(at::empty({4, 1, 28, 28}));
  const Tensor h =
      at::relu(at::matmul(x.flatten(1), w.at("1.weight").t()) + w.at("1.bias"));
  const Tensor expected = at::matmul(h, w.at("3.weight").t()) + w.at("3.bias");
  CHECK(at::allclose(model->forward(w, x, Pass{}), expected, 1e-4, 1e-5));
}

TEST_CASE("a cnn equals the chain that one writes by hand", "[model]") {
  const auto model = make({{"type", "cnn"},
                           {"channels", {4}},
                           {"norm", "instance"},
                           {"kernel", 5},
                           {"activation", "tanh"},
                           {"hidden", Json::array()}},
                          {2, 6, 7}, 3);
  const ParameterSet w = model->initial_weights(Key(1));
  const Tensor x = Key(2).normal(at::empty({3, 2, 6, 7}));
  Tensor y = at::conv2d(x, w.at("0.weight"), w.at("0.bias"), 1, 2);
  y = at::group_norm(y, 4, w.at("1.weight"), w.at("1.bias"));
  y = at::max_pool2d(at::tanh(y), 2).flatten(1);
  y = at::linear(y, w.at("5.weight"), w.at("5.bias"));
  CHECK(at::allclose(model->forward(w, x, Pass{}), y, 1e-4, 1e-5));
}

TEST_CASE("fresh weights of a model follow the key alone", "[model]") {
  const auto model = make({{"type", "cnn"}}, kDigits, 10);
  at::manual_seed(1);
  const Tensor first = model->initial_weights(Key(1)).flatten();
  at::manual_seed(2);
  const auto again = make({{"type", "cnn"}}, kDigits, 10);
  CHECK(first.equal(again->initial_weights(Key(1)).flatten()));
  CHECK_FALSE(first.equal(model->initial_weights(Key(2)).flatten()));
}

TEST_CASE("layers of one kind start with different weights", "[model]") {
  const auto model = make({{"type", "mlp"}, {"hidden", {5}}}, {5}, 5);
  const ParameterSet w = model->initial_weights(Key(1));
  CHECK_FALSE(w.at("1.weight").equal(w.at("3.weight")));
}

TEST_CASE("every layer of a model draws noise of its own", "[model]") {
  const Json dropout = {{"type", "dropout"}, {"rate", 0.5}};
  const auto model = make(layers({dropout, dropout}), {10000}, 10000);
  const Tensor ones = at::ones({1, 10000});
  const Tensor y = model->forward({}, ones, {true, Key(1)});
  // Two masks leave a quarter of the numbers, known to 0.0043; one mask that
  // is used twice would leave a half.
  CHECK((y == 4).to(at::kFloat).mean().item<double>() ==
        Approx(0.25).margin(0.02));
  CHECK(model->forward({}, ones, {false, Key(1)}).equal(ones));
}

TEST_CASE("dropout of a model follows the key of the pass", "[model]") {
  const auto model = make({{"type", "mlp"}, {"dropout", 0.5}}, {5}, 2);
  const ParameterSet w = model->initial_weights(Key(1));
  const Tensor x = Key(2).normal(at::empty({4, 5}));
  const auto output = [&](bool training, std::uint64_t key) {
    return model->forward(w, x, {training, Key(key)});
  };
  at::manual_seed(1);
  const Tensor first = output(true, 1);
  at::manual_seed(2);
  CHECK(first.equal(output(true, 1)));
  CHECK_FALSE(first.equal(output(true, 2)));
  CHECK(output(false, 1).equal(output(false, 2)));
}

TEST_CASE("one step of training is differentiable by its step size",
          "[model]") {
  struct Case {
    Json config;
    Shape input;
  };
  const Shape image = {1, 5, 4};
  Json cnn = {{"type", "cnn"},
              {"channels", {4, 2}},
              {"hidden", {3}},
              {"activation", "softplus"},
              {"groups", 2}};
  std::vector<Case> cases = {
      {{{"type", "logistic"}}, image},
      {{{"type", "mlp"},
        {"hidden", {6, 5}},
        {"activation", "gelu"},
        {"dropout", 0.25}},
       image},
      {layers({{{"type", "lstm"}, {"hidden", 4}, {"output", "all"}},
               {{"type", "layer_norm"}},
               {{"type", "flatten"}},
               {{"type", "linear"}, {"out", 3}}}),
       {4, 2}}};
  for (const char* norm : {"none", "batch", "group", "instance"}) {
    cnn["norm"] = norm;
    cases.push_back({cnn, image});
  }
  for (const Case& c : cases) {
    CAPTURE(c.config.dump());
    const auto model = make(c.config, c.input, 3);
    const ParameterSet w =
        model->initial_weights(Key(1)).to(float64()).leaves();
    Shape sizes = c.input;
    sizes.insert(sizes.begin(), 6);
    const Tensor like = at::empty(sizes, float64());
    const Tensor classes = at::arange(6, at::kLong).remainder(3);
    const auto loss = [&](const ParameterSet& weights, std::uint64_t draw) {
      const Tensor x = Key(draw).normal(like);
      return at::cross_entropy_loss(
          model->forward(weights, x, {true, Key(draw)}), classes);
    };
    const auto after_step = [&](const Tensor& rate) {
      const ParameterSet g = gradient(loss(w, 2), w, Tape::kOn);
      return loss(w - rate * g, 3);
    };
    const ParameterSet rate =
        ParameterSet{{"rate", at::tensor(0.1, float64())}}.leaves();
    const double slope =
        gradient(after_step(rate.at("rate")), rate).at("rate").item<double>();
    const double h = 1e-5;
    const double expected =
        (after_step(at::tensor(0.1 + h, float64())).item<double>() -
         after_step(at::tensor(0.1 - h, float64())).item<double>()) /
        (2 * h);
    CHECK(slope == Approx(expected).epsilon(1e-6));
    CHECK(slope != 0);
  }
}

TEST_CASE("a sequential model of tokens can be trained", "[model]") {
  const auto model =
      make(layers({{{"type", "embedding"}, {"vocabulary", 7}, {"dimension", 3}},
                   {{"type", "lstm"}, {"hidden", 4}},
                   {{"type", "linear"}, {"out", 2}}}),
           {5}, 2);
  const ParameterSet w = model->initial_weights(Key(1)).leaves();
  const Tensor tokens = at::arange(10, at::kLong).remainder(7).view({2, 5});
  const Tensor y = model->forward(w, tokens, Pass{});
  CHECK(y.sizes() == at::IntArrayRef({2, 2}));
  CHECK(norm(gradient(y.sum(), w)).item<double>() > 0);
}

TEST_CASE("a model refuses another number of weights", "[model]") {
  const auto model = make({{"type", "logistic"}}, {5}, 2);
  CHECK_THROWS_WITH(
      model->forward({{"1.weight", at::zeros({2, 5})}}, at::zeros({1, 5}),
                     Pass{}),
      ContainsSubstring("the model has 2 weight tensors, but was given 1"));
}

TEST_CASE("a sequential model must end in the outputs", "[model]") {
  CHECK(complaint(
            layers({{{"type", "flatten"}}, {{"type", "linear"}, {"out", 64}}}),
            kDigits, 10) ==
        "/layers: must end in the shape [10], one number for each output, but "
        "end in [64]; a final linear layer is not added by itself");
  CHECK(complaint(layers({}), kDigits, 10) != "none");
}

TEST_CASE("a complaint about a layer says which", "[model]") {
  CHECK(complaint(
            layers({{{"type", "flatten"}}, {{"type", "conv2d"}, {"out", 3}}}),
            kDigits, 10) ==
        "/layers/1/type: conv2d expects images [channels, height, width], but "
        "its input is [784]");
}

TEST_CASE("a cnn refuses what it cannot halve or divide", "[model]") {
  CHECK(complaint({{"type", "cnn"}}, {784}, 10) ==
        "/type: cnn expects images [channels, height, width], but its input is "
        "[784]");
  CHECK(complaint({{"type", "cnn"}, {"channels", {4, 4, 4}}}, {3, 7, 7}, 10) ==
        "/channels: has too many blocks: each halves the images, and [4, 1, 1] "
        "is too small for that");
  CHECK(complaint({{"type", "cnn"}, {"norm", "group"}, {"channels", {12}}},
                  kDigits, 10) ==
        "/groups: must divide the channels of every block, but is 8 where "
        "there are 12 channels");
}

}  // namespace nestgrad
