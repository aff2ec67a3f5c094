#include "core/nn/module_model.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/dropout.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include "core/tensor/autodiff.h"
#include "tests/kit/contract.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Plain members, a list of tensors (the LSTM), buffers and noise; not
/// cloneable.
class Net : public torch::nn::Module {
 public:
  Net()
      : lstm_(torch::nn::LSTMOptions(3, 4).batch_first(true)),
        norm_(4),
        dropout_(0.3),
        out_(4, 2) {
    register_module("lstm", lstm_);
    register_module("norm", norm_);
    register_module("dropout", dropout_);
    register_module("out", out_);
    gain_ = register_parameter("gain", at::full({4}, 1.5));
  }

  Tensor forward(const Tensor& x) {
    const Tensor h = std::get<0>(lstm_->forward(x)).select(1, -1) * gain_;
    return out_->forward(dropout_->forward(norm_->forward(h)));
  }

  torch::nn::LSTM lstm_;
  torch::nn::BatchNorm1d norm_;
  torch::nn::Dropout dropout_;
  torch::nn::Linear out_;
  Tensor gain_;
};

template <class M>
std::unique_ptr<Model> wrapped(const std::shared_ptr<M>& net) {
  return wrap_module(net, [net](const Tensor& x) { return net->forward(x); });
}

/// x w, with a derivative of its own.
class Scale : public torch::autograd::Function<Scale> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context,
                        const Tensor& x, const Tensor& w) {
    context->save_for_backward({x, w});
    return x * w;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list g) {
    const auto saved = context->get_saved_variables();
    return {g[0] * saved[1], (g[0] * saved[0]).sum(0)};
  }
};

class Custom : public torch::nn::Module {
 public:
  Custom() { w_ = register_parameter("w", at::ones({3})); }
  Tensor forward(const Tensor& x) { return Scale::apply(x, w_); }

 private:
  Tensor w_;
};

}  // namespace

TEST_CASE("a torch module is a model that keeps its contract", "[module]") {
  const auto net = std::make_shared<Net>();
  const Tensor input = Key(3).normal(at::empty({5, 6, 3}, float64()));
  CHECK(testing::model_faults(*wrapped(net), input) == testing::Faults{});
}

TEST_CASE("a wrapped module computes what it computes with those weights",
          "[module]") {
  const auto net = std::make_shared<Net>();
  const auto model = wrapped(net);
  net->to(at::kDouble);
  net->train();
  const Tensor input = Key(3).normal(at::empty({5, 6, 3}, float64()));
  const ParameterSet own = model->initial_weights(Key()).to(float64());
  const ParameterSet other = add(own, 0.2, Key(4).normal(own));
  Pass pass;
  const Tensor got = model->forward(other, input, pass);
  // The module itself, its parameters overwritten: its own way.
  {
    const at::NoGradGuard no_tape;
    auto parameters = net->named_parameters();
    for (std::size_t i = 0; i < other.size(); ++i) {
      parameters[other.name(i)].copy_(other.tensors()[i]);
    }
  }
  net->eval();
  net->norm_->train();
  CHECK(at::allclose(net->forward(input), got, 1e-12, 1e-12));
}

TEST_CASE("unrolled training of a wrapped module equals central differences",
          "[module]") {
  const auto net = std::make_shared<Net>();
  const auto model = wrapped(net);
  const Tensor input = Key(3).normal(at::empty({5, 6, 3}, float64()));
  const ParameterSet start = model->initial_weights(Key()).to(float64());
  const auto trained = [&](const ParameterSet& hyper) {
    Pass pass;
    pass.training = true;
    ParameterSet w = start.leaves();
    for (std::uint64_t t = 0; t < 4; ++t) {
      pass.key = Key(t);
      const Tensor loss = model->forward(w, input, pass).square().mean();
      w = w - hyper.at("lr") * gradient(loss, w, Tape::kOn);
    }
    return model->forward(w, input, Pass()).square().mean();
  };
  const ParameterSet hyper{{"lr", at::scalar_tensor(0.1, float64())}};
  const ParameterSet h = hyper.leaves();
  const ParameterSet expected = central_differences(hyper, trained);
  CHECK(relative_error(gradient(trained(h), h), expected) < 1e-7);
}

TEST_CASE("a wrapped module is not written to", "[module]") {
  const auto net = std::make_shared<Net>();
  const auto model = wrapped(net);
  std::vector<Tensor> before;
  for (const Tensor& t : net->parameters()) before.push_back(t.clone());
  for (const Tensor& t : net->buffers()) before.push_back(t.clone());
  Pass pass;
  pass.training = true;
  const ParameterSet w = model->initial_weights(Key()).leaves();
  model->forward(w, Key(1).normal(at::empty({5, 6, 3})), pass);
  std::size_t i = 0;
  for (const Tensor& t : net->parameters()) CHECK(t.equal(before[i++]));
  for (const Tensor& t : net->buffers()) CHECK(t.equal(before[i++]));
}

TEST_CASE("a gradient that a custom function would lose is refused",
          "[module]") {
  const auto model = wrapped(std::make_shared<Custom>());
  const ParameterSet w = model->initial_weights(Key()).leaves();
  CHECK_THROWS_WITH(model->forward(w, at::ones({2, 3}), Pass()),
                    ContainsSubstring("custom torch::autograd::Function"));
}

}  // namespace nestgrad
