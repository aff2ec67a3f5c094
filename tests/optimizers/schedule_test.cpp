#include <ATen/ATen.h>

#include <cmath>
#include <set>

#include "core/setting.h"
#include "core/tensor/autodiff.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Setting setting(const std::string& json) {
  const Schema schema = Schema("A rule.").setting("lr", kRequired, "A rate.");
  return Setting::read(Config(complete(schema, {{"lr", Json::parse(json)}})),
                       "lr");
}

/// The values at steps 0, 1, 2, ...
std::vector<double> values(const Setting& s, std::int64_t steps,
                           const ParameterSet& natural = {}) {
  std::vector<double> out;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Tensor value = s.value(natural, step);
    REQUIRE(value.dim() == 0);
    out.push_back(value.item<double>());
  }
  return out;
}

void check_equal(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(a[i] == Approx(b[i]).epsilon(1e-14));
  }
}

ParameterSet natural() {
  return ParameterSet{{"lr", at::scalar_tensor(0.8, float64())},
                      {"low", at::scalar_tensor(0.2, float64())},
                      {"factor", at::scalar_tensor(0.5, float64())}}
      .leaves();
}

/// d value(step) / d (lr, low, factor).
std::vector<double> derivatives(const Setting& s, std::int64_t step) {
  const ParameterSet at = natural();
  const Tensor g = gradient(s.value(at, step), at).flatten();
  return {g[0].item<double>(), g[1].item<double>(), g[2].item<double>()};
}

TEST_CASE("a number is the same at every step", "[schedule]") {
  check_equal(values(setting("0.3"), 3), {0.3, 0.3, 0.3});
  CHECK(setting("0.3").is(0.3));
  CHECK(!setting("0.3").is(0));
  CHECK(!setting("\"$lr\"").is(0.8));
  CHECK(!setting(R"({"type": "constant", "value": 0.3})").is(0.3));
}

TEST_CASE("a reference is a hyperparameter on its tape", "[schedule]") {
  const Setting s = setting("\"$lr\"");
  check_equal(values(s, 2, natural()), {0.8, 0.8});
  check_equal(derivatives(s, 1), {1, 0, 0});
  CHECK_THROWS_WITH(s.value({{"decay", at::ones({})}}, 0),
                    ContainsSubstring("'lr'"));
  // One number in a list is a scalar all the same.
  check_equal(values(s, 2, {{"lr", at::full({1}, 0.4, float64())}}),
              {0.4, 0.4});
}

TEST_CASE("a hyperparameter with an element per step is a schedule",
          "[schedule]") {
  const Setting s = setting("\"$lr\"");
  const ParameterSet rates =
      ParameterSet{{"lr", at::tensor({0.1, 0.4, 0.2}, float64())}}.leaves();
  check_equal(values(s, 5, rates), {0.1, 0.4, 0.2, 0.2, 0.2});
  for (std::int64_t step = 0; step < 5; ++step) {
    Tensor expected = at::zeros({3}, float64());
    expected[std::min<std::int64_t>(step, 2)] = 1;
    CHECK(at::equal(gradient(s.value(rates, step), rates).at("lr"), expected));
  }
}

TEST_CASE("a constant schedule is the same at every step", "[schedule]") {
  const Setting s = setting(R"({"type": "constant", "value": "$low"})");
  check_equal(values(s, 3, natural()), {0.2, 0.2, 0.2});
  check_equal(derivatives(s, 2), {0, 1, 0});
}

TEST_CASE("a linear schedule is a straight line that stays at its end",
          "[schedule]") {
  const Setting s = setting(
      R"({"type": "linear", "initial": "$lr", "final": "$low", "steps": 4})");
  check_equal(values(s, 6, natural()), {0.8, 0.65, 0.5, 0.35, 0.2, 0.2});
  check_equal(derivatives(s, 1), {0.75, 0.25, 0});
}

TEST_CASE("an inverse-time schedule falls like a power of time", "[schedule]") {
  const Setting s = setting(R"({"type": "inverse_time", "initial": "$lr",
                                "decay": "$factor", "steps": 2})");
  check_equal(values(s, 3, natural()),
              {0.8, 0.8 / std::sqrt(1.5), 0.8 / std::sqrt(2)});
  check_equal(derivatives(s, 2),
              {1 / std::sqrt(2), 0, -0.8 / std::sqrt(2) * std::log(2)});
}

TEST_CASE("particles have values of their own by every schedule",
          "[schedule]") {
  const ParameterSet all{
      {"lr", at::tensor({0.8, 0.4, 0.1}, float64())},
      {"per_step", at::arange(6, float64()).view({3, 2})},
      {"per_part", at::arange(6, float64()).view({3, 1, 2})}};
  const auto shape_of = [&](const std::string& json) {
    return setting(json).value(all, 1, 3).sizes().vec();
  };
  using Sizes = std::vector<std::int64_t>;
  CHECK(shape_of("0.3") == Sizes{});
  CHECK(shape_of("\"$lr\"") == Sizes{3, 1});
  CHECK(shape_of("\"$per_part\"") == Sizes{3, 2});
  CHECK(shape_of(R"({"type": "linear", "initial": "$per_part",
                     "final": "$lr", "steps": 4})") == Sizes{3, 2});
  CHECK(at::equal(setting("\"$per_step\"").value(all, 1, 3).flatten(),
                  at::tensor({1.0, 3.0, 5.0}, at::kDouble)));
}

TEST_CASE("a cosine goes from one value to the other and stays there",
          "[schedule]") {
  const double r = std::sqrt(0.5);
  check_equal(
      values(setting(R"({"type": "cosine", "initial": 2, "steps": 4})"), 7),
      {2, 1 + r, 1, 1 - r, 0, 0, 0});

  check_equal(values(setting(R"({"type": "cosine", "initial": 2, "steps": 4,
                                 "after": 2})"),
                     8),
              {2, 2, 2, 1 + r, 1, 1 - r, 0, 0});

  const Setting s = setting(
      R"({"type": "cosine", "initial": "$lr", "final": "$low", "steps": 3})");
  // Shares of the initial value: 1, 3/4, 1/4, 0.
  check_equal(values(s, 5, natural()), {0.8, 0.65, 0.35, 0.2, 0.2});
  check_equal(derivatives(s, 1), {0.75, 0.25, 0});
  check_equal(derivatives(s, 2), {0.25, 0.75, 0});
}

TEST_CASE("a step schedule changes after each interval", "[schedule]") {
  check_equal(
      values(setting(R"({"type": "step", "initial": 3, "every": 2})"), 5),
      {3, 3, 0.3, 0.3, 0.03});

  const Setting s = setting(
      R"({"type": "step", "initial": "$lr", "factor": "$factor", "every": 3})");
  check_equal(values(s, 7, natural()), {0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2});
  check_equal(derivatives(s, 0), {1, 0, 0});
  check_equal(derivatives(s, 4), {0.5, 0, 0.8});
  check_equal(derivatives(s, 6), {0.25, 0, 0.8});  // lr 2 factor
}

TEST_CASE("a warm-up grows in a straight line", "[schedule]") {
  const Setting s =
      setting(R"({"type": "warm_up", "value": "$lr", "steps": 4})");
  check_equal(values(s, 6, natural()), {0.2, 0.4, 0.6, 0.8, 0.8, 0.8});
  check_equal(derivatives(s, 1), {0.5, 0, 0});
  check_equal(derivatives(s, 9), {1, 0, 0});
}

TEST_CASE("schedules nest, and derivatives pass through all of them",
          "[schedule]") {
  const Setting s = setting(
      R"({"type": "warm_up", "steps": 2, "value":
           {"type": "cosine", "steps": 4, "initial": "$lr", "final":
             {"type": "step", "every": 1, "initial": "$low",
              "factor": "$factor"}}})");
  const double r = std::sqrt(0.5);
  const auto mix = [](double share, double final) {
    return share * 0.8 + (1 - share) * final;
  };
  check_equal(values(s, 5, natural()),
              {0.5 * 0.8, mix((1 + r) / 2, 0.1), mix(0.5, 0.05),
               mix((1 - r) / 2, 0.025), 0.0125});
  for (std::int64_t step = 0; step < 6; ++step) {
    CAPTURE(step);
    const ParameterSet at = natural();
    const auto value = [&](const ParameterSet& x) { return s.value(x, step); };
    CHECK(relative_error(gradient(value(at), at),
                         central_differences(at, value)) < 1e-9);
  }
}

TEST_CASE("a setting says whether it is the same at every step", "[schedule]") {
  const auto same = [](const char* json, const Tensor& lr,
                       std::int64_t particles = 0) {
    const Setting s = setting(json);
    const ParameterSet natural{{"lr", lr}};
    const bool out = s.same_at_every_step(natural, particles);
    const auto equal_to_first = [&](std::int64_t step) {
      return at::equal(s.value(natural, step, particles),
                       s.value(natural, 0, particles));
    };
    if (out) {
      CHECK(equal_to_first(1));
      CHECK(equal_to_first(7));
    }
    return out;
  };
  const Tensor four = at::arange(4, float64()) + 1;
  const Tensor eight = at::arange(8, float64()).view({2, 4});
  CHECK(same("0.1", four));
  CHECK(same("\"$lr\"", at::ones({}, float64())));
  CHECK(same("\"$lr\"", four.view({1, 4})));  // one per part
  CHECK(same("\"$lr.2\"", four));             // one per place
  CHECK(same("\"$lr\"", four, 4));            // one per particle
  CHECK(same("\"$lr\"", eight.view({2, 1, 4}), 2));
  CHECK_FALSE(same("\"$lr\"", four));  // one per step
  CHECK_FALSE(same("\"$lr\"", eight, 2));
  CHECK_FALSE(
      same(R"({"type": "cosine", "initial": "$lr", "steps": 3})", four, 4));
}

TEST_CASE("every registered schedule is tested here", "[schedule]") {
  const std::set<std::string> tested{"constant", "cosine", "inverse_time",
                                     "linear",   "step",   "warm_up"};
  for (const std::string& name : ScheduleRegistry::instance().names()) {
    CAPTURE(name);
    if (name.rfind("test_", 0) == 0) continue;  // made by another test
    CHECK(tested.count(name) == 1);
  }
}

}  // namespace
}  // namespace nestgrad
