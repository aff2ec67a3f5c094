#include "core/nn/module_model.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/rnn.h>

#include "core/nn/foreign/foreign.h"

namespace nestgrad {
namespace {

class ModuleModel : public ForeignModel {
 public:
  ModuleModel(std::shared_ptr<torch::nn::Module> module,
              std::function<Tensor(const Tensor&)> call)
      : module_(std::move(module)), call_(std::move(call)) {
    for (const auto& own : module_->named_parameters()) {
      if (!own.value().requires_grad()) continue;
      weights_.insert(own.key(), own.value().detach());
      own_.push_back(own.value());
    }
    for (const auto& part : module_->modules()) {
      recurrent_ = recurrent_ || part->as<torch::nn::LSTM>() != nullptr ||
                   part->as<torch::nn::GRU>() != nullptr ||
                   part->as<torch::nn::RNN>() != nullptr;
    }
    require(!weights_.empty(),
            "the module has no parameters that require gradients");
  }

  ParameterSet initial_weights(const Key&) const override {
    return weights_.to(at::TensorOptions().device(at::kCPU)).clone();
  }

 private:
  Tensor call(const std::vector<Tensor>& weights, const Tensor& input,
              const Pass& pass) const override {
    require(weights.size() == own_.size(),
            "the module has {} weight tensors, but was given {}", own_.size(),
            weights.size());
    ForeignNetwork network;
    network.call = [&](const ForeignArguments& arguments) {
      return called(arguments, pass.training);
    };
    network.own = own_;
    network.recurrent = recurrent_;
    network.detour =
        "this module hands a parameter directly to a custom "
        "torch::autograd::Function";
    return calls_(network, {weights, input}, pass.key);
  }

  Tensor called(const ForeignArguments& arguments, bool training) const {
    Substitutes substitutes;
    for (std::size_t i = 0; i < own_.size(); ++i) {
      substitutes[own_[i].unsafeGetTensorImpl()] = arguments.weights[i];
    }
    const at::TensorOptions options = arguments.weights.front().options();
    const auto scratch = [&](const Tensor& own) {
      const auto* const handle = own.unsafeGetTensorImpl();
      if (substitutes.count(handle) > 0) return;
      substitutes.emplace(handle, scratch_copy(own, options));
    };
    for (const Tensor& own : module_->parameters()) scratch(own);  // fixed ones
    for (const Tensor& own : module_->buffers()) scratch(own);

    module_->train(training);
    for (const auto& part : module_->modules()) {
      if (part->named_buffers(/*recurse=*/false).contains("running_mean")) {
        part->train();
      }
    }
    return with_substitutes(substitutes,
                            [&] { return call_(arguments.input); });
  }

  std::shared_ptr<torch::nn::Module> module_;
  std::function<Tensor(const Tensor&)> call_;
  ParameterSet weights_;
  std::vector<Tensor> own_;  // the module's, in the order of weights_
  bool recurrent_ = false;
  ForeignCalls calls_;
};

}  // namespace

std::unique_ptr<Model> wrap_module(std::shared_ptr<torch::nn::Module> module,
                                   std::function<Tensor(const Tensor&)> call) {
  return std::make_unique<ModuleModel>(std::move(module), std::move(call));
}

}  // namespace nestgrad
