#include "core/tensor/parameter_set.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "core/hyperparameter.h"
#include "core/nn/penalty.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// A matrix, a vector and a scalar with no number twice.
ParameterSet sample(double offset = 0) {
  const Tensor flat = at::arange(10, float64()) * 0.7 - 2 + offset;
  return {{"0.weight", flat.narrow(0, 0, 6).view({2, 3}).sin()},
          {"0.bias", flat.narrow(0, 6, 3).cos()},
          {"scale", flat[9].clone()}};
}

/// Two layers of two tensors each; 3 + 2 + 4 + 2 numbers.
ParameterSet two_layers() {
  const Tensor flat = (at::arange(11, float64()) + 1).sin();
  return {{"0.weight", flat.narrow(0, 0, 3).view({1, 3})},
          {"0.bias", flat.narrow(0, 3, 2)},
          {"block.1.weight", flat.narrow(0, 5, 4).view({2, 2})},
          {"block.1.bias", flat.narrow(0, 9, 2)}};
}

bool same_numbers(const ParameterSet& a, const Tensor& flat) {
  return at::equal(a.flatten(), flat);
}

TEST_CASE("arithmetic on sets is arithmetic on flat vectors",
          "[parameter_set]") {
  const ParameterSet a = sample(), b = sample(0.3);
  const Tensor x = a.flatten(), y = b.flatten();
  const Tensor s = at::scalar_tensor(1.7, float64());
  CHECK(same_numbers(a + b, x + y));
  CHECK(same_numbers(a - b, x - y));
  CHECK(same_numbers(a * b, x * y));
  CHECK(same_numbers(-2.5 * a, x * -2.5));
  CHECK(same_numbers(s * a, x * 1.7));
  CHECK(same_numbers(a.zeros(), at::zeros({10}, float64())));
  CHECK(relative_error(add(a, 0.4, b).flatten(), x + 0.4 * y) < 1e-15);
  CHECK(dot(a, b).item<double>() == Approx((x * y).sum().item<double>()));
  CHECK(norm(a).item<double>() == Approx(x.norm().item<double>()));
  CHECK(dot(a, b).dim() == 0);
  CHECK(norm(a).dim() == 0);
  CHECK(a.numel() == 10);
  for (const ParameterSet& result :
       {a + b, a - b, a * b, 2 * a, s * a, add(a, 1, b), a.zeros()}) {
    CHECK(alike(result, a));
  }
}

TEST_CASE("map and zip see the tensors one by one, in order",
          "[parameter_set]") {
  const ParameterSet a = sample(), b = sample(0.3);
  std::vector<std::vector<std::int64_t>> shapes;
  const ParameterSet sums = a.map([&](const Tensor& t) {
    shapes.push_back(t.sizes().vec());
    return t.sum();
  });
  CHECK(shapes == std::vector<std::vector<std::int64_t>>{{2, 3}, {3}, {}});
  CHECK(at::equal(sums.at("0.bias"), a.at("0.bias").sum()));
  const ParameterSet larger =
      a.zip(b, [](const Tensor& x, const Tensor& y) { return at::max(x, y); });
  CHECK(same_numbers(larger, at::max(a.flatten(), b.flatten())));
}

TEST_CASE("sets that are not alike are refused, and the message says why",
          "[parameter_set]") {
  const Tensor t = at::ones({2, 3}, float64());
  const Tensor scalar = at::ones({}, float64());
  const ParameterSet a{{"x", t}, {"y", scalar}};

  SECTION("another number of tensors") {
    const ParameterSet b{{"x", t}};
    CHECK(!alike(a, b));
    CHECK_THROWS_WITH(a + b, ContainsSubstring("expected 2 tensors, got 1"));
    CHECK_THROWS_WITH(a.with({t}),
                      ContainsSubstring("expected 2 tensors, got 1"));
  }
  SECTION("another name") {
    const ParameterSet b{{"x", t}, {"z", scalar}};
    CHECK(!alike(a, b));
    CHECK_THROWS_WITH(a - b,
                      ContainsSubstring("expected 'y' in place 1, got 'z'"));
  }
  SECTION("another order") {
    const ParameterSet b{{"y", scalar}, {"x", t}};
    CHECK(!alike(a, b));
    CHECK_THROWS_WITH(dot(a, b),
                      ContainsSubstring("expected 'x' in place 0, got 'y'"));
  }
  SECTION("another shape, although it would broadcast") {
    const ParameterSet b = a.with({at::ones({1, 3}, float64()), scalar});
    CHECK(!alike(a, b));
    CHECK_THROWS_WITH(
        a * b, ContainsSubstring("'x': expected the shape [2, 3], got [1, 3]"));
    CHECK_THROWS_AS(add(a, 2, b), Error);
    CHECK_THROWS_AS(a.zip(b, [](const Tensor& x, const Tensor&) { return x; }),
                    Error);
  }
  SECTION("sets made separately with the same names and shapes are alike") {
    CHECK(alike(a, {{"x", 2 * t}, {"y", scalar}}));
    CHECK(alike(ParameterSet(), ParameterSet()));
  }
}

TEST_CASE("flatten puts all numbers in a row and stays on the tape",
          "[parameter_set]") {
  const Tensor turned = at::arange(6, float64()).view({2, 3}).t();
  const ParameterSet a{{"w", turned}, {"s", at::scalar_tensor(9, float64())}};
  const Tensor row = at::tensor({0., 3., 1., 4., 2., 5., 9.}, float64());
  CHECK(at::equal(a.flatten(), row));
  CHECK(at::equal(ParameterSet{{"w", turned}}.flatten(), row.narrow(0, 0, 6)));
  CHECK(ParameterSet().flatten().sizes() == at::IntArrayRef({0}));

  const ParameterSet leaves = a.leaves();
  const Tensor weights = row.square();
  const ParameterSet g = gradient((leaves.flatten() * weights).sum(), leaves);
  CHECK(at::equal(g.flatten(), weights));
}

TEST_CASE("unflatten is the inverse of flatten and gives views",
          "[parameter_set]") {
  const bool one = GENERATE(false, true);
  CAPTURE(one);
  const ParameterSet a = one ? sample().subset("0.w") : sample();
  const Tensor flat = a.flatten().clone();
  const ParameterSet cut = a.unflatten(flat);
  REQUIRE(alike(cut, a));
  CHECK(relative_error(cut, a) == 0);
  flat.fill_(5);
  CHECK(same_numbers(cut, at::full_like(flat, 5)));
  CHECK_THROWS_AS(a.unflatten(flat.narrow(0, 0, flat.numel() - 1)), Error);
  CHECK_THROWS_AS(a.unflatten(flat.view({1, 1, -1})), Error);
}

TEST_CASE("sets side by side are flattened and cut each by itself",
          "[parameter_set]") {
  const bool one = GENERATE(false, true);
  CAPTURE(one);
  const ParameterSet a = one ? sample().subset("0.w") : sample();
  const Tensor flat = at::stack({a.flatten(), 2 * a.flatten()});
  const ParameterSet cut = a.unflatten(flat);
  for (const std::int64_t i : {0, 1}) {
    const ParameterSet mine =
        cut.map([&](const Tensor& t) { return t.select(0, i); });
    REQUIRE(alike(mine, a));
    CHECK(same_numbers(mine, flat[i]));
  }
  CHECK(at::equal(cut.flatten_each(), flat));
  CHECK_FALSE(cut.whole().defined());
  CHECK_THROWS_AS(a.unflatten(flat.narrow(1, 1, flat.size(1) - 1)), Error);
}

TEST_CASE("an empty set can be flattened and cut again", "[parameter_set]") {
  const ParameterSet none;
  CHECK(none.empty());
  CHECK(none.numel() == 0);
  CHECK(none.unflatten(none.flatten()).empty());
  CHECK((none + none).empty());
  CHECK(all_finite(none));
  CHECK_THROWS_WITH(dot(none, none), ContainsSubstring("at least one tensor"));
}

TEST_CASE("subset undoes append", "[parameter_set]") {
  const ParameterSet a = sample(), b = sample(0.3);
  ParameterSet all;
  all.append("first/", a);
  all.append("second/", b);
  REQUIRE(all.size() == 6);
  CHECK(all.name(1) == "first/0.bias");
  CHECK(all.name(5) == "second/scale");
  for (const auto& [prefix, part] : {std::pair("first/", a), {"second/", b}}) {
    const ParameterSet back = all.subset(prefix);
    REQUIRE(alike(back, part));
    for (std::size_t i = 0; i < part.size(); ++i) {
      CHECK(back.tensors()[i].is_same(part.tensors()[i]));
    }
  }
  CHECK(all.subset("third/").empty());
  CHECK(relative_error(all.subset(""), all) == 0);
  CHECK_THROWS_WITH(
      all.append("first/", a),
      ContainsSubstring("already an entry named 'first/0.weight'"));
}

TEST_CASE("an entry is found by its name, and a missing one lists the names",
          "[parameter_set]") {
  const ParameterSet a = sample();
  CHECK(a.contains("scale"));
  CHECK(!a.contains("scal"));
  CHECK(a.at("0.bias").is_same(a.tensors()[1]));
  CHECK_THROWS_WITH(a.at("bias"),
                    ContainsSubstring("no entry 'bias'; there are: 0.weight, "
                                      "0.bias, scale"));
  ParameterSet b;
  b.insert("x", at::ones({}));
  CHECK_THROWS_WITH(b.insert("x", at::ones({})),
                    ContainsSubstring("already an entry named 'x'"));
  CHECK(b.size() == 1);
}

TEST_CASE("a set that grows leaves its copies as they were",
          "[parameter_set]") {
  ParameterSet a = sample();
  const ParameterSet copy = a, mapped = 2 * a;
  a.insert("new", at::ones({4}, float64()));
  CHECK(a.size() == 4);
  CHECK(a.name(3) == "new");
  for (const ParameterSet& other : {copy, mapped}) {
    CHECK(other.size() == 3);
    CHECK(!other.contains("new"));
    CHECK(alike(other, sample()));
  }
}

TEST_CASE("what a temporary set returns outlives it", "[parameter_set]") {
  static_assert(!std::is_reference_v<decltype(sample().tensors())>);
  static_assert(!std::is_reference_v<decltype(sample().at("scale"))>);
  double sum = 0;
  for (const Tensor& t : sample().tensors()) sum += t.sum().item<double>();
  CHECK(sum == Approx(sample().flatten().sum().item<double>()));
  const Tensor& bias = sample().at("0.bias");
  CHECK(bias.sizes() == at::IntArrayRef({3}));
}

TEST_CASE("detach, leaves and clone differ in memory and tape",
          "[parameter_set]") {
  const ParameterSet start = sample().leaves();
  const ParameterSet taped = 2 * start;
  for (std::size_t i = 0; i < taped.size(); ++i) {
    const Tensor& t = taped.tensors()[i];
    const Tensor detached = taped.detach().tensors()[i];
    const Tensor leaf = taped.leaves().tensors()[i];
    const Tensor copy = taped.clone().tensors()[i];
    CHECK(t.requires_grad());
    CHECK(!detached.requires_grad());
    CHECK(detached.data_ptr() == t.data_ptr());
    CHECK(leaf.requires_grad());
    CHECK(leaf.is_leaf());
    CHECK(leaf.data_ptr() == t.data_ptr());
    CHECK(copy.data_ptr() != t.data_ptr());
    CHECK(copy.requires_grad());
    CHECK(at::equal(copy, t));
  }
  const ParameterSet narrow = sample().to(at::kFloat);
  CHECK(narrow.at("scale").scalar_type() == at::kFloat);
  CHECK(alike(narrow, sample()));
}

TEST_CASE("products and norms pass derivatives on", "[parameter_set]") {
  const ParameterSet a = sample().leaves(), b = sample(0.3).leaves();
  const ParameterSet s = ParameterSet{{"s", at::ones({}, float64())}}.leaves();
  const Tensor loss = dot(s.at("s") * a, b);
  CHECK(relative_error(gradient(loss, a, Tape::kOff, Graph::kKeep), b) < 1e-15);
  CHECK(relative_error(gradient(loss, b, Tape::kOff, Graph::kKeep), a) < 1e-15);
  CHECK(relative_error(gradient(loss, s).at("s"), dot(a, b)) < 1e-14);
  CHECK(relative_error(gradient(norm(a), a), (1 / norm(a).item<double>()) * a) <
        1e-14);
}

TEST_CASE("all_finite finds a single bad number and forgives large ones",
          "[parameter_set]") {
  const Tensor count = at::ones({2}, at::kLong);
  const auto verdict = [&](double value) {
    Tensor t = at::zeros({3}, at::kFloat);
    t[1] = value;
    return all_finite({{"count", count}, {"x", at::zeros({2})}, {"y", t}});
  };
  CHECK(verdict(1));
  CHECK(!verdict(std::nan("")));
  CHECK(!verdict(std::numeric_limits<double>::infinity()));
  CHECK(!verdict(-std::numeric_limits<double>::infinity()));
  // The sum of these is infinite, none of them is.
  CHECK(all_finite({{"x", at::full({4}, 3e38f)}}));
}

TEST_CASE("granularities count layers, tensors and weights",
          "[hyperparameter]") {
  CHECK(weight_granularities(two_layers()) ==
        std::vector<Granularity>{
            {"all", 1}, {"layer", 2}, {"tensor", 4}, {"weight", 11}});
  const Tensor t = at::ones({2}, float64());
  // Names without a dot are layers of their own; the order plays no part.
  const ParameterSet mixed{{"x", t}, {"a.w", t}, {"b.w", t}, {"a.b", t}};
  CHECK(weight_granularities(mixed)[1] == Granularity{"layer", 3});
}

/// What spread() has to say about two_layers(), number by number.
Tensor expected_spread(const Tensor& value) {
  const std::vector<std::int64_t> layer{0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  const std::vector<std::int64_t> tensor{0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3};
  switch (value.numel()) {
    case 1:
      return value.reshape({1}).expand({11});
    case 2:
      return value.index_select(0, at::tensor(layer));
    case 4:
      return value.index_select(0, at::tensor(tensor));
    default:
      return value;
  }
}

Tensor some_values(std::int64_t count) {
  const Tensor values = (at::arange(count, float64()) + 2).cos().abs() + 0.1;
  return count == 1 ? values.reshape({}) : values;
}

TEST_CASE("spread brings a value of any granularity to the weights",
          "[hyperparameter]") {
  const auto count = GENERATE(1, 2, 4, 11);
  CAPTURE(count);
  const ParameterSet weights = two_layers();
  const ParameterSet value =
      ParameterSet{{"value", some_values(count)}}.leaves();
  const std::vector<Tensor> out = spread(value.at("value"), weights);
  REQUIRE(out.size() == weights.size());
  // ones * value, so that what broadcasts is written out.
  const ParameterSet full = weights.map([](const Tensor& t) {
    return at::ones_like(t);
  }) * weights.map([&, i = std::size_t{0}](const Tensor& t) mutable {
    return out[i++].expand(t.sizes());
  });
  CHECK(at::equal(full.flatten(), expected_spread(value.at("value"))));

  const Tensor ramp = at::arange(11, float64()) + 1;
  const ParameterSet g = gradient((full.flatten() * ramp).sum(), value);
  const ParameterSet reference =
      gradient((expected_spread(value.at("value")) * ramp).sum(), value);
  CHECK(relative_error(g, reference) < 1e-15);
}

TEST_CASE("spread refuses a number of values that fits nothing",
          "[hyperparameter]") {
  CHECK_THROWS_WITH(
      spread(at::ones({3}, float64()), two_layers()),
      ContainsSubstring("per layer (2), per tensor (4) or per weight (11), "
                        "got 3"));
}

TEST_CASE("l2_penalty has the values and derivatives of its formula",
          "[penalty]") {
  const auto count = GENERATE(1, 2, 4, 11);
  CAPTURE(count);
  const ParameterSet weights = two_layers().leaves();
  const ParameterSet decay =
      ParameterSet{{"decay", some_values(count)}}.leaves();
  const Tensor d = expected_spread(decay.at("decay")).detach();
  const Tensor w = weights.flatten().detach();
  const ParameterSet v =
      weights.unflatten((at::arange(11, float64()) * 0.9).cos()).detach();

  const Tensor loss = l2_penalty(weights, decay.at("decay"));
  CHECK(loss.dim() == 0);
  CHECK(loss.item<double>() ==
        Approx(0.5 * (d * w * w).sum().item<double>()).epsilon(1e-13));

  const ParameterSet g = gradient(loss, weights, Tape::kOn, Graph::kKeep);
  CHECK(relative_error(g.flatten(), d * w) < 1e-14);
  const auto of_decay = [&](const ParameterSet& x) {
    return l2_penalty(weights.detach(), x.at("decay"));
  };
  CHECK(relative_error(gradient(loss, decay, Tape::kOff, Graph::kKeep),
                       central_differences(decay, of_decay)) < 1e-8);

  const Tensor along = dot(g, v);
  CHECK(relative_error(
            gradient(along, weights, Tape::kOff, Graph::kKeep).flatten(),
            d * v.flatten()) < 1e-14);
  const auto along_of_decay = [&](const ParameterSet& x) {
    const ParameterSet fresh = weights.leaves();
    return dot(gradient(l2_penalty(fresh, x.at("decay")), fresh), v);
  };
  CHECK(relative_error(gradient(along, decay),
                       central_differences(decay, along_of_decay)) < 1e-8);
}

}  // namespace
}  // namespace nestgrad
