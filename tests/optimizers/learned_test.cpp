// The learned optimizer.

#include <ATen/ATen.h>

#include <cmath>

#include "core/optimizer.h"
#include "core/storage/safetensors.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kHidden = 3;
constexpr std::int64_t kCount = 10 * kHidden + (kHidden + 1) * (kHidden + 2);

Json learned(const Json& more) {
  Json out = {{"type", "learned"}, {"hidden", kHidden}, {"length", 20}};
  out.update(more);
  return out;
}

std::unique_ptr<Optimizer> rule(const Json& config) {
  return OptimizerRegistry::instance().make(config);
}

ParameterSet some_weights() {
  return {{"a", Key(1).normal(at::empty({2, 3}, float64()))},
          {"b", Key(2).normal(at::empty({2}, float64()))}};
}

/// Numbers of a network that is no Adam any more.
Tensor some_network() {
  return 0.5 * Key(3).normal(at::empty({kCount}, float64()));
}

ParameterSet gradient_at(const ParameterSet& weights, std::uint64_t step) {
  return Key(4).fold(step).normal(weights);
}

/// The rule for one number after another.
class ByHand {
 public:
  explicit ByHand(const Tensor& network)
      : network_(network.data_ptr<double>(),
                 network.data_ptr<double>() + network.numel()) {}

  /// The weights after `steps` steps, of a tensor that starts at w.
  std::vector<double> trained(
      std::vector<double> w, std::int64_t steps, double lr,
      const std::function<std::vector<double>(std::int64_t)>& gradient) {
    const std::size_t n = w.size();
    const double decays[] = {0.5, 0.9, 0.99};
    std::vector<std::vector<double>> m(3, std::vector<double>(n, 0));
    std::vector<double> v(n, 0), r(n);
    for (std::int64_t step = 0; step < steps; ++step) {
      const auto t = static_cast<double>(step + 1);
      const std::vector<double> g = gradient(step);
      for (std::size_t i = 0; i < n; ++i) {
        for (int k = 0; k < 3; ++k) {
          m[k][i] = decays[k] * m[k][i] + (1 - decays[k]) * g[i];
        }
        v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
        r[i] = std::sqrt(v[i] / (1 - std::pow(0.999, t)) + 1e-30) + 1e-8;
      }
      const double of_w = size(w), of_r = size(r);
      for (std::size_t i = 0; i < n; ++i) {
        std::vector<double> x = {g[i] / r[i]};
        for (int k = 0; k < 3; ++k) {
          x.push_back(m[k][i] / (1 - std::pow(decays[k], t)) / r[i]);
        }
        const double adam = x[2];
        x.push_back(w[i] / of_w);
        x.push_back(std::log(r[i] / of_r) / 4);
        x.push_back(std::log(of_w) / 4);
        x.push_back(t / 20);
        x.push_back(std::log(t) / std::log(20.));
        at_ = 0;
        x = layer(x, kHidden, true);
        x = layer(x, kHidden, true);
        x = layer(x, 2, false);
        w[i] -= lr * std::exp(x[1]) * (adam + x[0]);
      }
    }
    return w;
  }

 private:
  static double size(const std::vector<double>& x) {
    double sum = 0;
    for (const double y : x) sum += y * y;
    return std::sqrt(sum / static_cast<double>(x.size()) + 1e-12);
  }

  std::vector<double> layer(const std::vector<double>& x, std::int64_t out,
                            bool bent) {
    std::vector<double> y(static_cast<std::size_t>(out), 0);
    for (const double in : x) {
      for (double& to : y) to += in * network_[at_++];
    }
    for (double& to : y) {
      to += network_[at_++];
      if (bent) to = std::tanh(to);
    }
    return y;
  }

  std::vector<double> network_;
  std::size_t at_ = 0;
};

std::vector<double> numbers(const Tensor& t) {
  const Tensor flat = t.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

std::string complaint(const Json& config) {
  try {
    rule(config);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("a new learned optimizer is adam", "[optimizer]") {
  const auto found = rule(learned({{"network", "$n"}, {"lr", 0.1}}));
  const auto adam = rule(Json{{"type", "adam"}, {"lr", 0.1}});
  TrainState a{some_weights(), found->slots(some_weights())},
      b{some_weights(), adam->slots(some_weights())};
  const ParameterSet start = {
      {"n", found->hyperparameters(some_weights()).front().initial}};
  REQUIRE(start.at("n").numel() == kCount);
  for (std::uint64_t k = 0; k < 7; ++k) {
    a = found->step(a, gradient_at(a.weights, k), start);
    b = adam->step(b, gradient_at(b.weights, k), {});
  }
  CHECK(relative_error(a.weights, b.weights) < 1e-12);
}

TEST_CASE("a learned optimizer computes its formula", "[optimizer]") {
  const auto found = rule(learned({{"network", "$n"}, {"lr", 0.1}}));
  TrainState state{some_weights(), found->slots(some_weights())};
  for (std::uint64_t k = 0; k < 5; ++k) {
    state = found->step(state, gradient_at(state.weights, k),
                        {{"n", some_network()}});
  }
  ByHand by_hand(some_network());
  for (const char* name : {"a", "b"}) {
    const auto expected = by_hand.trained(
        numbers(some_weights().at(name)), 5, 0.1, [&](std::int64_t k) {
          return numbers(
              gradient_at(some_weights(), static_cast<std::uint64_t>(k))
                  .at(name));
        });
    const auto reached = numbers(state.weights.at(name));
    for (std::size_t i = 0; i < reached.size(); ++i) {
      CHECK(reached[i] == Approx(expected[i]).epsilon(1e-12));
    }
  }
}

TEST_CASE("a learned optimizer leaves alone what never had a gradient",
          "[optimizer]") {
  const auto found = rule(learned({{"network", "$n"}}));
  const ParameterSet w = some_weights();
  TrainState state{w, found->slots(w)};
  ParameterSet g = gradient_at(w, 0).clone();
  g.tensors()[0].select(0, 1).zero_();
  state = found->step(state, g, {{"n", some_network()}});
  const Tensor moved = state.weights.at("a") - w.at("a");
  CHECK(moved.select(0, 0).abs().min().item<double>() > 0);
  CHECK(moved.select(0, 1).abs().max().item<double>() == 0);
}

TEST_CASE("a learned optimizer is read from the hyperparameters of a run",
          "[optimizer]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("hyperparameters.safetensors");
  save_safetensors(path, {{"network", some_network()}});
  const ParameterSet w = some_weights();
  const auto one_step = [&](const Json& config, const ParameterSet& natural) {
    const auto made = rule(learned(config));
    return made->step({w, made->slots(w)}, gradient_at(w, 0), natural).weights;
  };
  const ParameterSet expected =
      one_step({{"network", "$n"}}, {{"n", some_network()}});
  CHECK(
      at::equal(one_step({{"file", path}}, {}).flatten(), expected.flatten()));
  CHECK(rule(learned({{"file", path}}))->hyperparameters(w).empty());
  // With both, learning goes on from the file.
  const auto both = rule(learned({{"file", path}, {"network", "$n"}}));
  CHECK(at::equal(both->hyperparameters(w).front().initial, some_network()));

  CHECK(complaint(learned(Json::object())) ==
        "/file: is needed, or \"network\": the name of the hyperparameter that "
        "is to be learned");
  CHECK(complaint(learned({{"network", 3}})) ==
        "/network: must be a string, is 3");
  CHECK(complaint(learned({{"network", "n"}})) ==
        "/network: must name a hyperparameter, such as \"$network\"");
  Json wider = learned({{"file", path}});
  wider["hidden"] = 4;
  CHECK_THAT(complaint(wider),
             ContainsSubstring("has a network of 50 numbers, but with 4 hidden "
                               "units it has 70"));
  save_safetensors(path, {{"lr", at::ones({1})}});
  CHECK_THAT(complaint(learned({{"file", path}})),
             ContainsSubstring("has no tensor 'network'"));
  CHECK_THAT(complaint(learned({{"file", folder.path("none")}})),
             ContainsSubstring("none"));
}

}  // namespace nestgrad
