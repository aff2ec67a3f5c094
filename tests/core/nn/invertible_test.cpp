#include <ATen/ATen.h>

#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "core/platform/memory_meter.h"
#include "core/tensor/autodiff.h"
#include "tests/support/layer_case.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

const Json kHidden = {{{"type", "linear"}, {"out", 16}}, "tanh"};

Json coupling(const char* type, const char* keep = "first") {
  return {{"type", type}, {"keep", keep}, {"layers", kHidden}};
}

/// A layer with weights that are not those of the start.
struct Made {
  explicit Made(const Json& json, const Shape& input = {6})
      : layer(LayerRegistry::instance().make(json, input)) {
    const ParameterSet fresh = layer->initial_weights(Key(1)).to(float64());
    weights = add(fresh, 0.5, Key(2).normal(fresh));
    Shape sizes = input;
    sizes.insert(sizes.begin(), 5);
    x = Key(3).normal(at::empty(sizes, float64()));
  }

  Tensor apply(const ParameterSet& w, const Tensor& at) const {
    return layer->apply(SharedWeights(w), at, Pass());
  }
  Tensor inverse(const Tensor& y) const {
    return dynamic_cast<const InvertibleLayer&>(*layer).inverse(
        SharedWeights(weights), y, Pass());
  }

  std::unique_ptr<Layer> layer;
  ParameterSet weights;
  Tensor x;
};

Json many_couplings(bool saving, int count = 8,
                    const char* type = "affine_coupling") {
  Json layers = Json::array();
  for (int i = 0; i < count; ++i) {
    layers.push_back(coupling(type, i % 2 == 0 ? "first" : "second"));
  }
  return {
      {"type", "invertible"}, {"layers", layers}, {"memory_saving", saving}};
}

}  // namespace

TEST_CASE("invertible layers are undone by their inverse", "[layer]") {
  for (const Json& json :
       {coupling("additive_coupling"), coupling("affine_coupling"),
        coupling("affine_coupling", "second"),
        Json{{"type", "invertible_residual"}, {"hidden", {16, 16}}},
        Json{{"type", "invertible_residual"},
             {"hidden", {16}},
             {"contraction", 0.99},
             {"activation", "relu"}},
        many_couplings(false)}) {
    CAPTURE(json.dump());
    const Made made(json);
    const Tensor y = made.apply(made.weights, made.x);
    CHECK(!at::allclose(y, made.x));
    CHECK((made.inverse(y) - made.x).abs().max().item<double>() < 1e-11);
  }
  const Made images(Json{{"type", "affine_coupling"}}, {3, 4, 4});
  const Tensor y = images.apply(images.weights, images.x);
  CHECK((images.inverse(y) - images.x).abs().max().item<double>() < 1e-12);
}

TEST_CASE("an invertible residual stretches no more than it says", "[layer]") {
  for (const double c : {0.3, 0.9}) {
    const Made made(Json{{"type", "invertible_residual"},
                         {"hidden", {16, 16}},
                         {"contraction", c}});
    // Far larger weights than at the start.
    const ParameterSet w = 10. * made.weights;
    const Tensor a = made.x, b = made.x + 0.1 * Key(5).normal(made.x);
    const Tensor ratio =
        (made.apply(w, a) - made.apply(w, b)).norm(2, 1) / (a - b).norm(2, 1);
    CHECK(ratio.max().item<double>() <= 1 + c);
    CHECK(ratio.min().item<double>() >= 1 - c);
  }
}

TEST_CASE("derivatives without memory for what is between are the same",
          "[layer]") {
  for (const char* type : {"additive_coupling", "affine_coupling"}) {
    CAPTURE(type);
    const Made saving(many_couplings(true, 8, type)),
        plain(many_couplings(false, 8, type));
    const auto derivatives = [](const Made& made) {
      const ParameterSet w = made.weights.leaves();
      const Tensor x = made.x.detach().requires_grad_();
      ParameterSet all = w;
      all.insert("x", x);
      return gradient(made.apply(w, x).pow(3).sum(), all);
    };
    CHECK(relative_error(derivatives(saving), derivatives(plain)) < 1e-10);
    // Second derivatives.
    const auto curvature = [](const Made& made) {
      const ParameterSet w = made.weights.leaves();
      const ParameterSet g =
          gradient(made.apply(w, made.x).pow(3).sum(), w, Tape::kOn);
      return gradient(dot(g, Key(9).normal(w)), w);
    };
    CHECK(relative_error(curvature(saving), curvature(plain)) < 1e-10);
  }
}

TEST_CASE(
    "invertible layers that save memory take as much for many layers as "
    "for one",
    "[layer]") {
  const auto peak = [](bool saving, int layers) {
    const Made made(many_couplings(saving, layers));
    const Tensor x = Key(4).normal(at::empty({2000, 6}, float64()));
    const ParameterSet w = made.weights.leaves();
    const MemoryMeter meter;
    gradient(made.apply(w, x).square().sum(), w);
    return static_cast<double>(meter.peak());
  };
  CHECK(peak(true, 40) < 1.3 * peak(true, 4));
  CHECK(peak(false, 40) > 5 * peak(false, 4));
}

TEST_CASE("derivatives are refused where an inverse is not accurate enough",
          "[layer]") {
  // A scale of sigmoid(2 - 60) is zero beside the shift.
  Json json = {{"type", "invertible"},
               {"layers", {{{"type", "affine_coupling"}}}},
               {"memory_saving", true}};
  const Made made(json);
  ParameterSet w = made.weights.zeros();
  std::vector<Tensor> tensors = w.tensors();
  tensors[1] =
      at::cat({at::full({3}, -60., float64()), at::full({3}, 1., float64())});
  w = w.with(tensors).leaves();
  CHECK_THROWS_WITH(gradient(made.apply(w, made.x).sum(), w),
                    ContainsSubstring("the inverse of the layers is off by") &&
                        ContainsSubstring("more than \"tolerance\", 0.001"));
  json["memory_saving"] = false;
  CHECK_NOTHROW(gradient(Made(json).apply(w, made.x).sum(), w));
}

TEST_CASE("penalties keep invertible layers from stretching", "[layer]") {
  Json json = many_couplings(false, 2);
  const auto penalty = [&](const char* key, double reach) {
    json["forward_penalty"] = json["inverse_penalty"] = 0;
    json[key] = 2;
    json["reach"] = reach;
    json["difference"] = 1e-4;
    const Made made(json);
    std::vector<Tensor> penalties;
    Pass pass;
    pass.training = true;
    pass.key = Key(7);
    pass.penalties = &penalties;
    made.layer->apply(SharedWeights(made.weights), made.x, pass);
    REQUIRE(penalties.size() == 1);
    return penalties[0].item<double>();
  };
  // Between the squares of the least and the greatest singular values.
  const Made made(json);
  const Tensor x = made.x.detach().requires_grad_();
  const Tensor y = made.apply(made.weights, x);
  std::vector<Tensor> rows;
  for (int i = 0; i < 6; ++i) {
    Tensor v = at::zeros_like(y);
    v.select(1, i).fill_(1);
    rows.push_back(vjp(std::vector<Tensor>{y}, {x}, {v}).front());
  }
  const Tensor s = at::linalg_svdvals(at::stack(rows, 1)).square();
  const double forward = penalty("forward_penalty", 0);
  CHECK(forward > 2 * s.min().item<double>());
  CHECK(forward < 2 * s.max().item<double>());
  const double inverse = penalty("inverse_penalty", 0);
  CHECK(inverse > 2 / s.max().item<double>());
  CHECK(inverse < 2 / s.min().item<double>());
  CHECK(penalty("inverse_penalty", 5) != Approx(inverse).epsilon(0.01));
}

TEST_CASE("mistakes in invertible layers are told", "[layer]") {
  CHECK_THAT(layer_complaint({{"type", "affine_coupling"}}, {1}),
             ContainsSubstring("2 numbers or more"));
  CHECK_THAT(layer_complaint({{"type", "affine_coupling"}}, {3, 5}),
             ContainsSubstring("images with 2 channels"));
  CHECK_THAT(
      layer_complaint({{"type", "invertible"}, {"layers", {"tanh"}}}, {4}),
      ContainsSubstring("is no layer that can be undone"));
  CHECK_THAT(
      layer_complaint(
          {{"type", "affine_coupling"},
           {"layers", {{{"type", "conv2d"}, {"out", 3}, {"kernel", 2}}}}},
          {2, 4, 4}),
      ContainsSubstring("must keep the height and width"));
}

}  // namespace nestgrad
