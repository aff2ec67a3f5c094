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

/// In float64, contiguous, on the CPU.
Tensor numbers_of(const Tensor& x, const Tensor& like) {
  return x.detach().to(at::kCPU, at::kDouble).expand_as(like).contiguous();
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
  finite_ = finite_ && at::isfinite(keep).all().item<bool>() &&
            at::isfinite(add).all().item<bool>();
  if (!finite_) return;
  const Tensor factors = numbers_of(keep, c_), added = numbers_of(add, c_);
  const double* const k = factors.data_ptr<double>();
  const double* const a = added.data_ptr<double>();
  std::int64_t *const c = data(c_), *const i = data(i_);
  const auto numerator = [k](std::int64_t j) {
    return static_cast<std::int64_t>(k[j] * kDenominator);
  };
  const auto full = [&](std::int64_t j) {
    return i[j] >= numerator(j) << kSpilledBits;
  };
  const std::int64_t count = c_.numel();
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
    const std::int64_t n = numerator(j);
    const std::int64_t quotient = divided(c[j], kDenominator);
    const std::int64_t longer =
        i[j] * kDenominator + (c[j] - quotient * kDenominator);
    i[j] = longer / n;
    c[j] = quotient * n + (longer - i[j] * n) + std::llrint(a[j] * units_);
  }
}

void ReversibleState::undo(const Tensor& keep, const Tensor& add) {
  require(finite_ && !stack_.empty(), "there is no update to undo");
  const Tensor factors = numbers_of(keep, c_), added = numbers_of(add, c_);
  const double* const k = factors.data_ptr<double>();
  const double* const a = added.data_ptr<double>();
  std::int64_t *const c = data(c_), *const i = data(i_);
  const Tensor spilled = stack_.back();
  stack_.pop_back();
  const std::int32_t* low =
      spilled.defined() ? spilled.data_ptr<std::int32_t>() : nullptr;
  const std::int32_t* const end = low + (low ? spilled.numel() : 0);

  for (std::int64_t j = 0; j < c_.numel(); ++j) {
    const auto n = static_cast<std::int64_t>(k[j] * kDenominator);
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
}

Tensor ReversibleState::values() const {
  if (!finite_) return at::full(c_.sizes(), NAN, options_);
  return c_.to(at::kDouble).div_(units_).to(options_);
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
