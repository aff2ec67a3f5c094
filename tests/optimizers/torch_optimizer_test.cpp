// The rules against LibTorch's own. LibTorch's logging has a macro CHECK, too:
// what counts here is Catch's, which support.h defines after ATen's headers.

#include <ATen/ATen.h>

#include "tests/support/support.h"

#pragma push_macro("CHECK")
#undef CHECK
#include <torch/torch.h>
#undef CHECK
#pragma pop_macro("CHECK")

#include <algorithm>
#include <functional>
#include <memory>

#include "core/optimizer.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

using Leaves = std::vector<Tensor>;
using TorchRule =
    std::function<std::unique_ptr<torch::optim::Optimizer>(const Leaves&)>;

template <class Rule, class Options>
TorchRule torch_rule(Options options) {
  return [options](const Leaves& leaves) {
    return std::make_unique<Rule>(leaves, options);
  };
}

struct Twin {
  std::string json;
  TorchRule reference;
  double clip = 0;  // none
};

TorchRule sgd(double momentum, double decay, bool nesterov = false) {
  return torch_rule<torch::optim::SGD>(torch::optim::SGDOptions(0.1)
                                           .momentum(momentum)
                                           .weight_decay(decay)
                                           .nesterov(nesterov));
}

std::vector<Twin> twins() {
  using namespace torch::optim;  // NOLINT
  return {
      {R"({"type": "sgd", "lr": 0.1})", sgd(0, 0)},
      {R"({"type": "sgd", "lr": 0.1, "weight_decay": 0.3})", sgd(0, 0.3)},
      {R"({"type": "sgd", "lr": 0.1, "momentum": 0.7})", sgd(0.7, 0)},
      {R"({"type": "sgd", "lr": 0.1, "momentum": 0.7, "weight_decay": 0.3,
           "nesterov": true})",
       sgd(0.7, 0.3, true)},
      {R"({"type": "adam"})", torch_rule<Adam>(AdamOptions())},
      {R"({"type": "adam", "lr": 0.03, "beta1": 0.8, "beta2": 0.95,
           "epsilon": 1e-3, "weight_decay": 0.2})",
       torch_rule<Adam>(
           AdamOptions(0.03).betas({0.8, 0.95}).eps(1e-3).weight_decay(0.2))},
      {R"({"type": "adamw"})", torch_rule<AdamW>(AdamWOptions())},
      {R"({"type": "adamw", "lr": 0.03, "beta1": 0.8, "beta2": 0.95,
           "epsilon": 1e-3, "weight_decay": 0.2})",
       torch_rule<AdamW>(
           AdamWOptions(0.03).betas({0.8, 0.95}).eps(1e-3).weight_decay(0.2))},
      {R"({"type": "rmsprop"})", torch_rule<RMSprop>(RMSpropOptions())},
      {R"({"type": "rmsprop", "lr": 0.02, "alpha": 0.9, "momentum": 0.7,
           "epsilon": 1e-3, "weight_decay": 0.2})",
       torch_rule<RMSprop>(
           RMSpropOptions(0.02).alpha(0.9).momentum(0.7).eps(1e-3).weight_decay(
               0.2))},
      // The gradients of the loss below have norms near 1e8: these are cut, and
      // LibTorch's 1e-6 beside the norm does not matter; those are not.
      {R"({"type": "clipped", "max_norm": 0.5,
           "rule": {"type": "sgd", "lr": 0.1, "momentum": 0.7}})",
       sgd(0.7, 0), 0.5},
      {R"({"type": "clipped", "max_norm": 1e12, "rule": "adam"})",
       torch_rule<Adam>(AdamOptions()), 1e12},
  };
}

ParameterSet start() {
  const Tensor flat = (at::arange(10, float64()) * 1.3).cos();
  return {{"weight", flat.narrow(0, 0, 6).view({3, 2})},
          {"bias", flat.narrow(0, 6, 3)},
          {"scale", flat[9].clone()}};
}

Tensor loss(const Leaves& w, double factor) {
  const Tensor x = (at::arange(8, float64()) * 2.1).sin().view({4, 2});
  const Tensor outputs = w[2] * at::linear(x, w[0], w[1]).tanh();
  Tensor sum = (outputs - 0.3).square().sum();
  for (const Tensor& t : w) sum = sum + 0.1 * t.pow(4).sum();
  return factor * sum;
}

TEST_CASE("rules make the same steps as LibTorch's own", "[optimizer]") {
  for (const Twin& row : twins()) {
    CAPTURE(row.json);
    const double factor = row.clip > 0 ? 1e8 : 1;

    Leaves leaves;
    for (const Tensor& t : start().tensors()) {
      leaves.push_back(t.clone().requires_grad_());
    }
    const auto reference = row.reference(leaves);

    const auto rule = OptimizerRegistry::instance().make(Json::parse(row.json));
    TrainState state{start(), rule->slots(start()), 0};

    double worst = 0;
    for (int step = 0; step < 20; ++step) {
      reference->zero_grad();
      loss(leaves, factor).backward();
      if (row.clip > 0) torch::nn::utils::clip_grad_norm_(leaves, row.clip);
      reference->step();

      const ParameterSet w = state.weights.leaves();
      const ParameterSet g = gradient(loss(w.tensors(), factor), w);
      state = rule->step(state, g, {});
      const double error =
          relative_error(state.weights, start().with(leaves).detach());
      worst = std::max(error, worst);
    }
    CHECK(worst < 1e-12);
    CHECK(state.step == 20);
    CHECK(relative_error(state.weights, start()) > 1e-3);
  }
}

}  // namespace
}  // namespace nestgrad
