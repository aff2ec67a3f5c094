#include "core/setting.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/hyperparameter.h"

namespace nestgrad {

// A tensor in double precision. A wrapped number would not do: LibTorch
// computes expressions that hold nothing else, 1 - beta, in single precision.
Setting::Setting(double value)
    : constant_(at::scalar_tensor(value, at::kDouble)), number_(value) {}

Setting Setting::from_hyper(std::string name) {
  Setting out(0);
  out.constant_ = Tensor();
  out.name_ = std::move(name);
  return out;
}

Setting Setting::read(const Config& config, const std::string& key) {
  const Json& value = config.value(key);
  if (value.is_number()) return Setting(value.get<double>());
  if (value.is_string()) {
    return from_hyper(value.get<std::string>().substr(1));
  }
  Setting out(0);
  out.constant_ = Tensor();
  out.schedule_ = ScheduleRegistry::instance().make(config.object(key));
  return out;
}

Tensor Setting::value(const ParameterSet& natural, std::int64_t step) const {
  if (constant_.defined()) return constant_;
  if (schedule_) return schedule_->value(natural, step);
  const Tensor& value = natural.at(name_);
  if (value.numel() == 1) return as_scalar(value);
  return value.select(0, std::min(step, value.size(0) - 1));
}

bool Setting::is(double constant) const {
  return constant_.defined() && number_ == constant;
}

}  // namespace nestgrad
