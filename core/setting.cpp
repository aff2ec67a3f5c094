#include "core/setting.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/hyperparameter.h"
#include "core/optimizer.h"

namespace nestgrad {

// A tensor in double precision. LibTorch would compute expressions of wrapped
// numbers only, such as 1 - beta, in single precision.
Setting::Setting(double value)
    : constant_(at::scalar_tensor(value, at::kDouble)), number_(value) {}

Setting Setting::from_hyper(std::string name) {
  Setting out(0);
  out.constant_ = Tensor();
  const std::size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot + 1 < name.size() &&
      name.find_first_not_of("0123456789", dot + 1) == std::string::npos &&
      name.size() - dot < 6) {
    out.position_ = std::stoll(name.substr(dot + 1));
    name.resize(dot);
  }
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

Tensor Setting::value(const ParameterSet& natural, std::int64_t step,
                      std::int64_t particles) const {
  if (constant_.defined()) return constant_;
  if (schedule_) return schedule_->value(natural, step, particles);
  const Tensor& value = natural.at(name_);
  if (particles == 0) {
    if (value.numel() == 1) return as_scalar(value);
    return value.select(0, element(value.size(0), step));
  }
  if (value.numel() == particles) return value.reshape({particles, 1});
  const Tensor now = value.select(1, element(value.size(1), step));
  return now.reshape({particles, -1});
}

bool Setting::same_at_every_step(const ParameterSet& natural,
                                 std::int64_t particles) const {
  if (constant_.defined()) return true;
  if (schedule_) return false;
  const Tensor& value = natural.at(name_);
  const std::int64_t one = particles == 0 ? 1 : particles;
  return value.numel() == one || position_ >= 0 ||
         value.size(particles == 0 ? 0 : 1) == 1;
}

Scale Setting::scale(const ParameterSet& natural,
                     const TrainState& state) const {
  const Tensor now = value(natural, state.step, state.particles);
  if (now.dim() == 0) return Scale(now);
  // Unlike a scalar, a tensor in double precision would change the type of the
  // weights.
  return Scale(spread(now.to(state.weights.tensors().front().scalar_type()),
                      state.weights, state.particles));
}

Tensor Setting::one(const ParameterSet& natural,
                    const TrainState& state) const {
  const Tensor now = value(natural, state.step, state.particles);
  if (now.dim() == 0) return now;
  require(state.particles > 0 && now.size(1) == 1,
          "{} must be one number for all weights here",
          name_.empty() ? "a schedule" : "'" + name_ + "'");
  return now.squeeze(1);
}

std::int64_t Setting::element(std::int64_t count, std::int64_t step) const {
  if (position_ < 0 || count == 1) return std::min(step, count - 1);
  require(position_ < count, "\"${}.{}\": '{}' has only {} numbers", name_,
          position_, name_, count);
  return position_;
}

bool Setting::is(double constant) const {
  return constant_.defined() && number_ == constant;
}

}  // namespace nestgrad
