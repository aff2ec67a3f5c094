#include "core/nn/layers/reversible/reversible_state.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr int kFactorBits = ReversibleState::kFactorBits;
constexpr std::int64_t kDenominator = std::int64_t{1} << kFactorBits;
constexpr int kSpilledBits = 32;

std::int64_t* data(const Tensor& t) { return t.data_ptr<std::int64_t>(); }

/// One number for each of `like`, contiguous, on the CPU.
Tensor numbers_of(const Tensor& x, const Tensor& like) {
  if (x.is_cpu() && x.is_contiguous() && x.sizes() == like.sizes()) return x;
  return x.detach().to(at::kCPU).expand_as(like).contiguous();
}

/// f of the numbers of keep and add, float or double.
template <class F>
void with_numbers(const Tensor& keep, const Tensor& add, const Tensor& like,
                  F&& f) {
  Tensor k = numbers_of(keep, like), a = numbers_of(add, like);
  if (k.scalar_type() == at::kFloat && a.scalar_type() == at::kFloat) {
    return f(k.data_ptr<float>(), a.data_ptr<float>());
  }
  k = k.to(at::kDouble);
  a = a.to(at::kDouble);
  f(k.data_ptr<double>(), a.data_ptr<double>());
}

/// keep as a number of 1024ths.
template <class T>
std::int64_t numerator(T keep) {
  return static_cast<std::int64_t>(keep * static_cast<T>(kDenominator));
}

/// Rounded down, for a positive n.
std::int64_t divided(std::int64_t x, std::int64_t n) {
  return x >= 0 ? x / n : -1 - (-1 - x) / n;
}

}  // namespace

int ReversibleState::fraction_bits(at::ScalarType type) {
  return type == at::kDouble ? 46 : 23;
}

ReversibleState::ReversibleState(at::IntArrayRef sizes,
                                 const at::TensorOptions& options)
    : options_(options),
      units_(std::ldexp(
          1, fraction_bits(at::typeMetaToScalarType(options.dtype())))),
      c_(at::zeros(sizes, at::kLong)),
      i_(at::full(sizes, kDenominator, at::kLong)) {}

ReversibleState::ReversibleState(const ReversibleState& other)
    : options_(other.options_),
      units_(other.units_),
      finite_(other.finite_),
      c_(other.c_.clone()),
      i_(other.i_.clone()),
      stack_(other.stack_) {}

Tensor ReversibleState::nearest_factor(const Tensor& keep) {
  return keep.mul(static_cast<double>(kDenominator))
      .round_()
      .clamp_min_(1)
      .div_(static_cast<double>(kDenominator));
}

void ReversibleState::update(const Tensor& keep, const Tensor& add) {
  with_numbers(keep, add, c_, [&](const auto* k, const auto* a) {
    std::int64_t *const c = data(c_), *const i = data(i_);
    const std::int64_t count = c_.numel();
    const auto full = [&](std::int64_t j) {
      return i[j] >= numerator(k[j]) << kSpilledBits;
    };
    for (std::int64_t j = 0; j < count; ++j) {
      finite_ = finite_ && std::isfinite(k[j]) && std::isfinite(a[j]);
    }
    if (!finite_) return;
    std::int64_t spilled = 0;
    for (std::int64_t j = 0; j < count; ++j) spilled += full(j);
    stack_.push_back(spilled > 0 ? at::empty({spilled}, at::kInt) : Tensor());
    std::int32_t* low =
        spilled > 0 ? stack_.back().data_ptr<std::int32_t>() : nullptr;

    for (std::int64_t j = 0; j < count; ++j) {
      if (full(j)) {
        *low++ = static_cast<std::int32_t>(i[j]);
        i[j] >>= kSpilledBits;
      }
      const std::int64_t n = numerator(k[j]);
      const std::int64_t quotient = divided(c[j], kDenominator);
      const std::int64_t longer =
          i[j] * kDenominator + (c[j] - quotient * kDenominator);
      i[j] = longer / n;
      c[j] = quotient * n + (longer - i[j] * n) + std::llrint(a[j] * units_);
    }
  });
}

void ReversibleState::undo(const Tensor& keep, const Tensor& add) {
  require(finite_ && !stack_.empty(), "there is no update to undo");
  const Tensor spilled = stack_.back();
  stack_.pop_back();
  const std::int32_t* low =
      spilled.defined() ? spilled.data_ptr<std::int32_t>() : nullptr;
  const std::int32_t* const end = low + (low ? spilled.numel() : 0);

  with_numbers(keep, add, c_, [&](const auto* k, const auto* a) {
    std::int64_t *const c = data(c_), *const i = data(i_);
    for (std::int64_t j = 0; j < c_.numel(); ++j) {
      const std::int64_t n = numerator(k[j]);
      const std::int64_t product = c[j] - std::llrint(a[j] * units_);
      const std::int64_t quotient = divided(product, n);
      const std::int64_t longer = i[j] * n + (product - quotient * n);
      i[j] = longer / kDenominator;
      c[j] = quotient * kDenominator + (longer - i[j] * kDenominator);
      // `low` ends early only if the arguments differ from those of update().
      if (i[j] < kDenominator && low != end) {
        i[j] = i[j] << kSpilledBits | static_cast<std::uint32_t>(*low++);
      }
    }
  });
}

Tensor ReversibleState::values() const {
  if (!finite_) return at::full(c_.sizes(), NAN, options_);
  const auto in_units = [&](auto* out) {
    const std::int64_t* const c = data(c_);
    for (std::int64_t j = 0; j < c_.numel(); ++j) {
      out[j] = static_cast<std::decay_t<decltype(*out)>>(
          static_cast<double>(c[j]) / units_);
    }
  };
  const bool is_float = options_.dtype() == at::kFloat;
  const Tensor out = at::empty(c_.sizes(), is_float ? at::kFloat : at::kDouble);
  if (is_float) {
    in_units(out.data_ptr<float>());
  } else {
    in_units(out.data_ptr<double>());
  }
  return out.to(options_);
}

bool ReversibleState::at_beginning() const {
  return stack_.empty() && !c_.any().item<bool>() &&
         (i_ == kDenominator).all().item<bool>();
}

double ReversibleState::bits() const {
  double bits =
      i_.to(at::kDouble).div_(kDenominator).log2_().sum().item<double>();
  for (const Tensor& words : stack_) {
    if (words.defined()) {
      bits += static_cast<double>(kSpilledBits * words.numel());
    }
  }
  return bits;
}

}  // namespace nestgrad
