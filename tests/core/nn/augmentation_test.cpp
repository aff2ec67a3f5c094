#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"
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
        {"dropout", {"rate", 0.5}},        {"random_shift", {"strength", 0.5}},
        {"flip", {"probability", 1}},      {"rotation", {"degrees", 30}},
        {"zoom", {"strength", 0.5}}};

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

TEST_CASE("a batch may share one draw of an augmentation", "[augmentation]") {
  constexpr std::int64_t kCopies = 20;
  const Tensor x = images().narrow(0, 0, 1).expand({kCopies, 3, 8, 9});
  for (const auto& [type, strength] : kStrengths) {
    if (type == "dropout" || type == "flip") continue;  // all are flipped
    CAPTURE(type);
    Json json = {{"type", type}, {strength.first, strength.second}};
    const Tensor each = in_training(json, x);
    CHECK((each - each[0]).abs().max().item<double>() > 1e-3);
    json["same"] = true;
    const Tensor all = in_training(json, x);
    CHECK((all - all[0]).abs().max().item<double>() == 0);
    CHECK_FALSE(at::allclose(all, x));
    // Also for those in the middle of a minibatch.
    Pass part{true, Key(3)};
    part.part = {7, kCopies};
    CHECK(at::equal(make(json)->apply(SharedWeights(), x, part), all));
  }
}

TEST_CASE("augmentations are differentiable by images as often as needed",
          "[augmentation]") {
  // All are affine in the image, y = A x + b, but for brightness and such,
  // which are linear too: the derivative of v'y by x is A'v, and that of u'A'v
  // by v is A u.
  const auto random = [](std::uint64_t key) {
    return Key(key).normal(at::empty({6, 3, 8, 9}, float64()));
  };
  for (const auto& [type, strength] : kStrengths) {
    CAPTURE(type);
    const Json json = {{"type", type}, {strength.first, strength.second}};
    const ParameterSet x = ParameterSet{{"x", random(1)}}.leaves();
    const ParameterSet v = ParameterSet{{"y", random(2)}}.leaves();
    const Tensor u = random(4);
    const ParameterSet g =
        vjp({{"y", in_training(json, x.at("x"))}}, x, v, Tape::kOn);
    const Tensor twice = gradient((u * g.at("x")).sum(), v).at("y");
    CHECK(at::allclose(
        twice, in_training(json, u) - in_training(json, at::zeros_like(u))));
  }
}

TEST_CASE("flip mirrors the share of images that it is told",
          "[augmentation]") {
  const Tensor x = images();
  const Tensor y = in_training({{"type", "flip"}, {"probability", 0.3}}, x);
  int flipped = 0;
  for (std::int64_t i = 0; i < kImages; ++i) {
    const bool is_flipped = y[i].equal(x[i].flip(-1));
    CHECK((is_flipped || y[i].equal(x[i])));
    flipped += is_flipped ? 1 : 0;
  }
  CHECK(flipped / 400.0 == Approx(0.3).margin(4 * 0.023));
}

TEST_CASE("rotation and zoom read every pixel where they say",
          "[augmentation]") {
  // Bilinear interpolation of a plane is exact, so an image of its own
  // coordinates tells where pixels were read.
  const Tensor row = at::arange(8, float64()).view({8, 1}).expand({8, 9}) - 3.5;
  const Tensor column = at::arange(9, float64()).expand({8, 9}) - 4.0;
  const Tensor x =
      at::stack({row, column, at::ones_like(row)}).expand({kImages, 3, 8, 9});
  // Near the middle nothing comes from outside.
  const auto middle = [](const Tensor& t) {
    return t.narrow(-2, 2, 4).narrow(-1, 2, 5);
  };
  const auto read = [&](const Json& json, std::int64_t channel) {
    const Tensor y = in_training(json, x);
    CHECK(at::allclose(middle(y.select(1, 2)),
                       at::ones({kImages, 4, 5}, float64())));
    CHECK(y.select(1, 2).min().item<double>() < 0.5);  // from outside
    return middle(y.select(1, channel));
  };
  const Json rotation = {{"type", "rotation"}, {"degrees", 40}};
  const Tensor r = read(rotation, 0), c = read(rotation, 1);
  const Tensor h = middle(row), w = middle(column);
  const Tensor sine = (r * w - c * h) / (h.square() + w.square());
  const Tensor cosine = (r * h + c * w) / (h.square() + w.square());
  CHECK(at::allclose(sine.square() + cosine.square(), at::ones_like(sine)));
  check_uniform(per_image(at::atan2(sine, cosine) * (180 / M_PI)), -40, 40);

  const Json zoom = {{"type", "zoom"}, {"strength", 0.25}};
  const Tensor of_rows = per_image(read(zoom, 0) / h);
  // Column 4 is the middle, where the ratio is 0 / 0.
  const Tensor of_columns =
      per_image(read(zoom, 1).narrow(-1, 0, 2) / w.narrow(-1, 0, 2));
  check_uniform(of_rows, 0.8, 1.25);
  check_uniform(of_columns, 0.8, 1.25);
  const Tensor both = at::stack({of_rows, of_columns});
  CHECK(std::abs(both.corrcoef()[0][1].item<double>()) < 4 / 20.0);
}

TEST_CASE("one_of applies one of its layers, each as often as the others",
          "[augmentation]") {
  const std::vector<Json> layers = {{{"type", "flip"}, {"probability", 1}},
                                    {{"type", "cutout"}, {"length", 3}},
                                    {{"type", "brightness"}}};
  const auto one_of = make({{"type", "one_of"}, {"layers", layers}});
  const Tensor x = images().narrow(0, 0, 5);
  std::vector<int> met(layers.size());
  for (std::uint64_t key = 0; key < 300; ++key) {
    const Tensor y = one_of->apply(SharedWeights(), x, {true, Key(key)});
    const Tensor again = one_of->apply(SharedWeights(), x, {true, Key(key)});
    CHECK(y.equal(again));
    const bool keeps_zero = (y == 0).any().item<bool>();
    met[y.equal(x.flip(-1)) ? 0 : keeps_zero ? 1 : 2] += 1;
  }
  // A count of 300 with probability 1/3 has a deviation of 8.2.
  for (const int count : met) CHECK(std::abs(count - 100) < 4 * 8.2);
  CHECK(one_of->apply(SharedWeights(), x, Pass()).equal(x));

  CHECK_THROWS_WITH(make({{"type", "one_of"}, {"layers", Json::array()}}),
                    ContainsSubstring("must have a layer"));
  for (const char* type : {"conv2d", "flatten", "batch_norm"}) {
    Json other = {{"type", type}};
    if (other["type"] == "conv2d") other["out"] = 3;
    CHECK_THROWS_WITH(make({{"type", "one_of"}, {"layers", {"flip", other}}}),
                      ContainsSubstring("/layers/1: must have no weights"));
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

TEST_CASE("random_shift adds one number to each image", "[augmentation]") {
  const Tensor x = images();
  check_uniform(
      per_image(in_training({{"type", "random_shift"}, {"strength", 0.4}}, x) -
                x),
      -0.4, 0.4);
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
