#include "core/nn/model.h"

#include <ATen/ATen.h>

#include <set>

#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"
#include "tests/support/support.h"

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
      ContainsSubstring("the layers have 2 weight tensors, but were given 1"));
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

TEST_CASE("layers that name one hyperparameter share it or have one each",
          "[model]") {
  const auto mlp = make({{"type", "mlp"},
                         {"hidden", {4, 4}},
                         {"input_dropout", "$p"},
                         {"dropout", "$p"}},
                        {6}, 2);
  REQUIRE(mlp->hyperparameters().size() == 1);
  const Hyperparameter p = mlp->hyperparameters()[0];
  CHECK(p.name == "p");
  CHECK_FALSE(p.initial.defined());
  CHECK_FALSE(p.differentiable);
  CHECK(p.granularities ==
        std::vector<Granularity>{{"all", 1}, {"position", 3}});

  // A rate of almost one at a position leaves hardly anything after it: then
  // the output is the bias of the last layer.
  const ParameterSet w = mlp->initial_weights(Key(1)).to(float64());
  const Tensor x = Key(2).normal(at::empty({50, 6}, float64()));
  const auto output = [&](const Tensor& rates) {
    const ParameterSet hyper{{"p", rates}};
    return mlp->forward(w, x, {true, Key(3), &hyper});
  };
  const Tensor last = w.tensors().back().expand({50, 2});
  const double all = 1 - 1e-12;
  CHECK(at::allclose(output(at::tensor({0., 0., all}, float64())), last));
  CHECK_FALSE(at::allclose(output(at::tensor({0., all, 0.}, float64())), last));
  CHECK(at::allclose(output(at::scalar_tensor(all, float64())), last));
  CHECK(at::allclose(output(at::zeros({3}, float64())),
                     mlp->forward(w, x, Pass())));
  CHECK_THROWS_WITH(output(at::zeros({2}, float64())),
                    ContainsSubstring("'p' has only 2 numbers"));

  // Two names are two hyperparameters; only the first has a single place.
  const auto two = make({{"type", "mlp"},
                         {"hidden", {4, 4}},
                         {"input_dropout", "$a"},
                         {"dropout", "$b"}},
                        {6}, 2)
                       ->hyperparameters();
  REQUIRE(two.size() == 2);
  CHECK(two[0].granularities[1].second == 1);
  CHECK(two[1].granularities[1].second == 2);
  CHECK_THAT(
      complaint(
          {{"type", "mlp"},
           {"dropout", {{"type", "cosine"}, {"initial", "$a"}, {"steps", 9}}}},
          {6}, 2),
      ContainsSubstring("cannot depend on a hyperparameter"));
}

TEST_CASE("a rate may follow a schedule of the training step", "[model]") {
  const auto layer = LayerRegistry::instance().make(Json{{"type", "dropout"},
                                                         {"rate",
                                                          {{"type", "cosine"},
                                                           {"initial", 0.9},
                                                           {"final", 0},
                                                           {"steps", 10}}}},
                                                    {1000});
  const Tensor x = at::ones({1, 1000}, float64());
  const auto kept = [&](std::int64_t step) {
    Pass pass{true, Key(1)};
    pass.step = step;
    return (layer->apply(SharedWeights(), x, pass) > 0)
        .to(at::kDouble)
        .mean()
        .item<double>();
  };
  CHECK(kept(0) < 0.2);
  CHECK(kept(5) == Approx(0.55).margin(0.07));
  CHECK(kept(10) == 1);
}

TEST_CASE("the lstm model says for every step what may come next", "[model]") {
  const auto model =
      ModelRegistry::instance().make(Json{{"type", "lstm"},
                                          {"embedding", 3},
                                          {"hidden", 4},
                                          {"layers", 2},
                                          {"input_dropout", "$p"},
                                          {"dropout", "$p"},
                                          {"activation_penalty", "$a"},
                                          {"slowness_penalty", 0.5}},
                                     {5}, {5, 7});
  const ParameterSet w = model->initial_weights(Key(1));
  CHECK(w.numel() ==
        7 * 3 + 4 * 4 * (3 + 4 + 2) + 4 * 4 * (4 + 4 + 2) + 7 * 4 + 7);
  const Tensor tokens = at::arange(10, at::kLong).remainder(7).view({2, 5});
  const Tensor y = model->forward(w, tokens, Pass());
  CHECK(y.sizes() == at::IntArrayRef({2, 5, 7}));
  // A later token changes no earlier answer.
  Tensor other = tokens.clone();
  other.select(1, 3).fill_(0);
  const Tensor changed = model->forward(w, other, Pass());
  CHECK(at::equal(y.narrow(1, 0, 3), changed.narrow(1, 0, 3)));
  CHECK_FALSE(at::equal(y.narrow(1, 3, 2), changed.narrow(1, 3, 2)));

  std::set<std::string> named;
  for (const Hyperparameter& h : model->hyperparameters()) {
    named.insert(h.name);
    if (h.name == "p") CHECK(h.granularities[1].second == 3);
  }
  CHECK(named == std::set<std::string>{"a", "p"});
  const ParameterSet hyper{{"p", at::zeros({3})}, {"a", at::ones({})}};
  std::vector<Tensor> penalties;
  model->forward(w, tokens, Pass::training_as(Draw(), hyper, &penalties));
  CHECK(penalties.size() == 2);
  CHECK_THAT(complaint({{"type", "lstm"}}, {28, 28}, 10),
             ContainsSubstring("reads sequences of tokens"));
  CHECK_THROWS_WITH(
      ModelRegistry::instance().make(Json{{"type", "mlp"}}, {5}, {5, 7}),
      ContainsSubstring("[5, 7] numbers are wanted"));
}

}  // namespace nestgrad
