#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/storage/safetensors.h"
#include "tests/support/layer_cases.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
TEST_CASE("every registered layer has a case in the table", "[layers]") {
  const std::vector<LayerCase> cases = layer_cases();
  for (const std::string& name : LayerRegistry::instance().names()) {
    CAPTURE(name);
    CHECK(std::any_of(cases.begin(), cases.end(),
                      [&](const LayerCase& c) { return c.type() == name; }));
  }
}

TEST_CASE("every layer computes its formula", "[layers]") {
  for (const LayerCase& c : layer_cases()) {
    CAPTURE(c.config.dump());
    const ParameterSet weights = weights_for(c);
    const Tensor input = input_for(c);
    const Tensor y = c.make()->apply(SharedWeights(weights), input, Pass{});
    const Tensor expected = c.expected(weights, input);
    REQUIRE(y.sizes() == expected.sizes());
    CHECK(at::allclose(y, expected, 1e-12, 1e-12));
  }
}

TEST_CASE("every layer gives the shape that it promises", "[layers]") {
  for (const LayerCase& c : layer_cases()) {
    CAPTURE(c.config.dump());
    CHECK(c.make()->output_shape() == c.output);
    const ParameterSet weights = weights_for(c);
    for (const std::int64_t batch : {1, 3}) {
      const Tensor input = input_for(c).slice(0, 0, batch);
      const Tensor y = c.make()->apply(SharedWeights(weights), input, Pass{});
      Shape sizes = c.output;
      sizes.insert(sizes.begin(), batch);
      CHECK(y.sizes() == at::IntArrayRef(sizes));
    }
  }
}

TEST_CASE(
    "an example of a part of a batch gets what it gets in the whole batch",
    "[layers]") {
  for (const LayerCase& c : layer_cases()) {
    CAPTURE(c.config.dump());
    const auto layer = c.make();
    const ParameterSet weights = weights_for(c);
    const Tensor input = input_for(c);
    Pass pass;
    pass.training = true;
    pass.key = Key(7);
    const Tensor whole = layer->apply(SharedWeights(weights), input, pass);
    pass.part = {1, kBatch - 1};
    const Tensor part = layer->apply(SharedWeights(weights),
                                     input.narrow(0, 1, kBatch - 1), pass);
    CHECK(at::allclose(part, whole.narrow(0, 1, kBatch - 1), 1e-12, 1e-12) ==
          layer->separates_examples());
  }
}

TEST_CASE("fresh weights are float32 and follow the key alone", "[layers]") {
  for (const LayerCase& c : layer_cases()) {
    CAPTURE(c.config.dump());
    at::manual_seed(1);
    const ParameterSet first = c.make()->initial_weights(Key(1));
    at::manual_seed(2);
    const ParameterSet second = c.make()->initial_weights(Key(1));
    const ParameterSet other = c.make()->initial_weights(Key(2));
    REQUIRE(alike(first, second));
    REQUIRE(alike(first, other));
    for (std::size_t i = 0; i < first.size(); ++i) {
      CAPTURE(first.name(i));
      // A coupling changes nothing at first.
      const bool undone = c.type().find("coupling") != std::string::npos ||
                          c.type() == "invertible";
      const bool constant =
          c.type().find("norm") != std::string::npos ||
          (c.type() == "lora" && first.name(i) == "b") ||
          (undone && first.tensors()[i].count_nonzero().item<int>() == 0);
      CHECK(first.tensors()[i].scalar_type() == at::kFloat);
      CHECK(first.tensors()[i].equal(second.tensors()[i]));
      CHECK(first.tensors()[i].equal(other.tensors()[i]) == constant);
    }
  }
}

TEST_CASE(
    "linear, convolutional and recurrent layers start uniformly within "
    "PyTorch's bounds",
    "[layers]") {
  struct Start {
    Json config;
    Shape input;
    double bound;
  };
  const std::vector<Start> starts = {
      {{{"type", "linear"}, {"out", 200}}, {25}, 0.2},
      {{{"type", "conv2d"}, {"out", 100}, {"kernel", 5}}, {4, 8, 8}, 0.1},
      {{{"type", "conv_transpose2d"}, {"out", 100}, {"kernel", 1}},
       {4, 8, 8},
       0.1},
      {{{"type", "gru"}, {"hidden", 25}}, {7, 3}, 0.2},
      {{{"type", "lstm"}, {"hidden", 25}, {"layers", 2}}, {7, 3}, 0.2}};
  for (const Start& start : starts) {
    CAPTURE(start.config.dump());
    const ParameterSet weights = LayerRegistry::instance()
                                     .make(start.config, start.input)
                                     ->initial_weights(Key(1));
    for (const Tensor& w : weights.tensors()) {
      CHECK(w.abs().max().item<double>() <= start.bound);
      CHECK(w.min().item<double>() < -0.9 * start.bound);
      CHECK(w.max().item<double>() > 0.9 * start.bound);
      // The variance of U(-b, b) is b^2 / 3; 100 numbers know it to 9%.
      CHECK(w.square().mean().item<double>() ==
            Approx(start.bound * start.bound / 3).epsilon(0.3));
    }
    CHECK_FALSE(weights.tensors()[0].flatten()[0].equal(
        weights.tensors()[1].flatten()[0]));
  }
}

TEST_CASE("recurrent layers name their weights as PyTorch does", "[layers]") {
  const auto names = [](const char* type, int layers) {
    const auto layer = LayerRegistry::instance().make(
        Json{{"type", type}, {"hidden", 5}, {"layers", layers}}, {4, 3});
    const ParameterSet weights = layer->initial_weights(Key(1));
    std::string text;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      text += fmt::format("{} {} ", weights.name(i),
                          fmt::join(weights.tensors()[i].sizes(), "x"));
    }
    return text;
  };
  CHECK(names("rnn", 1) == "weight_ih 5x3 weight_hh 5x5 bias_ih 5 bias_hh 5 ");
  CHECK(names("gru", 1) ==
        "weight_ih 15x3 weight_hh 15x5 bias_ih 15 bias_hh 15 ");
  CHECK(names("lstm", 1) ==
        "weight_ih 20x3 weight_hh 20x5 bias_ih 20 bias_hh 20 ");
  CHECK(names("lstm", 2) ==
        "weight_ih_l0 20x3 weight_hh_l0 20x5 bias_ih_l0 20 bias_hh_l0 20 "
        "weight_ih_l1 20x5 weight_hh_l1 20x5 bias_ih_l1 20 bias_hh_l1 20 ");
}

TEST_CASE("dropout sets a share of the numbers to zero and keeps the mean",
          "[layers]") {
  const auto layer = LayerRegistry::instance().make(
      Json{{"type", "dropout"}, {"rate", 0.3}}, {1000});
  const Tensor ones = at::ones({20, 1000}, float64());
  const Tensor y = layer->apply(SharedWeights(), ones, {true, Key(1)});
  const Tensor zero = y == 0;
  // 20000 numbers: the share of zeros is known to 0.0032.
  CHECK(zero.to(at::kDouble).mean().item<double>() ==
        Approx(0.3).margin(0.0130));
  CHECK(at::allclose(y, zero.logical_not().to(at::kDouble) / 0.7));
  CHECK_FALSE(y.equal(layer->apply(SharedWeights(), ones, {true, Key(2)})));
  CHECK(ones.equal(layer->apply(SharedWeights(), ones, {false, Key(1)})));
}

TEST_CASE("batch_norm uses the statistics of its batch in evaluation too",
          "[layers]") {
  const auto layer =
      LayerRegistry::instance().make(Json{{"type", "batch_norm"}}, {2});
  const std::vector<Tensor> weights = {at::ones(2), at::zeros(2)};
  const Tensor input = at::tensor({1.0, 5.0, 3.0, 9.0}).view({2, 2});
  const Tensor y =
      layer->apply(SharedWeights(weights), input.to(at::kFloat), Pass{});
  const Tensor expected = at::tensor({-1.0, -1.0, 1.0, 1.0}).view({2, 2});
  CHECK(at::allclose(y, expected.to(at::kFloat), 1e-4, 1e-4));
}

TEST_CASE("a layer refuses an input of the wrong shape in a sentence",
          "[layers]") {
  const std::string images =
      "expects images [channels, height, width], but its input is [784]";
  for (const Json& config :
       {Json{{"type", "conv2d"}, {"out", 3}}, Json{{"type", "max_pool2d"}},
        Json{{"type", "avg_pool2d"}}, Json{{"type", "global_avg_pool2d"}}}) {
    const std::string type = config["type"].get<std::string>();
    CHECK(layer_complaint(config, {784}) == "/type: " + type + " " + images);
  }
  CHECK(layer_complaint(Json{{"type", "linear"}, {"out", 3}}, {1, 28, 28}) ==
        "/type: linear expects vectors [features] or sequences [time, "
        "features] (put a flatten layer before it), but its input is [1, 28, "
        "28]");
  CHECK(layer_complaint(Json{{"type", "linear"}, {"out", 3}}, {}) != "none");
  CHECK(layer_complaint(Json{{"type", "batch_norm"}}, {5, 4}) ==
        "/type: batch_norm expects vectors [channels] or images [channels, "
        "height, width], but its input is [5, 4]");
  CHECK(layer_complaint(Json{{"type", "instance_norm"}}, {5}) ==
        "/type: instance_norm expects images of more than one pixel, but its "
        "input is [5]");
  CHECK(layer_complaint(Json{{"type", "layer_norm"}}, {1, 2, 3}) ==
        "/type: layer_norm expects vectors [features] or sequences [time, "
        "features] with more than one feature, but its input is [1, 2, 3]");
  CHECK(layer_complaint(Json{{"type", "layer_norm"}}, {1}) != "none");
  CHECK(layer_complaint(
            Json{{"type", "embedding"}, {"vocabulary", 3}, {"dimension", 2}},
            {4, 2}) ==
        "/type: embedding expects tokens [time], but its input is [4, 2]");
  CHECK(layer_complaint(Json{{"type", "lstm"}, {"hidden", 3}}, {4}) ==
        "/type: lstm expects sequences [time, features], but its input is [4]");
}

TEST_CASE("lora starts at the weights of a file and has none of its own",
          "[layers]") {
  const TemporaryFolder folder;
  const Tensor w = Key(1).normal(at::empty({2, 3})),
               c = Key(2).normal(at::empty(2)),
               x = Key(3).normal(at::empty({4, 3}));
  save_safetensors(folder.path("w.safetensors"),
                   {{"1.weight", w}, {"1.bias", c}});
  Json config = {{"type", "lora"},
                 {"file", folder.path("w.safetensors")},
                 {"weight", "1.weight"},
                 {"bias", "1.bias"},
                 {"alpha", "$alpha"}};
  const auto layer = LayerRegistry::instance().make(config, {3});
  const ParameterSet own = layer->initial_weights(Key(4));
  CHECK(own.numel() == 8 * (3 + 2));
  CHECK(layer->hyperparameters().at(0).name == "alpha");
  const auto output = [&](const ParameterSet& weights, const Tensor& alpha) {
    const ParameterSet hyper{{"alpha", alpha}};
    Pass pass;
    pass.hyper = &hyper;
    return layer->apply(SharedWeights(weights), x, pass);
  };
  const Tensor fixed = at::addmm(c, x, w.t());
  CHECK(at::allclose(output(own, at::scalar_tensor(5)), fixed));
  // By alpha the output has the derivative B A x / rank.
  const ParameterSet moved = own + Key(5).normal(own);
  CHECK(at::allclose(
      output(moved, at::scalar_tensor(1)) - fixed,
      at::matmul(at::matmul(x, moved.at("a").t()), moved.at("b").t()) / 8, 1e-4,
      1e-5));

  config["bias"] = "bias";
  CHECK_THAT(layer_complaint(config, {3}),
             ContainsSubstring("/bias: ") &&
                 ContainsSubstring("has no tensor 'bias'"));
  config["bias"] = "1.weight";
  CHECK(layer_complaint(config, {3}) ==
        "/bias: must have the shape [2], but is [2, 3]");
  CHECK(layer_complaint(config, {4}) ==
        "/weight: must have the shape [out, 4], but is [2, 3]");
  config["bias"] = "1.bias";
  config["out"] = 5;
  CHECK(layer_complaint(config, {3}) ==
        "/out: is 5, but the weights in the file have 2 outputs");
  config["file"] = folder.path("none");
  CHECK_THAT(layer_complaint(config, {3}), ContainsSubstring("/file: "));
}

TEST_CASE("lora refuses whole numbers as its fixed weights", "[layers]") {
  const TemporaryFolder folder;
  save_safetensors(folder.path("w"), {{"weight", at::ones({2, 3})},
                                      {"bias", at::ones(2)},
                                      {"weights", at::ones({2, 3}, at::kLong)},
                                      {"biases", at::ones(2, at::kLong)}});
  const Json config = {
      {"type", "lora"}, {"file", folder.path("w")}, {"bias", "bias"}};
  CHECK(layer_complaint(config, {3}) == "none");
  for (const std::string key : {"weight", "bias"}) {
    Json other = config;
    other[key] = key == "bias" ? "biases" : "weights";
    CHECK(layer_complaint(other, {3}) ==
          "/" + key +
              ": must be floating-point numbers, but is of the type Long");
  }
}

TEST_CASE("lora without a file needs a seed, and with one takes none",
          "[layers]") {
  Json config = {{"type", "lora"}};
  CHECK(layer_complaint(config, {3}) ==
        "/out: is needed where no file says the size of the output");
  config["out"] = 2;
  CHECK(layer_complaint(config, {3}) ==
        "/seed: is needed where no file has W; give layers of equal size "
        "different seeds");
  config["seed"] = 1;
  CHECK(layer_complaint(config, {3}) == "none");
  for (const char* key : {"weight", "bias"}) {
    Json named = config;
    named[key] = "a";
    CHECK(layer_complaint(named, {3}) ==
          fmt::format("/{}: is a name in \"file\", which is left out", key));
  }
  const TemporaryFolder folder;
  save_safetensors(folder.path("w"), {{"weight", at::ones({2, 3})}});
  config["file"] = folder.path("w");
  CHECK(layer_complaint(config, {3}) ==
        "/seed: must be left out where a file has W");
  config.erase("seed");
  CHECK(layer_complaint(config, {3}) == "none");
}

TEST_CASE("a kernel larger than the image is refused", "[layers]") {
  CHECK(layer_complaint(Json{{"type", "conv2d"}, {"out", 1}, {"kernel", 5}},
                        {1, 4, 9}) ==
        "/kernel: a kernel of 5 x 5 is larger than the images of 4 x 9 pixels, "
        "padding included");
  CHECK(
      layer_complaint(Json{{"type", "avg_pool2d"}, {"kernel", 3}}, {1, 8, 2}) ==
      "/kernel: a kernel of 3 x 3 is larger than the images of 8 x 2 pixels, "
      "padding included");
  CHECK(layer_complaint(
            Json{{"type", "conv2d"}, {"out", 1}, {"kernel", 5}, {"padding", 1}},
            {1, 3, 3}) == "none");
}

TEST_CASE("numbers that a layer cannot use are refused", "[layers]") {
  CHECK(
      layer_complaint(Json{{"type", "group_norm"}, {"groups", 3}}, {4, 2, 2}) ==
      "/groups: must divide the number of channels, 4, is 3");
  CHECK(layer_complaint(Json{{"type", "group_norm"}, {"groups", 4}}, {4}) ==
        "/groups: must leave more than one number to each group, but the input "
        "is [4] and there are 4 groups");
  CHECK(layer_complaint(Json{{"type", "conv_transpose2d"},
                             {"out", 1},
                             {"stride", 2},
                             {"output_padding", 2}},
                        {1, 4, 4}) ==
        "/output_padding: must be less than the stride, 2, but is 2");
  CHECK(layer_complaint(
            Json{{"type", "conv_transpose2d"}, {"out", 1}, {"padding", 2}},
            {1, 2, 5}) ==
        "/padding: cuts off all of the output, which would be [1, 0, 3]");
  CHECK(layer_complaint(
            Json{{"type", "max_pool2d"}, {"kernel", 3}, {"padding", 2}},
            {1, 4, 4}) ==
        "/padding: must be at most half of the kernel, 1, but is 2");
  CHECK(layer_complaint(Json{{"type", "reshape"}, {"shape", {2, 3}}}, {5}) ==
        "/shape: must have as many numbers as the input, [5], but is [2, 3]");
  CHECK(layer_complaint(Json{{"type", "dropout"}, {"rate", 1}}, {4}) != "none");
  CHECK(layer_complaint(Json{{"type", "linear"}, {"out", 0}}, {4}) != "none");
  CHECK(layer_complaint(Json{{"type", "linear"}}, {4}) != "none");
}

TEST_CASE(
    "layers compute what PyTorch's do with the weights that "
    "docs/pytorch.md names",
    "[layers]") {
  const TemporaryFolder folder;
  const std::string root = NESTGRAD_SOURCE_DIR;
  const auto write = [&](const Json& config, const Shape& input) {
    Shape sizes = input;
    sizes.insert(sizes.begin(), 2);
    const Tensor x = Key(1).normal(at::empty(sizes));
    const auto layer = LayerRegistry::instance().make(config, input);
    ParameterSet all = layer->initial_weights(Key(2));
    const Tensor y = layer->apply(SharedWeights(all), x, Pass());
    all.insert("input", x);
    all.insert("output", y);
    save_safetensors(
        folder.path(config.at("type").get<std::string>() + ".safetensors"),
        all);
  };
  write({{"type", "linear"}, {"out", 3}}, {4});
  write({{"type", "conv2d"}, {"out", 3}, {"kernel", 3}}, {2, 5, 5});
  write(
      {{"type", "conv_transpose2d"}, {"out", 3}, {"kernel", 3}, {"stride", 2}},
      {2, 4, 4});
  write({{"type", "lstm"}, {"hidden", 3}, {"output", "all"}}, {5, 4});
  write({{"type", "gru"}, {"hidden", 3}, {"layers", 2}, {"output", "all"}},
        {5, 4});
  write({{"type", "attention"}, {"heads", 2}}, {5, 4});
  const Ended ended =
      shell(folder.path(""),
            fmt::format("/usr/bin/python3 -B {0}/tests/core/nn/"
                        "exported/layers_back.py {0}/docs/pytorch.md "
                        "{1}",
                        root, folder.path("")));
  CAPTURE(ended.output);
  CHECK(ended.code == 0);
}

}  // namespace nestgrad
