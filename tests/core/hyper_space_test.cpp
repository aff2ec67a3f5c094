#include "core/hyper_space.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/tensor/autodiff.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Hyperparameter declared(std::string name, Tensor initial,
                        Coordinates coordinates,
                        std::vector<Granularity> granularities = {}) {
  Hyperparameter out;
  out.name = std::move(name);
  out.meaning = "A number.";
  out.initial = std::move(initial);
  out.coordinates = coordinates;
  out.granularities = std::move(granularities);
  return out;
}

/// Reads hyperparameters of every kind; its losses use all that are there.
class Fake : public BilevelProblem {
 public:
  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter dropout =
        declared("dropout", at::scalar_tensor(0.25, float64()),
                 Coordinates::logit(), {{"all", 1}});
    dropout.optional = true;
    return {
        declared("weight_decay", at::scalar_tensor(0.05, float64()),
                 Coordinates::log(), weight_granularities(weights())),
        dropout,
        declared("target", at::tensor({1., -2., 0.5}, float64()).view({1, 3}),
                 Coordinates::real()),
        declared("temperature", at::scalar_tensor(2, float64()),
                 Coordinates::log())};
  }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return weights();
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    Tensor sum = dot(weights, weights);
    for (const Tensor& h : hyper.tensors()) {
      sum = sum * (h.square().sum() + 1).log();
    }
    return sum;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return train_loss(weights, hyper, draw).sin();
  }

 private:
  static ParameterSet weights() {
    const Tensor flat = (at::arange(7, float64()) + 1).cos();
    return {{"0.weight", flat.narrow(0, 0, 2)},
            {"0.bias", flat.narrow(0, 2, 1)},
            {"1.weight", flat.narrow(0, 3, 4).view({2, 2})}};
  }
};

Config section(const std::string& json) {
  const Schema top = Schema("Some of a configuration.")
                         .map("hyperparameters", hyper_spec_schema(), kRequired,
                              "Hyperparameters by name.");
  return Config(complete(top, {{"hyperparameters", Json::parse(json)}}))
      .object("hyperparameters");
}

std::vector<HyperSpec> space_of(const std::string& json,
                                const std::set<std::string>& references = {}) {
  return read_hyper_space(section(json), Fake(), references, float64());
}

std::vector<Complaint> complaints_about(
    const std::string& json, const std::set<std::string>& references = {}) {
  try {
    space_of(json, references);
  } catch (const ConfigError& error) {
    return error.complaints();
  }
  return {};
}

const HyperSpec& spec(const std::vector<HyperSpec>& space,
                      const std::string& name) {
  const auto found =
      std::find_if(space.begin(), space.end(),
                   [&](const HyperSpec& s) { return s.name == name; });
  REQUIRE(found != space.end());
  return *found;
}

struct CoordinateCase {
  Coordinates coordinates;
  double (*formula)(double);
};

TEST_CASE("coordinates have inverses and right derivatives", "[hyper_space]") {
  // Not a pair: LibTorch and Catch2 3 disagree on how to print one.
  const auto [coordinates, formula] = GENERATE(
      CoordinateCase{Coordinates::real(), [](double x) { return x; }},
      CoordinateCase{Coordinates::log(), [](double x) { return std::exp(x); }},
      CoordinateCase{Coordinates::softplus(),
                     [](double x) { return std::log1p(std::exp(x)); }},
      CoordinateCase{Coordinates::logit(),
                     [](double x) { return 1 / (1 + std::exp(-x)); }},
      CoordinateCase{Coordinates::logit(-2, 5),
                     [](double x) { return -2 + 7 / (1 + std::exp(-x)); }});
  CAPTURE(coordinates.describe());
  const Coordinates c = coordinates;
  const ParameterSet x =
      ParameterSet{{"x", at::tensor({-3., -0.4, 0., 1.2, 4.}, float64())}}
          .leaves();
  const ParameterSet y = x.map([&](const Tensor& t) { return c.natural(t); });
  for (std::int64_t i = 0; i < 5; ++i) {
    CHECK(y.at("x")[i].item<double>() ==
          Approx(formula(x.at("x")[i].item<double>())).epsilon(1e-14));
    CHECK(c.contains(y.at("x")[i].item<double>()));
  }
  CHECK(relative_error(c.unconstrained(y.at("x")), x.at("x")) < 1e-14);

  const auto there = [&](const ParameterSet& s) {
    return c.natural(s.at("x")).sum();
  };
  CHECK(relative_error(gradient(there(x), x), central_differences(x, there)) <
        1e-8);
  const ParameterSet from = y.leaves();
  const auto back = [&](const ParameterSet& s) {
    return c.unconstrained(s.at("x")).sum();
  };
  CHECK(relative_error(gradient(back(from), from),
                       central_differences(from, back, 1e-6)) < 1e-6);
}

TEST_CASE("the ends of an interval have no coordinates", "[hyper_space]") {
  CHECK(Coordinates::real().contains(-1e300));
  CHECK(!Coordinates::log().contains(0));
  CHECK(Coordinates::log().contains(1e-300));
  const Coordinates c = Coordinates::logit(-2, 5);
  CHECK(!c.contains(-2));
  CHECK(!c.contains(5));
  CHECK(c.contains(4.999));
  CHECK(!c.contains(std::nan("")));
  CHECK(c.describe() == "a number between -2 and 5, ends excluded");
  CHECK(Coordinates::log().describe() == "a positive number");
  CHECK(Coordinates::real().describe() == "a real number");
}

TEST_CASE("a reparameterized problem moves what is tuned and keeps the rest",
          "[hyper_space]") {
  const auto problem = std::make_shared<Fake>();
  const Tensor decay = at::tensor({0.1, 0.4, 2.}, float64());
  const Tensor temperature = at::scalar_tensor(3, float64());
  const Reparameterized seen(
      problem, {{"weight_decay", decay, Coordinates::log()},
                {"temperature", temperature, Coordinates::log(), false},
                {"dropout", at::scalar_tensor(0.3, float64()),
                 Coordinates::logit(0, 0.5)}});
  const ParameterSet hyper = seen.initial_hyper();
  REQUIRE(hyper.size() == 2);
  CHECK(relative_error(hyper.at("weight_decay"), decay.log()) < 1e-15);
  CHECK(hyper.at("dropout").item<double>() == Approx(std::log(0.3 / 0.2)));

  const ParameterSet natural = seen.natural(hyper);
  REQUIRE(natural.size() == 3);
  CHECK(relative_error(natural.at("weight_decay"), decay) < 1e-15);
  CHECK(at::equal(natural.at("temperature"), temperature));
  CHECK(natural.at("dropout").item<double>() == Approx(0.3));

  const ParameterSet w = problem->initial_weights({}, Key());
  for (const double shift : {0., 0.7}) {
    const ParameterSet moved =
        hyper.map([&](const Tensor& t) { return t + shift; });
    const ParameterSet own{
        {"weight_decay", moved.at("weight_decay").exp()},
        {"temperature", temperature},
        {"dropout", 0.5 / (1 + (-moved.at("dropout")).exp())}};
    CHECK(seen.train_loss(w, moved, Draw()).item<double>() ==
          Approx(problem->train_loss(w, own, Draw()).item<double>()));
    CHECK(seen.valid_loss(w, moved, Draw()).item<double>() ==
          Approx(problem->valid_loss(w, own, Draw()).item<double>()));
  }
  const ParameterSet leaves = hyper.leaves();
  const auto loss = [&](const ParameterSet& h) {
    return seen.train_loss(w, h, Draw());
  };
  CHECK(relative_error(gradient(loss(leaves), leaves),
                       central_differences(hyper, loss)) < 1e-8);
}

TEST_CASE("a hyperparameter has as many numbers as \"per\" says",
          "[hyper_space]") {
  const auto [per, count] = GENERATE(
      std::pair("layer", 2), std::pair("tensor", 3), std::pair("weight", 7));
  CAPTURE(per);
  const std::vector<HyperSpec> space =
      space_of(fmt::format(R"({{"weight_decay": {{"per": "{}"}}}})", per));
  const Tensor initial = spec(space, "weight_decay").initial;
  CHECK(at::equal(initial, at::full({count}, 0.05, float64())));
  // As many as the weights have to be given numbers for.
  const ParameterSet w = Fake().initial_weights({}, Key());
  CHECK(spread(initial, w).size() == 3);
}

TEST_CASE("an entry overrides what the problem declares", "[hyper_space]") {
  const std::vector<HyperSpec> space = space_of(
      R"({"weight_decay": {"per": "layer", "initial": [0.1, 0.2]},
          "dropout": {"range": [0.2, 0.6], "tuned": false},
          "target": {"initial": [4, 5, 6], "coordinates": "log"},
          "lr": {"initial": 0.5, "per": "step", "steps": 4},
          "momentum": {"initial": 0.9, "coordinates": "logit"}})",
      {"lr", "momentum", "weight_decay"});
  REQUIRE(space.size() == 6);
  const HyperSpec decay = spec(space, "weight_decay");
  CHECK(at::equal(decay.initial, at::tensor({0.1, 0.2}, float64())));
  CHECK(decay.coordinates.kind == Coordinates::Kind::kLog);
  CHECK(decay.tuned);
  const HyperSpec dropout = spec(space, "dropout");
  CHECK(dropout.initial.item<double>() == 0.25);
  CHECK(dropout.initial.dim() == 0);
  CHECK(dropout.coordinates.kind == Coordinates::Kind::kLogit);
  CHECK(dropout.coordinates.low == 0.2);
  CHECK(dropout.coordinates.high == 0.6);
  CHECK(!dropout.tuned);
  // The shape is the problem's own.
  CHECK(at::equal(spec(space, "target").initial,
                  at::tensor({4., 5., 6.}, float64()).view({1, 3})));
  CHECK(spec(space, "target").coordinates.kind == Coordinates::Kind::kLog);
  // What only the training rule reads: positive unless told otherwise.
  CHECK(at::equal(spec(space, "lr").initial, at::full({4}, 0.5, float64())));
  CHECK(spec(space, "lr").coordinates.kind == Coordinates::Kind::kLog);
  CHECK(spec(space, "momentum").initial.dim() == 0);
  CHECK(spec(space, "momentum").coordinates.kind == Coordinates::Kind::kLogit);
  CHECK(!spec(space, "temperature").tuned);
}

TEST_CASE("what is left out is a constant if required and absent if optional",
          "[hyper_space]") {
  const std::vector<HyperSpec> space = read_hyper_space(
      section(R"({"target": {}})"), Fake(), {}, at::dtype(at::kFloat));
  REQUIRE(space.size() == 3);
  CHECK(!spec(space, "weight_decay").tuned);
  CHECK(spec(space, "weight_decay").initial.item<float>() == 0.05f);
  CHECK(spec(space, "target").tuned);
  for (const HyperSpec& s : space) {
    CHECK(s.name != "dropout");
    CHECK(s.initial.scalar_type() == at::kFloat);
  }
}

TEST_CASE("all mistakes in the hyperparameters are found at once",
          "[hyper_space]") {
  const std::vector<Complaint> found = complaints_about(
      R"({"weight_decay": {"per": "channel", "range": [0, 1], "steps": 3,
                           "initial": [1, 2]},
          "dropout": {"range": [2, 1], "initial": 1},
          "target": {"per": "layer", "initial": [1, 2]},
          "temperature": {"initial": -1.5},
          "lr": {},
          "momentum": {"initial": 0.5, "per": "step"},
          "weight_dcay": {"initial": 1},
          "qqqqqqqq": {"initial": 1}})",
      {"lr", "momentum", "gone"});
  const std::vector<Complaint> expected{
      {"/weight_decay/per",
       "must be one of all, layer, tensor, weight; is \"channel\""},
      {"/weight_decay/range", "is only allowed with the coordinates \"logit\""},
      {"/weight_decay/steps", "is only allowed with \"per\": \"step\""},
      {"/weight_decay/initial", "must be one number or a list of 1, has 2"},
      {"/dropout/range", "must be two numbers, the lower one first"},
      {"/dropout/initial",
       "must be a number between 0 and 1, ends excluded, is 1"},
      {"/target/per", "cannot be chosen for this hyperparameter"},
      {"/target/initial", "must be one number or a list of 3, has 2"},
      {"/temperature/initial", "must be a positive number, is -1.5"},
      {"/lr/initial", "is missing (expected: a number or a list)"},
      {"/momentum/steps",
       "is missing: one number per step needs a number of steps"},
      {"",
       "the training rule refers to \"$gone\", but there is no hyperparameter "
       "'gone'"},
      {"/weight_dcay",
       "neither the problem nor the training rule reads a hyperparameter "
       "'weight_dcay'; did you mean 'weight_decay'?"},
      {"/qqqqqqqq",
       "neither the problem nor the training rule reads a hyperparameter "
       "'qqqqqqqq'; there are: weight_decay, dropout, target, temperature, "
       "gone, lr, momentum"}};
  CHECK(found.size() == expected.size());
  for (const Complaint& e : expected) {
    CAPTURE(e.where, e.what);
    CHECK(std::any_of(found.begin(), found.end(), [&](const Complaint& f) {
      return f.where == "/hyperparameters" + e.where && f.what == e.what;
    }));
  }
}

TEST_CASE(
    "constants are repeated where each example has its own "
    "hyperparameters",
    "[hyper_space]") {
  const Reparameterized problem(
      std::make_shared<Fake>(),
      space_of(R"({"weight_decay": {"per": "layer", "initial": 0.5},
                   "target": {"tuned": false},
                   "temperature": {"tuned": false, "initial": 3}})"));
  const ParameterSet start = problem.initial_hyper();
  const std::int64_t layers = start.at("weight_decay").numel();
  const ParameterSet each{
      {"weight_decay", at::arange(2 * layers, float64()).view({2, layers})}};
  const ParameterSet natural = problem.natural(each);
  CHECK(
      at::allclose(natural.at("weight_decay"), each.at("weight_decay").exp()));
  CHECK(natural.at("target").sizes() == at::IntArrayRef({2, 1, 3}));
  CHECK(at::equal(natural.at("target")[0], natural.at("target")[1]));
  CHECK(at::equal(natural.at("temperature"), at::full({2}, 3., float64())));
  CHECK(problem.natural(start).at("temperature").dim() == 0);
}

TEST_CASE("something has to be tuned, or to be called a constant",
          "[hyper_space]") {
  const std::vector<Complaint> found = complaints_about("{}");
  REQUIRE(found.size() == 1);
  CHECK(found[0].where == "/hyperparameters");
  CHECK_THAT(found[0].what,
             ContainsSubstring("there is no hyperparameter to tune"));
  CHECK(complaints_about(R"({"weight_decay": {"tuned": false},
                             "target": {"tuned": false}})")
            .empty());
}

TEST_CASE("references are found at any depth", "[hyper_space]") {
  const Json json = Json::parse(
      R"({"type": "clipped", "max_norm": "$max_norm", "other": "price in $",
          "rule": {"lr": {"type": "warm_up", "value":
                     {"type": "cosine", "initial": "$lr", "final": "$low"}},
                   "list": [1, "$lr", ["$deep"], null, true], "empty": "$"}})");
  CHECK(references(json) ==
        std::set<std::string>{"max_norm", "lr", "low", "deep"});
  CHECK(references(Json("$x")) == std::set<std::string>{"x"});
  CHECK(references(Json(3)).empty());
}

}  // namespace
}  // namespace nestgrad
