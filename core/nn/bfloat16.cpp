#include "core/nn/bfloat16.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "core/platform/torch_versions.h"

namespace nestgrad {
namespace {

/// torch.autocast to bfloat16, for a scope.
class Autocast {
 public:
  explicit Autocast(at::DeviceType device)
      : device_(device),
        on_(torch_versions::autocast_is_on(device)),
        type_(torch_versions::autocast_type(device)),
        cache_(at::autocast::is_autocast_cache_enabled()) {
    torch_versions::set_autocast_type(device, at::kBFloat16);
    // Its cache of weights outlives a call, and with it the tape of the first.
    at::autocast::set_autocast_cache_enabled(false);
    torch_versions::set_autocast(device, true);
  }
  ~Autocast() {
    torch_versions::set_autocast(device_, on_);
    at::autocast::set_autocast_cache_enabled(cache_);
    torch_versions::set_autocast_type(device_, type_);
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType device_;
  bool on_;
  at::ScalarType type_;
  bool cache_;
};

class InBfloat16 : public Model {
 public:
  explicit InBfloat16(std::unique_ptr<Model> model)
      : model_(std::move(model)) {}

  ParameterSet initial_weights(const Key& key) const override {
    return model_->initial_weights(key);
  }

  Tensor apply(const Weights& weights, const Tensor& input,
               const Pass& pass) const override {
    const Autocast autocast(type_of(input));
    return model_->apply(weights, input, pass).to(at::kFloat);
  }

  Tensor features(const Weights& weights, const Tensor& input,
                  const Pass& pass) const override {
    const Autocast autocast(type_of(input));
    return model_->features(weights, input, pass).to(at::kFloat);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return model_->hyperparameters();
  }
  ModelAbilities abilities() const override {
    ModelAbilities out = model_->abilities();
    out.invertible = false;  // what bfloat16 has rounded cannot be undone
    return out;
  }

 private:
  static at::DeviceType type_of(const Tensor& input) {
    const at::Device device = input.device();
    require(device.is_cpu() || device.is_cuda(),
            "a network in bfloat16 runs on the CPU and on CUDA, not on {}",
            device.str());
    return device.type();
  }

  std::unique_ptr<Model> model_;
};

}  // namespace

std::unique_ptr<Model> in_bfloat16(std::unique_ptr<Model> model) {
  return std::make_unique<InBfloat16>(std::move(model));
}

std::unique_ptr<Model> make_model(const Config& section, const Shape& input,
                                  const Shape& output, bool bfloat16) {
  auto model = ModelRegistry::instance().make(section, input, output);
  return bfloat16 ? in_bfloat16(std::move(model)) : std::move(model);
}

}  // namespace nestgrad
