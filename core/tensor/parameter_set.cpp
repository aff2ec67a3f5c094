#include "core/tensor/parameter_set.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/platform/error.h"
#include "core/tensor/sum.h"

namespace nestgrad {

ParameterSet::ParameterSet(
    std::initializer_list<std::pair<std::string, Tensor>> entries) {
  for (const auto& [name, value] : entries) insert(name, value);
}

void ParameterSet::insert(std::string name, Tensor value) {
  require(!contains(name), "there is already an entry named '{}'", name);
  // The list of names is shared between sets, so it must be copied.
  auto names = std::make_shared<Names>(*names_);
  names->push_back(std::move(name));
  names_ = std::move(names);
  tensors_.push_back(std::move(value));
  whole_ = Tensor();
}

std::int64_t ParameterSet::numel() const {
  std::int64_t n = 0;
  for (const Tensor& t : tensors_) n += t.numel();
  return n;
}

bool ParameterSet::contains(std::string_view name) const {
  return std::find(names_->begin(), names_->end(), name) != names_->end();
}

const Tensor& ParameterSet::at(std::string_view name) const& {
  const auto found = std::find(names_->begin(), names_->end(), name);
  require(found != names_->end(), "there is no entry '{}'; there are: {}", name,
          fmt::join(*names_, ", "));
  return tensors_[static_cast<std::size_t>(found - names_->begin())];
}

Tensor ParameterSet::at(std::string_view name) && {
  return static_cast<const ParameterSet&>(*this).at(name);
}

ParameterSet ParameterSet::with(std::vector<Tensor> tensors) const {
  require(tensors.size() == size(), "expected {} tensors, got {}", size(),
          tensors.size());
  ParameterSet out;
  out.names_ = names_;
  out.tensors_ = std::move(tensors);
  return out;
}

ParameterSet ParameterSet::subset(std::string_view prefix) const {
  ParameterSet out;
  for (std::size_t i = 0; i < size(); ++i) {
    if (name(i).compare(0, prefix.size(), prefix) == 0) {
      out.insert(name(i).substr(prefix.size()), tensors_[i]);
    }
  }
  return out;
}

void ParameterSet::append(std::string_view prefix, const ParameterSet& other) {
  for (std::size_t i = 0; i < other.size(); ++i) {
    insert(std::string(prefix) + other.name(i), other.tensors_[i]);
  }
}

ParameterSet ParameterSet::detach() const {
  return map([](const Tensor& t) { return t.detach(); });
}

ParameterSet ParameterSet::leaves() const {
  return map([](const Tensor& t) { return t.detach().requires_grad_(); });
}

ParameterSet ParameterSet::clone() const {
  return map([](const Tensor& t) { return t.clone(); });
}

ParameterSet ParameterSet::zeros() const {
  return map([](const Tensor& t) { return at::zeros_like(t); });
}

ParameterSet ParameterSet::to(const at::TensorOptions& options) const {
  return map([&](const Tensor& t) { return t.to(options); });
}

Tensor ParameterSet::flatten() const {
  if (whole_.defined()) return whole_;
  if (size() == 1) return tensors_[0].reshape(-1);
  std::vector<Tensor> flat;
  flat.reserve(size());
  for (const Tensor& t : tensors_) flat.push_back(t.reshape(-1));
  return flat.empty() ? at::empty({0}) : at::cat(flat);
}

Tensor ParameterSet::flatten_each() const {
  std::vector<Tensor> flat;
  flat.reserve(size());
  for (const Tensor& t : tensors_) flat.push_back(t.reshape({t.size(0), -1}));
  return at::cat(flat, 1);
}

ParameterSet ParameterSet::unflatten(const Tensor& flat) const {
  const bool several = flat.dim() == 2;
  require((several || flat.dim() == 1) && flat.size(-1) == numel(),
          "expected a vector of {} numbers, got the shape [{}]", numel(),
          fmt::join(flat.sizes().vec(), ", "));
  std::vector<Tensor> out{flat};
  if (size() != 1) {
    std::vector<std::int64_t> sizes;
    sizes.reserve(size());
    for (const Tensor& t : tensors_) sizes.push_back(t.numel());
    out = flat.split_with_sizes(sizes, -1);
  }
  for (std::size_t i = 0; i < size(); ++i) {
    if (tensors_[i].dim() == 1) continue;
    std::vector<std::int64_t> sizes = tensors_[i].sizes().vec();
    if (several) sizes.insert(sizes.begin(), flat.size(0));
    out[i] = out[i].view(sizes);
  }
  ParameterSet set = with(std::move(out));
  if (!several) set.whole_ = flat;
  return set;
}

void ParameterSet::require_alike(const ParameterSet& other) const {
  require(size() == other.size(), "expected {} tensors, got {}", size(),
          other.size());
  if (names_ != other.names_) {
    for (std::size_t i = 0; i < size(); ++i) {
      require(name(i) == other.name(i), "expected '{}' in place {}, got '{}'",
              name(i), i, other.name(i));
    }
  }
  for (std::size_t i = 0; i < size(); ++i) {
    const auto mine = tensors_[i].sizes(), theirs = other.tensors_[i].sizes();
    require(mine == theirs, "'{}': expected the shape [{}], got [{}]", name(i),
            fmt::join(mine, ", "), fmt::join(theirs, ", "));
  }
}

bool alike(const ParameterSet& a, const ParameterSet& b) {
  try {
    a.require_alike(b);
    return true;
  } catch (const Error&) {
    return false;
  }
}

ParameterSet operator+(const ParameterSet& a, const ParameterSet& b) {
  return a.zip(b, [](const Tensor& x, const Tensor& y) { return x + y; });
}

ParameterSet operator-(const ParameterSet& a, const ParameterSet& b) {
  return a.zip(b, [](const Tensor& x, const Tensor& y) { return x - y; });
}

ParameterSet operator*(const ParameterSet& a, const ParameterSet& b) {
  return a.zip(b, [](const Tensor& x, const Tensor& y) { return x * y; });
}

ParameterSet operator*(double s, const ParameterSet& a) {
  return a.map([s](const Tensor& t) { return t * s; });
}

ParameterSet operator*(const Tensor& s, const ParameterSet& a) {
  return a.map([&s](const Tensor& t) { return s * t; });
}

ParameterSet add(const ParameterSet& a, double s, const ParameterSet& b) {
  return a.zip(
      b, [s](const Tensor& x, const Tensor& y) { return at::add(x, y, s); });
}

ParameterSet add(const ParameterSet& a, const Tensor& s,
                 const ParameterSet& b) {
  // The same kernels with and without a tape, so that results are equal bit by
  // bit.
  return a.zip(b, [&s](const Tensor& x, const Tensor& y) { return x + s * y; });
}

Tensor dot(const ParameterSet& a, const ParameterSet& b) {
  a.require_alike(b);
  require(!a.empty(), "an inner product of sets needs at least one tensor");
  // A device is done with a small tensor before the CPU has sent the next
  // operator, so there they are joined.
  constexpr std::int64_t kJoined = 1 << 20;  // numbers
  if (a.size() > 2 && !a.tensors().front().is_cpu() && a.numel() <= kJoined) {
    const Tensor joined = a.flatten();
    return at::dot(joined, &a == &b ? joined : b.flatten());
  }
  Tensor sum;
  for (std::size_t i = 0; i < a.size(); ++i) {
    add_to(sum,
           at::dot(a.tensors()[i].reshape(-1), b.tensors()[i].reshape(-1)));
  }
  return sum;
}

Tensor norm(const ParameterSet& a) { return dot(a, a).sqrt(); }

double length(const ParameterSet& a) { return norm(a).item<double>(); }

bool all_finite(const ParameterSet& a) {
  for (const Tensor& t : a.tensors()) {
    if (!t.is_floating_point()) continue;
    // The sum is finite unless an entry is not, or it overflows.
    if (t.sum().isfinite().item<bool>()) continue;
    if (!t.isfinite().all().item<bool>()) return false;
  }
  return true;
}

}  // namespace nestgrad
