#include "core/tensor/number.h"

#include <ATen/ATen.h>

namespace nestgrad {

Number::Number(const Tensor& scalar) {
  if (scalar.is_cpu()) {
    value_ = scalar.item<double>();
    return;
  }
  there_ = std::make_shared<There>(There{scalar.detach()});
  all_waiting().push_back(there_);
}

std::vector<std::weak_ptr<Number::There>>& Number::all_waiting() {
  thread_local std::vector<std::weak_ptr<There>> waiting;
  return waiting;
}

Number::operator double() const {
  if (!there_) return value_;
  if (there_->scalar.defined()) read_with({});
  // One of another thread.
  if (there_->scalar.defined()) return there_->scalar.item<double>();
  return there_->value;
}

ParameterSet Number::read_with(const ParameterSet& set) {
  std::vector<std::shared_ptr<There>> numbers;
  std::vector<Tensor> wanted;
  for (const auto& one : all_waiting()) {
    const std::shared_ptr<There> number = one.lock();
    if (!number) continue;
    numbers.push_back(number);
    wanted.push_back(number->scalar);
  }
  for (const Tensor& t : set.tensors()) {
    if (!t.is_cpu()) wanted.push_back(t.detach());
  }
  if (wanted.empty()) return set;
  for (Tensor& t : wanted) t = t.reshape({-1});
  const Tensor all = at::cat(wanted).to(at::kCPU);
  all_waiting().clear();

  std::int64_t next = 0;
  for (const auto& number : numbers) {
    number->value = all[next++].item<double>();
    number->scalar.reset();
  }
  return set.map([&](const Tensor& t) {
    if (t.is_cpu()) return t;
    const Tensor part = all.narrow(0, next, t.numel());
    next += t.numel();
    return part.view(t.sizes()).to(t.scalar_type());
  });
}

}  // namespace nestgrad
