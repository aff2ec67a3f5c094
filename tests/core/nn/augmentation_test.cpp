#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kImages = 400;

const Shape kColour = {3, 8, 9};

/// Pixels between 0.1 and 1.1, none of them zero.
Tensor images() {
  return 0.1 + Key(1).uniform(at::empty({kImages, 3, 8, 9}, float64()));
}

std::unique_ptr<Layer> make(const Json& json) {
  return LayerRegistry::instance().make(json, kColour);
}

Tensor in_training(const Json& json, const Tensor& x) {
  return make(json)->apply(SharedWeights(), x, {true, Key(3)});
}

/// The key of the strength of each augmentation, and a strength that shows.
const std::vector<std::pair<std::string, std::pair<std::string, double>>>
    kStrengths = {
        {"noise", {"deviation", 0.3}},     {"random_scale", {"strength", 0.3}},
        {"brightness", {"strength", 0.5}}, {"contrast", {"strength", 0.5}},
        {"saturation", {"strength", 0.5}}, {"hue", {"strength", 0.5}},
        {"translation", {"distance", 3}},  {"cutout", {"length", 3}},
        {"dropout", {"rate", 0.5}}};

/// One number for each image, if `ratio` has the same for all of its pixels.
Tensor per_image(const Tensor& ratio) {
  const Tensor flat = ratio.flatten(1);
  CHECK((flat.amax(1) - flat.amin(1)).max().item<double>() < 1e-9);
  return flat.mean(1);
}

/// Uniform numbers from low to high, as 400 of them tell.
void check_uniform(const Tensor& numbers, double low, double high) {
  const double width = high - low;
  CHECK(numbers.min().item<double>() >= low);
  CHECK(numbers.max().item<double>() <= high);
  CHECK(numbers.min().item<double>() < low + 0.03 * width);
  CHECK(numbers.max().item<double>() > high - 0.03 * width);
  // A mean of 400 is known to width / sqrt(12 * 400) = 0.0144 width.
  CHECK(numbers.mean().item<double>() ==
        Approx((low + high) / 2).margin(4 * 0.0145 * width));
}

}  // namespace

TEST_CASE("every augmentation of strength zero leaves images as they are",
          "[augmentation]") {
  for (const auto& [type, strength] : kStrengths) {
    CAPTURE(type);
    const Tensor x = images();
    CHECK(
        at::allclose(in_training({{"type", type}, {strength.first, 0}}, x), x));
    CHECK_FALSE(at::allclose(
        in_training({{"type", type}, {strength.first, strength.second}}, x),
        x));
  }
}

TEST_CASE("every example may have its own strength of augmentation",
          "[augmentation]") {
  for (const auto& [type, strength] : kStrengths) {
    CAPTURE(type);
    const Tensor x = images();
    const auto layer = make({{"type", type}, {strength.first, "$s"}});
    REQUIRE(layer->hyperparameters().size() == 1);
    CHECK(layer->hyperparameters()[0].name == "s");
    CHECK_FALSE(layer->hyperparameters()[0].differentiable);

    // Half of the examples are left alone.
    const Tensor on = (at::arange(kImages) % 2 == 0).to(at::kDouble);
    const ParameterSet each{{"s", (strength.second * on).requires_grad_()}};
    Pass pass{true, Key(3), &each};
    pass.hyper_axis = HyperAxis::kExamples;
    const Tensor y = layer->apply(SharedWeights(), x, pass);
    const Tensor changed = (y - x).abs().flatten(1).amax(1) > 1e-9;
    CHECK(changed.logical_and(on == 0).sum().item<double>() == 0);
    CHECK(changed.sum().item<double>() > 0.45 * kImages);
    CHECK_FALSE(y.requires_grad());

    // What the others undergo does not depend on them.
    const ParameterSet all{
        {"s", at::scalar_tensor(strength.second, float64())}};
    const Tensor expected =
        layer->apply(SharedWeights(), x, {true, Key(3), &all});
    CHECK(
        at::allclose(at::where((on > 0).view({-1, 1, 1, 1}), expected, x), y));
  }
}

TEST_CASE("brightness and random_scale multiply each image by one factor",
          "[augmentation]") {
  const Tensor x = images();
  check_uniform(
      per_image(in_training({{"type", "brightness"}, {"strength", 0.4}}, x) /
                x),
      0.6, 1.4);
  check_uniform(
      per_image(in_training({{"type", "random_scale"}, {"strength", 0.25}}, x) /
                x),
      0.8, 1.25);
}

TEST_CASE("contrast keeps the mean of an image and saturation its grey",
          "[augmentation]") {
  const Tensor x = images();
  const Tensor mean = x.mean({1, 2, 3}, true);
  const Tensor contrast =
      in_training({{"type", "contrast"}, {"strength", 0.4}}, x);
  check_uniform(per_image((contrast - mean) / (x - mean)), 0.6, 1.4);

  const Tensor weights =
      at::tensor({0.299, 0.587, 0.114}, float64()).view({3, 1, 1});
  const Tensor grey = (x * weights).sum(1, true);
  const Tensor saturated =
      in_training({{"type", "saturation"}, {"strength", 0.4}}, x);
  CHECK(at::allclose((saturated * weights).sum(1, true), grey));
  check_uniform(per_image((saturated - grey) / (x - grey)), 0.6, 1.4);
}

TEST_CASE("hue turns every colour of an image by one angle about grey",
          "[augmentation]") {
  const Tensor x = images();
  const Tensor y = in_training({{"type", "hue"}, {"strength", 0.2}}, x);
  CHECK(at::allclose(y.mean(1), x.mean(1)));
  const Tensor a = x - x.mean(1, true), b = y - y.mean(1, true);
  CHECK(at::allclose(a.norm(2, 1), b.norm(2, 1)));
  // sin of the signed angle: (a x b) . n / |a|^2.
  const Tensor n = at::full({3, 1, 1}, 1 / std::sqrt(3.0), float64());
  const Tensor sine = (at::cross(a, b, 1) * n).sum(1) / a.square().sum(1);
  const Tensor cosine = (a * b).sum(1) / a.square().sum(1);
  check_uniform(per_image(at::atan2(sine, cosine) / (2 * M_PI)), -0.2, 0.2);
}

TEST_CASE("noise has the deviation that it says", "[augmentation]") {
  const Tensor x = images();
  const Tensor e = in_training({{"type", "noise"}, {"deviation", 0.3}}, x) - x;
  CHECK(e.std().item<double>() == Approx(0.3).epsilon(0.02));
  CHECK(e.mean().item<double>() == Approx(0).margin(0.005));
}

TEST_CASE("translation moves images by whole pixels, all distances alike",
          "[augmentation]") {
  const Tensor x = images();
  // 2.9 is rounded down.
  const Tensor y = in_training({{"type", "translation"}, {"distance", 2.9}}, x);
  std::map<std::pair<int, int>, int> met;
  for (std::int64_t i = 0; i < kImages; ++i) {
    int found = 0;
    for (int dy = -2; dy <= 2; ++dy) {
      for (int dx = -2; dx <= 2; ++dx) {
        // A margin of zeros, cut at another place.
        const Tensor wide = at::constant_pad_nd(x[i], {2, 2, 2, 2});
        const Tensor moved = wide.narrow(1, 2 - dy, 8).narrow(2, 2 - dx, 9);
        if (!moved.equal(y[i])) continue;
        ++found;
        ++met[{dy, dx}];
      }
    }
    CHECK(found == 1);
  }
  // 25 distances, 16 images each; six deviations of a count.
  CHECK(met.size() == 25);
  for (const auto& [distance, count] : met) CHECK(count < 16 + 6 * 4);
}

TEST_CASE("cutout sets the given number of squares of that size to zero",
          "[augmentation]") {
  const Tensor x = images();
  // Both are rounded down.
  const Tensor one =
      in_training({{"type", "cutout"}, {"holes", 1.9}, {"length", 3.9}}, x) ==
      0;
  CHECK(at::allclose(one.select(1, 0), one.select(1, 2)));
  const Tensor zeros = one.select(1, 0).to(at::kDouble);
  const Tensor count = zeros.sum({1, 2});
  CHECK(count.max().item<double>() == 9);
  CHECK(count.min().item<double>() == 4);  // in a corner
  // Each is a rectangle: as many rows times as many columns.
  CHECK(at::equal(count, zeros.amax(2).sum(1) * zeros.amax(1).sum(1)));
  // Centres are everywhere: 6 of 8 rows and 7 of 9 columns leave it whole.
  const double whole = (count == 9).to(at::kDouble).mean().item<double>();
  CHECK(whole == Approx(6.0 * 7 / 72).margin(4 * 0.025));

  const Tensor three =
      in_training({{"type", "cutout"}, {"holes", 3}, {"length", 3}}, x) == 0;
  const Tensor counts = three.select(1, 0).to(at::kDouble).sum({1, 2});
  CHECK(counts.max().item<double>() > 18);
  CHECK(counts.max().item<double>() <= 27);
  CHECK(in_training({{"type", "cutout"}, {"holes", 0.9}, {"length", 3}}, x)
            .equal(x));
}

TEST_CASE("penalties on activations are what they say, and have a derivative",
          "[augmentation]") {
  const Tensor x = Key(1).normal(at::empty({5, 4, 3}, float64()));
  const Tensor alpha = at::scalar_tensor(0.7, float64()).requires_grad_();
  const ParameterSet hyper{{"alpha", alpha}};
  const auto penalty = [&](const char* type) {
    const auto layer = LayerRegistry::instance().make(
        Json{{"type", type}, {"strength", "$alpha"}}, {4, 3});
    CHECK(layer->hyperparameters()[0].differentiable);
    std::vector<Tensor> penalties;
    CHECK(layer
              ->apply(SharedWeights(), x,
                      Pass::training_as(Draw(), hyper, &penalties))
              .equal(x));
    REQUIRE(penalties.size() == 1);
    CHECK(penalties[0].requires_grad());
    Pass evaluation;
    evaluation.penalties = &penalties;
    layer->apply(SharedWeights(), x, evaluation);
    CHECK(penalties.size() == 1);
    return penalties[0].item<double>();
  };
  CHECK(penalty("activation_penalty") ==
        Approx(0.7 * x.square().mean().item<double>()));
  double steps = 0;
  for (int t = 1; t < 4; ++t) {
    steps +=
        (x.select(1, t) - x.select(1, t - 1)).square().sum().item<double>();
  }
  CHECK(penalty("slowness_penalty") == Approx(0.7 * steps / (5 * 3 * 3)));
}

}  // namespace nestgrad
