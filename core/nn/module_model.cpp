#include "core/nn/module_model.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch/nn/module.h>

#include <unordered_map>

#include "core/nn/foreign.h"

namespace nestgrad {
namespace {

// The one dispatch key that LibTorch leaves to others; there is one fallback
// for it in a process, and this is it.
constexpr auto kKey = c10::DispatchKey::TESTING_ONLY_GenericMode;

using Substitutes = std::unordered_map<const c10::TensorImpl*, Tensor>;

/// What stands for the tensors of the module that is running on this thread.
thread_local const Substitutes* active = nullptr;

void replace(Tensor& t) {
  const auto found = active->find(t.unsafeGetTensorImpl());
  if (found != active->end()) t = found->second;
}

void replace(c10::IValue& value) {
  if (value.isTensor()) {
    Tensor t = value.toTensor();
    if (t.defined()) replace(t);
    value = t;
  } else if (value.isTensorList()) {
    c10::List<Tensor> list = value.toTensorList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) {
      Tensor t = list.get(i);
      replace(t);
      list.set(i, t);
    }
    value = list;
  } else if (value.isOptionalTensorList()) {
    auto list = value.toOptionalTensorList().copy();
    for (std::size_t i = 0; i < list.size(); ++i) {
      c10::optional<Tensor> t = list.get(i);
      if (t && t->defined()) replace(*t);
      list.set(i, t);
    }
    value = list;
  }
}

/// Runs an operator with substitutes for its arguments. Inner operators see
/// these already.
void substitute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  if (active != nullptr) {
    const std::size_t n = op.schema().arguments().size();
    for (std::size_t i = stack->size() - n; i < stack->size(); ++i) {
      replace((*stack)[i]);
    }
  }
  const c10::impl::ExcludeDispatchKeyGuard off(kKey);
  op.callBoxed(stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&substitute>());
}

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
    require(!weights_.empty(),
            "the module has no parameters that require gradients");
  }

  ParameterSet initial_weights(const Key&) const override {
    return weights_.to(at::TensorOptions().dtype(at::kFloat).device(at::kCPU))
        .clone();
  }

 private:
  Tensor call(const std::vector<Tensor>& weights, const Tensor& input,
              const Pass& pass) const override {
    require(weights.size() == own_.size(),
            "the module has {} weight tensors, but was given {}", own_.size(),
            weights.size());
    Substitutes substitutes;
    for (std::size_t i = 0; i < own_.size(); ++i) {
      substitutes[own_[i].unsafeGetTensorImpl()] = weights[i];
    }
    const at::TensorOptions options = weights.front().options();
    const auto scratch = [&](const Tensor& own) {
      const auto* const handle = own.unsafeGetTensorImpl();
      if (substitutes.count(handle) > 0) return;
      substitutes.emplace(handle, scratch_copy(own, options));
    };
    for (const Tensor& own : module_->parameters()) scratch(own);  // fixed ones
    for (const Tensor& own : module_->buffers()) scratch(own);

    const GlobalSeed seed(pass.key, input.device());
    module_->train(pass.training);
    for (const auto& part : module_->modules()) {
      if (part->named_buffers(/*recurse=*/false).contains("running_mean")) {
        part->train();
      }
    }
    const Tensor out = called(substitutes, input);
    refuse_lost_gradients(out, own_, weights_.with(weights), input,
                          "this module hands a parameter directly to a custom "
                          "torch::autograd::Function");
    return out;
  }

  Tensor called(const Substitutes& substitutes, const Tensor& input) const {
    const c10::impl::IncludeDispatchKeyGuard on(kKey);
    struct Active {
      explicit Active(const Substitutes* s) { active = s; }
      ~Active() { active = nullptr; }
    } const while_running(&substitutes);
    return call_(input);
  }

  std::shared_ptr<torch::nn::Module> module_;
  std::function<Tensor(const Tensor&)> call_;
  ParameterSet weights_;
  std::vector<Tensor> own_;  // the module's, in the order of weights_
};

}  // namespace

std::unique_ptr<Model> wrap_module(std::shared_ptr<torch::nn::Module> module,
                                   std::function<Tensor(const Tensor&)> call) {
  return std::make_unique<ModuleModel>(std::move(module), std::move(call));
}

}  // namespace nestgrad
