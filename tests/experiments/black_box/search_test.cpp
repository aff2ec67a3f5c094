#include <ATen/ATen.h>

#include <cmath>

#include "experiments/black_box/black_box_search.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

HyperSpec number(const std::string& name, double initial,
                 Coordinates coordinates) {
  return {name, at::scalar_tensor(initial, at::kDouble), coordinates};
}

std::vector<HyperSpec> mixed_space() {
  HyperSpec constant = number("constant", 2, Coordinates::real());
  constant.tuned = false;
  return {number("lr", 0.1, Coordinates::log()),
          {"weights", at::full({3}, 0.5, at::kDouble), Coordinates::logit()},
          constant};
}

const Json kOptuna = {{"type", "optuna"}, {"python", "/usr/bin/python3"}};

SearchContext context() {
  return {SearchSpace(mixed_space(), {}).numbers(), Key(3)};
}

/// A bowl in the logarithm of the first number.
double bowl(const std::vector<double>& values) {
  return std::pow(std::log10(values[0]), 2);
}

/// The values of the first `count` trials, each told the losses before it.
std::vector<Trial> searched(const Json& search, std::size_t count) {
  const auto s = BlackBoxRegistry::instance().make(search, context());
  std::vector<Trial> trials;
  while (trials.size() < count) {
    std::vector<double> values = s->next(trials);
    const double loss = bowl(values);
    trials.push_back({std::move(values), loss});
  }
  return trials;
}

}  // namespace

TEST_CASE(
    "a search draws each number of tuned hyperparameters in an interval "
    "that suits its coordinates",
    "[black_box]") {
  const SearchSpace space(mixed_space(), {});
  REQUIRE(space.numbers().size() == 4);
  CHECK(space.numbers()[0].name == "lr");
  CHECK(space.numbers()[0].low == Approx(1e-4));
  CHECK(space.numbers()[0].high == Approx(100));
  CHECK(space.numbers()[0].logarithmic);
  CHECK(space.numbers()[2].name == "weights.1");
  CHECK(space.numbers()[2].low == Approx(1e-6));
  CHECK(space.numbers()[2].high == Approx(1 - 1e-6));
  CHECK(!space.numbers()[2].logarithmic);
  const ParameterSet hyper = space.hyper({0.2, 0.5, 0.25, 0.75});
  CHECK(hyper.size() == 2);
  CHECK(hyper.at("lr").item<double>() == Approx(std::log(0.2)));
  CHECK(hyper.at("weights")[1].item<double>() == Approx(std::log(1. / 3)));

  const SearchSpace given(mixed_space(), {{"lr", {0.01, 0.5}}});
  CHECK(given.numbers()[0].low == 0.01);
  CHECK(given.numbers()[0].high == 0.5);
  const auto refused = [&](const std::vector<HyperSpec>& of,
                           const Intervals& intervals, const char* why) {
    CHECK_THROWS_WITH(SearchSpace(of, intervals), ContainsSubstring(why));
  };
  refused(mixed_space(), {{"lr", {0.5, 0.1}}}, "the lower one first");
  refused(mixed_space(), {{"lr", {0, 1}}}, "each a positive number");
  refused(mixed_space(), {{"weights", {0.5, 2}}}, "between 0 and 1");
  refused(mixed_space(), {{"constant", {1, 2}}},
          "there is no tuned hyperparameter 'constant'");
  refused({number("x", 1, Coordinates::real())}, {}, "--range x=LOW:HIGH");
}

TEST_CASE(
    "every search keeps to its intervals, and the same trials lead to "
    "the same values",
    "[black_box]") {
  for (const Json& search : {Json("random"), kOptuna}) {
    CAPTURE(search.dump());
    const std::vector<SearchedNumber> numbers = context().numbers;
    const std::vector<Trial> trials = searched(search, 25);
    for (const Trial& trial : trials) {
      REQUIRE(trial.values.size() == numbers.size());
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        CHECK(trial.values[i] >= numbers[i].low);
        CHECK(trial.values[i] <= numbers[i].high);
      }
    }
    // Another object that is told all trials at once goes on in the same way.
    const auto other = BlackBoxRegistry::instance().make(search, context());
    std::vector<Trial> earlier(trials.begin(), trials.end() - 1);
    CHECK(other->next(earlier) == trials.back().values);
    CHECK(trials[0].values != trials[1].values);
  }
}

TEST_CASE("random values are uniform over intervals or over their logarithms",
          "[black_box]") {
  double low_lr = 0, low_weight = 0;
  for (const Trial& trial : searched("random", 1000)) {
    low_lr += trial.values[0] < 0.1 ? 1 : 0;  // half of the logarithms
    low_weight += trial.values[1] < 0.25 ? 1 : 0;
  }
  CHECK(low_lr / 1000 == Approx(0.5).margin(0.05));
  CHECK(low_weight / 1000 == Approx(0.25).margin(0.05));
}

TEST_CASE("Optuna learns from losses and counts its processor time",
          "[black_box]") {
  const auto optuna = searched(kOptuna, 60);
  const auto random = searched("random", 60);
  const auto mean_of_last = [](const std::vector<Trial>& trials) {
    double out = 0;
    for (std::size_t i = 30; i < 60; ++i) out += trials[i].loss / 30;
    return out;
  };
  CHECK(mean_of_last(optuna) < 0.6 * mean_of_last(random));
  const auto search = BlackBoxRegistry::instance().make(kOptuna, context());
  CHECK(search->seconds_elsewhere() == 0);
  search->next({});
  CHECK(search->seconds_elsewhere() > 0);
  // Training that diverged is the worst trial.
  CHECK_NOTHROW(search->next({{{0.1, 0.5, 0.5, 0.5}, INFINITY}}));
}

TEST_CASE("a Python without Optuna is told in a sentence", "[black_box]") {
  for (const char* python : {"/usr/bin/false", "no_such_python"}) {
    CHECK_THROWS_AS(
        BlackBoxRegistry::instance().make(
            Json{{"type", "optuna"}, {"python", python}}, context()),
        SearchMissing);
  }
}

}  // namespace nestgrad
