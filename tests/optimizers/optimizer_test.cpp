#include "core/optimizer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/hyper_space.h"
#include "core/tensor/autodiff.h"
#include "tests/kit/contract.h"
#include "tests/optimizers/optimizer_rows.h"
#include "tests/optimizers/some_weights.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

std::unique_ptr<Optimizer> rule_of(const RuleRow& row) {
  return OptimizerRegistry::instance().make(row.json);
}

ParameterSet natural_of(const RuleRow& row) {
  ParameterSet out;
  for (const Hyperparameter& h : rule_of(row)->hyperparameters(weights())) {
    const Tensor n = at::arange(h.initial.numel(), float64());
    out.insert(h.name, h.initial + 0.2 * (n * 1.7).sin());
  }
  for (const auto& [name, value] : row.settings) {
    if (out.contains(name)) continue;
    out.insert(name, at::scalar_tensor(value, float64()));
  }
  return out;
}

/// As if some steps had been made: no entry is zero, moments are positive.
ParameterSet used_slots(const Optimizer& rule) {
  return rule.slots(weights()).map([](const Tensor& t) {
    return at::arange(1, t.numel() + 1, float64()).view(t.sizes()) / 8 + 0.2;
  });
}

ParameterSet probe(const ParameterSet& like) {
  return like.map([](const Tensor& t) {
    return (at::arange(t.numel(), t.options()) + 0.5).cos().view(t.sizes());
  });
}

/// The rules that are made of numbers alone.
std::vector<RuleRow> rows_of_numbers() {
  std::vector<RuleRow> out;
  for (const RuleRow& row : rule_rows()) {
    if (rule_of(row)->hyperparameters(weights()).empty()) out.push_back(row);
  }
  return out;
}

constexpr int kSteps = 3;

/// All that kSteps steps depend on, in one set.
ParameterSet inputs(const RuleRow& row) {
  ParameterSet out;
  out.append("weights/", weights());
  out.append("slots/", used_slots(*rule_of(row)));
  for (int k = 0; k < kSteps; ++k) {
    out.append(fmt::format("gradient {}/", k), some_gradient(k));
  }
  out.append("natural/", natural_of(row));
  return out;
}

/// One number that all weights and slots after kSteps steps have part in.
Tensor outcome(const Optimizer& rule, const ParameterSet& in) {
  TrainState state{in.subset("weights/"), in.subset("slots/"), 2};
  for (int k = 0; k < kSteps; ++k) {
    state.noise = Key(11);
    state = rule.step(state, in.subset(fmt::format("gradient {}/", k)),
                      in.subset("natural/"));
  }
  const Tensor by_weights = dot(probe(state.weights), state.weights);
  return state.slots.empty()
             ? by_weights
             : by_weights + dot(probe(state.slots), state.slots).sin();
}

TEST_CASE("every setting of every registered rule has a row here",
          "[optimizer]") {
  std::map<std::string, std::set<std::string>> covered;
  for (const RuleRow& row : rule_rows()) {
    auto& keys = covered[row.json.at("type").get<std::string>()];
    for (const auto& [key, value] : row.json.items()) {
      if (value.is_string()) keys.insert(key);
    }
    std::set<std::string> given;
    for (const auto& [name, value] : row.settings) given.insert(name);
    CHECK(references(row.json) == given);
  }
  for (const std::string& name : OptimizerRegistry::instance().names()) {
    CAPTURE(name);
    const Schema schema = OptimizerRegistry::instance().schema(name);
    for (const KeySpec& key : schema.keys()) {
      if (key.kind != KeySpec::Kind::kSetting) continue;
      CAPTURE(key.name);
      CHECK(covered[name].count(key.name) == 1);
    }
    CHECK(covered.count(name) == 1);
  }
}

TEST_CASE("every rule keeps its contract", "[optimizer]") {
  for (const RuleRow& row : rule_rows()) {
    CAPTURE(row.json.dump());
    CHECK(testing::optimizer_faults(row.json, natural_of(row)) ==
          testing::Faults{});
  }
}

/// x is 1 for a unit that is alive, -1 for one that is dead: its gradient is
/// exactly zero, and so is every derivative of it.
Tensor relu_loss(const ParameterSet& w, const Tensor& scale) {
  const Tensor x = at::tensor({1., -1.}, w.at("w").options());
  return scale * (w.at("w") * x).relu().pow(3).sum();
}

TEST_CASE("a gradient entry that was always zero has derivative zero",
          "[optimizer]") {
  const auto type = GENERATE(at::kFloat, at::kDouble);
  CAPTURE(type);
  for (RuleRow row : rows_of_numbers()) {
    // Decay would bring the unit's gradient to life.
    row.json["weight_decay"] = 0;
    row.settings.erase("decay");
    if (row.json.contains("rule")) row.json.erase("weight_decay");
    CAPTURE(row.json.dump());
    const auto rule = rule_of(row);
    if (rule->draws_noise()) continue;  // which moves dead units as well
    ParameterSet x = natural_of(row);
    x.insert("initial", at::tensor({0.7, 0.5}, float64().dtype(type)));
    x.insert("scale", at::scalar_tensor(2, float64().dtype(type)));
    x = x.leaves();

    const ParameterSet start{{"w", x.at("initial")}};
    TrainState state{start, rule->slots(start), 0};
    for (int k = 0; k < kSteps; ++k) {
      const ParameterSet g = gradient(relu_loss(state.weights, x.at("scale")),
                                      state.weights, Tape::kOn);
      REQUIRE(g.at("w")[1].item<double>() == 0);
      state = rule->step(state, g, x);
    }
    CHECK(state.weights.at("w")[1].item<double>() == 0.5);
    Tensor all = state.weights.flatten().sum();
    if (!state.slots.empty()) all = all + state.slots.flatten().sum();
    CHECK(all_finite(gradient(all, x, Tape::kOff, Graph::kKeep)));

    const ParameterSet of_dead =
        gradient(state.weights.at("w")[1], x, Tape::kOff, Graph::kKeep);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(x.name(i));
      const Tensor expected = x.name(i) == "initial"
                                  ? at::tensor({0., 1.}, float64().dtype(type))
                                  : at::zeros({}, x.tensors()[i].options());
      CHECK(at::equal(of_dead.tensors()[i], expected));
    }
    // The other unit moves.
    CHECK(gradient(state.weights.at("w")[0], x).at("lr").item<double>() < 0);
  }
}

TEST_CASE("weights and slots keep their type beside settings in double",
          "[optimizer]") {
  for (const RuleRow& row : rows_of_numbers()) {
    CAPTURE(row.json.dump());
    const auto rule = rule_of(row);
    const ParameterSet natural = natural_of(row).leaves();
    const ParameterSet start = weights().to(at::kFloat);
    TrainState state{start, rule->slots(start), 0};
    for (int k = 0; k < 2; ++k) {
      state.noise = Key(11);
      state = rule->step(state, some_gradient(k).to(at::kFloat), natural);
    }
    REQUIRE(state.weights.at("s").dim() == 0);
    for (const ParameterSet& set : {state.weights, state.slots}) {
      for (std::size_t i = 0; i < set.size(); ++i) {
        CAPTURE(set.name(i));
        CHECK(set.tensors()[i].scalar_type() == at::kFloat);
      }
    }
    const Tensor by_lr =
        gradient(state.weights.flatten().sum(), natural).at("lr");
    CHECK(by_lr.scalar_type() == at::kDouble);
    CHECK(std::isfinite(by_lr.item<double>()));
    CHECK(by_lr.item<double>() != 0);
  }
}

TEST_CASE("constants count as precisely as hyperparameters", "[optimizer]") {
  for (const RuleRow& row : rows_of_numbers()) {
    CAPTURE(row.json.dump());
    // The same settings written as numbers.
    std::string text = row.json.dump();
    for (const auto& [name, value] : row.settings) {
      const std::string reference = "\"$" + name + "\"";
      for (auto at = text.find(reference); at != std::string::npos;
           at = text.find(reference)) {
        text.replace(at, reference.size(), fmt::format("{}", value));
      }
    }
    const auto constant = OptimizerRegistry::instance().make(Json::parse(text));
    CHECK(std::abs((outcome(*constant, inputs(row)) -
                    outcome(*rule_of(row), inputs(row)))
                       .item<double>()) < 1e-14);
  }
}

TEST_CASE("a setting may be a schedule of a hyperparameter", "[optimizer]") {
  const auto rule = OptimizerRegistry::instance().make(Json::parse(
      R"({"type": "sgd", "lr":
           {"type": "step", "initial": "$lr", "factor": 0.5, "every": 1}})"));
  const ParameterSet natural =
      ParameterSet{{"lr", at::scalar_tensor(0.4, float64())}}.leaves();
  TrainState state{weights(), {}, 0};
  Tensor sum = at::zeros({}, float64());
  for (int k = 0; k < kSteps; ++k) {
    state = rule->step(state, some_gradient(k), natural);
    sum = sum + std::pow(0.5, k) * some_gradient(k).flatten().sum();
  }
  const Tensor total = state.weights.flatten().sum();
  CHECK(total.item<double>() ==
        Approx((weights().flatten().sum() - 0.4 * sum).item<double>()));
  CHECK(gradient(total, natural).at("lr").item<double>() ==
        Approx(-sum.item<double>()));
}

}  // namespace
TEST_CASE("a setting may have a number for each tensor or layer", "[rules]") {
  // A step of every rule with numbers for parts is that of each part with its
  // own number.
  const Tensor values = (at::arange(9, float64()) * 1.3).cos();
  const ParameterSet weights{{"0.weight", values.narrow(0, 0, 4).view({2, 2})},
                             {"0.bias", values.narrow(0, 4, 2)},
                             {"1.weight", values.narrow(0, 6, 3).view({1, 3})}};
  const ParameterSet g =
      weights.map([](const Tensor& t) { return (5 * t).sin() + 0.5; });
  const auto lr_of = [&](std::vector<double> numbers) {
    const auto n = static_cast<std::int64_t>(numbers.size());
    return ParameterSet{{"lr", at::tensor(numbers, float64()).view({1, n})}};
  };
  for (const char* type : {"sgd", "adam", "adamw", "rmsprop"}) {
    CAPTURE(type);
    Json section = {{"type", type}, {"lr", "$lr"}, {"weight_decay", 0.1}};
    if (section["type"] == "sgd") section["momentum"] = 0.9;
    const auto rule = OptimizerRegistry::instance().make(section);
    const TrainState state{weights, rule->slots(weights), 2};
    const auto expected = [&](const std::vector<double>& numbers) {
      std::vector<Tensor> out;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        out.push_back(
            rule->step(state, g, lr_of({numbers[i]})).weights.tensors()[i]);
      }
      return weights.with(out);
    };
    CHECK(relative_error(rule->step(state, g, lr_of({0.1, 0.2, 0.3})).weights,
                         expected({0.1, 0.2, 0.3})) < 1e-14);
    CHECK(relative_error(rule->step(state, g, lr_of({0.1, 0.3})).weights,
                         expected({0.1, 0.1, 0.3})) < 1e-14);
    CHECK_THROWS_WITH(rule->step(state, g, lr_of({1, 2, 3, 4})),
                      ContainsSubstring("per layer (2), per tensor (3)"));
  }
}

TEST_CASE("a warm start spares rmsprop the jump of its first step",
          "[optimizer]") {
  const ParameterSet w{{"w", at::ones({3}, float64())}};
  const ParameterSet g{{"w", at::tensor({0.3, -2.0, 5.0}, float64())}};
  const auto moved = [&](bool warm) {
    const auto rule = OptimizerRegistry::instance().make(
        Json{{"type", "rmsprop"}, {"lr", 0.1}, {"warm_start", warm}});
    const TrainState next = rule->step({w, rule->slots(w), 0}, g, {});
    return (next.weights.at("w") - w.at("w")).abs().max().item<double>();
  };
  CHECK(moved(true) == Approx(0.1));
  CHECK(moved(false) == Approx(1));  // 0.1 / sqrt(1 - 0.99)
}

TEST_CASE("a Kronecker-factored preconditioner is its matrix", "[optimizer]") {
  const auto rule = OptimizerRegistry::instance().make(
      Json{{"type", "kronecker"}, {"preconditioner", "$p"}, {"lr", 0.3}});
  const ParameterSet w{{"w", at::zeros({3, 2}, float64())}};
  const ParameterSet g{{"w", Key(1).normal(w.at("w"))}};
  const ParameterSet start{{"p", rule->hyperparameters(w).front().initial}};
  CHECK(relative_error(rule->step({w, {}, 0}, g, start).weights, -0.3 * g) <
        1e-14);
  const Tensor p = Key(2).normal(start.at("p"));
  const Tensor a = p.narrow(0, 0, 9).view({3, 3}),
               b = p.narrow(0, 9, 4).view({2, 2}),
               s = p.narrow(0, 13, 6).view({3, 2});
  // vec() puts columns one after another.
  const auto vec = [](const Tensor& t) { return t.t().reshape(-1); };
  const Tensor factors = at::kron(b, a);
  const Tensor matrix = factors.mm(at::diag(vec(s).square())).mm(factors.t());
  const Tensor step = rule->step({w, {}, 0}, g, {{"p", p}}).weights.at("w");
  CHECK(relative_error(vec(step), -at::mv(matrix, vec(g.at("w")))) < 1e-13);
}

}  // namespace nestgrad
