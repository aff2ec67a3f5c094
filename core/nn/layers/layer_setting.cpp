#include "core/nn/layers/layer_setting.h"

#include <ATen/ATen.h>

#include "core/hyper_space.h"
#include "core/particles.h"

namespace nestgrad {

LayerSetting::LayerSetting(const Config& config, const std::string& key,
                           Hyperparameter declared)
    : setting_(Setting::read(config, key)), declared_(std::move(declared)) {
  if (config.value(key).is_object() && !references(config.value(key)).empty()) {
    config.fail(key,
                "a schedule of a layer cannot depend on a hyperparameter; "
                "write \"$name\" alone");
  }
  declared_.name = setting_.name();
  declared_.granularities = {{"all", 1}};
  if (setting_.position() >= 0) {
    declared_.granularities.emplace_back("position", setting_.position() + 1);
  }
}

Tensor LayerSetting::value(const Tensor& x, const Pass& pass) const {
  static const ParameterSet none;
  const ParameterSet& hyper = pass.hyper != nullptr ? *pass.hyper : none;
  const bool several = pass.hyper_axis != HyperAxis::kNone && !hyper.empty();
  Tensor value = setting_.value(hyper, pass.step,
                                several ? hyper.tensors().front().size(0) : 0);
  if (!declared_.differentiable) value = value.detach();
  const auto type =
      at::isFloatingType(x.scalar_type())
          ? x.options().dtype(at::promoteTypes(x.scalar_type(), at::kFloat))
          : value.options().device(x.device());
  // A constant is made where x is, without a transfer.
  const bool constant = declared_.name.empty() && value.dim() == 0;
  value = constant && !x.is_cpu() ? at::full({}, value.item<double>(), type)
                                  : value.to(type);
  return value.dim() == 0 ? value : along_first(value, x);
}

void LayerSetting::declare(std::vector<Hyperparameter>& to) const {
  if (!declared_.name.empty()) to.push_back(declared_);
}

std::vector<Hyperparameter> named_by(
    std::initializer_list<std::reference_wrapper<const LayerSetting>>
        settings) {
  std::vector<Hyperparameter> named;
  for (const LayerSetting& setting : settings) setting.declare(named);
  return named;
}

Hyperparameter strength(std::string meaning, Coordinates coordinates) {
  Hyperparameter h;
  h.meaning = std::move(meaning);
  h.coordinates = coordinates;
  return h;
}

Hyperparameter noise_strength(std::string meaning, Coordinates coordinates) {
  Hyperparameter h = strength(std::move(meaning), coordinates);
  h.differentiable = false;
  return h;
}

}  // namespace nestgrad
