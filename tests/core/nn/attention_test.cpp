#include <torch/nn/modules/activation.h>

#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "tests/kit/contract.h"
#include "tests/support/layer_cases.h"

namespace nestgrad {
namespace {

Json attention(int heads, bool causal) {
  return {{"type", "attention"}, {"heads", heads}, {"causal", causal}};
}

Json residual(Json layers) {
  return {{"type", "residual"}, {"layers", std::move(layers)}};
}

/// A language model with two residual blocks, for sequences of 5 of 7 tokens.
std::unique_ptr<Model> transformer() {
  return ModelRegistry::instance().make(
      Json{{"type", "sequential"},
           {"layers",
            {{{"type", "embedding"}, {"vocabulary", 7}, {"dimension", 4}},
             residual({"layer_norm", attention(2, true)}),
             residual({"layer_norm",
                       {{"type", "linear"}, {"out", 6}},
                       "gelu",
                       {{"type", "linear"}, {"out", 4}}}),
             {{"type", "linear"}, {"out", 7}}}}},
      {5}, {5, 7});
}

}  // namespace

TEST_CASE("attention is torch::nn::MultiheadAttention of x with itself",
          "[attention]") {
  constexpr std::int64_t kTime = 5, kFeatures = 6;
  for (const int heads : {1, 2, 3}) {
    for (const bool causal : {false, true}) {
      CAPTURE(heads, causal);
      const auto layer = LayerRegistry::instance().make(
          attention(heads, causal), {kTime, kFeatures});
      const ParameterSet w = layer->initial_weights(Key(1)).to(float64());
      torch::nn::MultiheadAttention reference(
          torch::nn::MultiheadAttentionOptions(kFeatures, heads));
      reference->in_proj_weight = w.at("in_weight");
      reference->in_proj_bias = w.at("in_bias");
      reference->out_proj->weight = w.at("out_weight");
      reference->out_proj->bias = w.at("out_bias");

      const Tensor x =
          Key(2).normal(at::empty({3, kTime, kFeatures}, float64()));
      const Tensor time_first = x.transpose(0, 1);
      // LibTorch adds it to the scores.
      const Tensor later =
          at::full({kTime, kTime}, -INFINITY, float64()).triu(1);
      const Tensor expected =
          std::get<0>(reference->forward(time_first, time_first, time_first,
                                         /*key_padding_mask=*/{},
                                         /*need_weights=*/false,
                                         causal ? later : Tensor()))
              .transpose(0, 1);
      CHECK(at::allclose(layer->apply(SharedWeights(w), x, Pass()), expected,
                         1e-12, 1e-12));
    }
  }
}

TEST_CASE("with rotary positions only the distance of two steps counts",
          "[attention]") {
  Json rotary = attention(2, false);
  rotary["positions"] = "rotary";
  // Three steps among zeros, which have the score and the value 0.
  const Tensor steps = Key(2).normal(at::empty({1, 3, 8}, float64()));
  const auto from = [&](const Json& config, std::int64_t first) {
    const auto layer = LayerRegistry::instance().make(config, {9, 8});
    std::vector<Tensor> w =
        layer->initial_weights(Key(1)).to(float64()).tensors();
    w[1] = at::zeros_like(w[1]);  // in_bias
    const Tensor x = at::zeros({1, 9, 8}, float64());
    x.narrow(1, first, 3).copy_(steps);
    return layer->apply(SharedWeights(w), x, Pass()).narrow(1, first, 3);
  };
  CHECK(at::allclose(from(rotary, 1), from(rotary, 5), 1e-12, 1e-12));
  CHECK_FALSE(at::allclose(from(rotary, 1), from(attention(2, false), 1)));
}

TEST_CASE("attention keeps large scores finite", "[attention]") {
  const auto layer = LayerRegistry::instance().make(attention(1, true), {3, 2});
  const ParameterSet w = layer->initial_weights(Key(1)).to(float64());
  const Tensor x = 1e6 * Key(2).normal(at::empty({2, 3, 2}, float64()));
  const Tensor y = layer->apply(SharedWeights(w), x, Pass());
  CHECK(y.isfinite().all().item<bool>());
}

TEST_CASE("residual blocks and attention keep the contract of models",
          "[attention]") {
  const Tensor tokens = at::arange(10, at::kLong).remainder(7).view({2, 5});
  CHECK(testing::model_faults(*transformer(), tokens).empty());
}

TEST_CASE("a causal transformer answers no step by a later token",
          "[attention]") {
  const auto model = transformer();
  const ParameterSet w = model->initial_weights(Key(1));
  const Tensor tokens = at::arange(10, at::kLong).remainder(7).view({2, 5});
  Tensor other = tokens.clone();
  other.select(1, 3).fill_(0);
  const Tensor y = model->forward(w, tokens, Pass());
  const Tensor changed = model->forward(w, other, Pass());
  CHECK(at::allclose(y.narrow(1, 0, 3), changed.narrow(1, 0, 3)));
  CHECK_FALSE(at::allclose(y.narrow(1, 4, 1), changed.narrow(1, 4, 1)));
}

TEST_CASE("a residual block names its hyperparameters and draws its own noise",
          "[attention]") {
  const auto block = LayerRegistry::instance().make(
      residual({{{"type", "dropout"}, {"rate", "$a"}},
                residual({{{"type", "dropout"}, {"rate", "$b"}}})}),
      {50});
  std::set<std::string> named;
  for (const Hyperparameter& h : block->hyperparameters()) named.insert(h.name);
  CHECK(named == std::set<std::string>{"a", "b"});

  // With rates of 1/2 and x = 1 the output is 1, or 1 + 2, or 1 + 2 + 4.
  const ParameterSet hyper{{"a", at::scalar_tensor(0.5, float64())},
                           {"b", at::scalar_tensor(0.5, float64())}};
  const Tensor y = block->apply(SharedWeights(), at::ones({1, 50}, float64()),
                                {true, Key(1), &hyper});
  for (const double value : {1.0, 3.0, 7.0})
    CHECK((y == value).any().item<bool>());
  CHECK((y == 1).logical_or(y == 3).logical_or(y == 7).all().item<bool>());

  // Two masks of its own leave none, one or both; one mask none or both.
  Json both = residual({{{"type", "dropout"}, {"rate", 0.5}}});
  both["skip"] = both["layers"];
  const Tensor z = LayerRegistry::instance()
                       .make(both, {50})
                       ->apply(SharedWeights(), at::ones({1, 50}, float64()),
                               {true, Key(1)});
  for (const double value : {0.0, 2.0, 4.0})
    CHECK((z == value).any().item<bool>());
}

TEST_CASE("residual and attention refuse shapes that do not fit",
          "[attention]") {
  Json plain = residual({{{"type", "linear"}, {"out", 3}}});
  CHECK(layer_complaint(plain, {2, 4}) == "none");
  plain["projection"] = "none";
  CHECK(layer_complaint(plain, {2, 4}) ==
        "/layers: must end in the shape of what they are added to, [2, 4], but "
        "end in [2, 3]");
  CHECK(layer_complaint(residual({"flatten"}), {2, 3, 3}) ==
        "/layers: no projection leads from the shape of their input, [2, 3, "
        "3], to that of their output, [18]");
  Json skipping = residual({"relu"});
  skipping["skip"] = {"flatten"};
  CHECK(layer_complaint(skipping, {2, 3, 3}) ==
        "/layers: no projection leads from the shape of the skip, [18], to "
        "that of the layers, [2, 3, 3]");
  CHECK(layer_complaint(residual({"global_avg_pool2d",
                                  {{"type", "reshape"}, {"shape", {2, 1, 1}}}}),
                        {2, 3, 9}) == "none");
  CHECK_THAT(
      layer_complaint(residual({{{"type", "conv2d"}, {"out", 2}}}), {2, 9, 9}),
      ContainsSubstring("no projection leads from"));
  CHECK(
      layer_complaint(residual({"relu", {{"type", "linear"}, {"oud", 4}}}), {4})
          .rfind("/layers/1/oud: ", 0) == 0);
  CHECK(layer_complaint(attention(3, false), {5, 4}) ==
        "/heads: must divide the number of features, 4, but is 3");
  Json rotary = attention(2, false);
  rotary["positions"] = "rotary";
  CHECK(layer_complaint(rotary, {5, 6}) ==
        "/positions: turns pairs of numbers, but a head has 3 features");
  CHECK(layer_complaint(attention(1, false), {4}) ==
        "/type: attention expects sequences [time, features], but its input is "
        "[4]");
  CHECK(layer_complaint({{"type", "attention"}, {"head", 2}}, {5, 4})
            .rfind("/head: ", 0) == 0);
}

}  // namespace nestgrad
