#include "core/hyperparameter.h"

#include <ATen/ATen.h>

#include <map>
#include <numeric>

#include "core/particles.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

struct Layers {
  std::vector<std::int64_t> numbers;  // the layer of each weight tensor
  std::int64_t count = 0;
};

Layers layers_of(const ParameterSet& weights) {
  Layers layers;
  std::map<std::string, std::int64_t> known;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::string& name = weights.name(i);
    const auto [layer, is_new] =
        known.emplace(name.substr(0, name.rfind('.')), layers.count);
    if (is_new) ++layers.count;
    layers.numbers.push_back(layer->second);
  }
  return layers;
}

}  // namespace

Tensor Coordinates::natural(const Tensor& x) const {
  switch (kind) {
    case Kind::kReal:
      return x;
    case Kind::kLog:
      return x.exp();
    case Kind::kSoftplus:
      return at::softplus(x);
    case Kind::kLogit:
      return low + (high - low) * x.sigmoid();
  }
  return x;
}

Tensor Coordinates::unconstrained(const Tensor& natural) const {
  switch (kind) {
    case Kind::kReal:
      return natural;
    case Kind::kLog:
      return natural.log();
    case Kind::kSoftplus:
      return natural + (-(-natural).expm1()).log();
    case Kind::kLogit:
      return ((natural - low) / (high - low)).logit();
  }
  return natural;
}

bool Coordinates::contains(double natural) const {
  switch (kind) {
    case Kind::kReal:
      return true;
    case Kind::kLog:
    case Kind::kSoftplus:
      return natural > 0;
    case Kind::kLogit:
      return natural > low && natural < high;
  }
  return true;
}

std::string Coordinates::describe() const {
  switch (kind) {
    case Kind::kReal:
      return "a real number";
    case Kind::kLog:
    case Kind::kSoftplus:
      return "a positive number";
    case Kind::kLogit:
      return fmt::format("a number between {} and {}, ends excluded", low,
                         high);
  }
  return "";
}

Tensor as_scalar(const Tensor& one) {
  return one.dim() == 0 ? one : one.reshape({});
}

std::vector<Granularity> weight_granularities(const ParameterSet& weights) {
  return {{"all", 1},
          {"layer", layers_of(weights).count},
          {"tensor", static_cast<std::int64_t>(weights.size())},
          {"weight", weights.numel()}};
}

std::vector<Tensor> spread(const Tensor& value, const ParameterSet& weights,
                           std::int64_t particles) {
  const bool many = particles > 0;
  const auto tensors = static_cast<std::int64_t>(weights.size());
  const std::int64_t numel = weights.numel() / (many ? particles : 1);
  if (value.numel() == (many ? particles : 1)) {
    const Tensor one = many ? value : as_scalar(value);
    return weights
        .map([&](const Tensor& w) { return many ? along_first(one, w) : one; })
        .tensors();
  }
  // [particles, n] or [n].
  const Tensor flat =
      value.reshape(many ? std::vector<std::int64_t>{particles, -1}
                         : std::vector<std::int64_t>{-1});
  const std::int64_t n = flat.size(-1);
  if (n == numel && n != tensors) {
    if (!many) return weights.unflatten(flat).tensors();
    std::vector<Tensor> out;
    std::int64_t first = 0;
    for (const Tensor& w : weights.tensors()) {
      const std::int64_t count = w.numel() / particles;
      out.push_back(flat.narrow(1, first, count).reshape(w.sizes()));
      first += count;
    }
    return out;
  }
  // The index of the number for each tensor.
  std::vector<std::int64_t> which(weights.size(), 0);
  if (n == tensors) {
    std::iota(which.begin(), which.end(), 0);
  } else {
    const Layers layers = layers_of(weights);
    require(n == layers.count,
            "expected one number for all, per layer ({}), per tensor ({}) or "
            "per weight ({}), got {}",
            layers.count, tensors, numel, n);
    which = layers.numbers;
  }
  const std::vector<Tensor> parts = flat.unbind(-1);
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor& part = parts[static_cast<std::size_t>(which[i])];
    out.push_back(many ? along_first(part, weights.tensors()[i]) : part);
  }
  return out;
}

}  // namespace nestgrad
