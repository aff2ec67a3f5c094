#include "hypergrad/outer_rule.h"

#include <ATen/ATen.h>

#include "core/platform/memory_meter.h"
#include "core/storage/archive.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMany = (1 << 21) + 12345;  // more than two pieces

ParameterSet some_hyper() {
  return {{"many", at::linspace(-2, 3, kMany, at::kFloat)},
          {"few", at::linspace(-1, 1, 15, at::kFloat).view({3, 5})},
          {"one", at::scalar_tensor(0.7, at::kFloat)}};
}

ParameterSet gradient_at(const ParameterSet& hyper, int step) {
  return hyper.map(
      [&](const Tensor& t) { return (3 * t + step).sin() - 0.1 * t; });
}

}  // namespace

TEST_CASE("hyperparameters move in pieces as the rule moves them whole",
          "[outer]") {
  std::size_t in_pieces = 0;
  for (const char* json : {
           R"({"type": "adam", "lr": 0.1, "weight_decay": 0.01})",
           R"({"type": "adamw", "lr": 0.1})",
           R"({"type": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": true})",
           R"({"type": "sgd", "lr": 0.1})",
           R"({"type": "rmsprop", "lr": 0.1, "momentum": 0.5})",
           R"({"type": "adam",
               "lr": {"type": "cosine", "initial": 0.1, "steps": 3}})",
           R"({"type": "clipped", "max_norm": 1, "rule": "adam"})",
       }) {
    CAPTURE(json);
    const std::shared_ptr<const Optimizer> rule =
        OptimizerRegistry::instance().make(Json::parse(json));
    in_pieces += rule->moves_each_number() ? 1 : 0;
    OuterRule moving(rule);
    moving.begin(some_hyper());
    TrainState expected{some_hyper(), rule->slots(some_hyper()), 0};
    for (int step = 0; step < 3; ++step) {
      const ParameterSet g = gradient_at(expected.weights, step);
      expected = rule->step(expected, g, {});
      ParameterSet next = moving.begin_step(g);
      CHECK(at::equal(next.flatten(), expected.weights.flatten()));
      moving.accept(std::move(next));
    }
    CHECK(moving.step() == 3);
    const Snapshot saved = save(moving);
    CHECK(
        at::equal(saved.sets.at("slots").flatten(), expected.slots.flatten()));
  }
  CHECK(in_pieces == 6);
}

TEST_CASE(
    "a step of many hyperparameters takes hardly more memory than the "
    "new ones",
    "[outer]") {
  OuterRule moving(OptimizerRegistry::instance().make(Json{{"type", "adam"}}));
  moving.begin(some_hyper());
  const ParameterSet g = gradient_at(some_hyper(), 0);
  const MemoryMeter memory;
  const ParameterSet next = moving.begin_step(g);
  const double most = static_cast<double>(memory.peak());
  CHECK(most < 4.0 * kMany + 10 * (4 << 20));
  CHECK(most >= 4.0 * kMany);
}

TEST_CASE("hyperparameters that were not accepted are as before", "[outer]") {
  OuterRule moving(OptimizerRegistry::instance().make(Json{{"type", "adam"}}));
  moving.begin(some_hyper());
  moving.begin_step(gradient_at(some_hyper(), 0));
  CHECK(moving.step() == 0);
  CHECK(at::equal(moving.hyper().flatten(), some_hyper().flatten()));
}

}  // namespace nestgrad
