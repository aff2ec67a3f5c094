#include "hypergrad/unrolled/exact_vector.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr double kUnits = 4503599627370496.0;     // 2^52
constexpr double kLimit = 9223372036854775808.0;  // 2^63 units
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

std::int64_t* data(const Tensor& t) { return t.data_ptr<std::int64_t>(); }

/// Calls f(j) for all j < n, on all threads. Returns whether any f returned
/// true.
template <class F>
bool any_of(std::int64_t n, const F& f) {
  std::atomic<bool> any{false};
  at::parallel_for(0, n, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    bool yes = false;
    for (std::int64_t j = begin; j < end; ++j) yes |= f(j);
    if (yes) any = true;
  });
  return any;
}

template <class F>
void for_each(std::int64_t n, const F& f) {
  any_of(n, [&f](std::int64_t j) {
    f(j);
    return false;
  });
}

/// to <- to + sign [x], for x in units. Returns whether that overflows.
inline bool move(std::int64_t& to, std::int64_t sign, double x) {
  const bool fits = std::abs(x) < kLimit;  // not so for NaN
  const std::int64_t whole = fits ? static_cast<std::int64_t>(x) : 0;
  return !fits | __builtin_add_overflow(to, sign * whole, &to);
}

// Sums and products wrap around where numbers have overflowed.
inline std::int64_t times_plus(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) *
                                       static_cast<std::uint64_t>(b) +
                                   static_cast<std::uint64_t>(c));
}

__extension__ using Wide = unsigned __int128;

/// x div n and x mod n for one n and many x, without a division for each.
class Divisor {
 public:
  explicit Divisor(std::int64_t n)
      : n_(n), inverse_(~std::uint64_t{0} / static_cast<std::uint64_t>(n)) {}

  std::int64_t div(std::int64_t x) const {
    // Rounded down: -1 - (-1 - x) div n for negative x.
    const std::int64_t sign = x >> 63;
    const auto size = static_cast<std::uint64_t>(x ^ sign);
    auto q = static_cast<std::uint64_t>(Wide{size} * inverse_ >> 64);
    // With x < 2^63 the product is short of the quotient by less than 1.
    q += size - q * static_cast<std::uint64_t>(n_) >=
         static_cast<std::uint64_t>(n_);
    return static_cast<std::int64_t>(q) ^ sign;
  }

  std::int64_t mod(std::int64_t x, std::int64_t div) const {
    return x - div * n_;
  }

 private:
  std::int64_t n_;
  std::uint64_t inverse_;
};

Tensor on_cpu(const Tensor& x) {
  return x.detach().to(at::kCPU, at::kDouble).contiguous();
}

}  // namespace

Ratio Ratio::near(double value) {
  require(value > 0 && value <= 1, "no ratio in (0, 1] is near {}", value);
  // Convergents of the continued fraction of `value`, the last two of them.
  Ratio before{0, 1}, last{1, 0};
  const auto error = [value](const Ratio& r) {
    return std::abs(r.value() - value);
  };
  for (double x = value;;) {
    const double digit = std::floor(x);
    const auto room = static_cast<double>(
        last.denominator > 0
            ? (kMaxDenominator - before.denominator) / last.denominator
            : kMaxDenominator);
    const auto a = static_cast<std::int64_t>(std::min(digit, room));
    const Ratio next{a * last.numerator + before.numerator,
                     a * last.denominator + before.denominator};
    if (digit > room) {
      const bool better = last.numerator == 0 || error(next) < error(last);
      return better ? next : last;
    }
    if (error(next) <= std::ldexp(value, -52)) return next;
    before = last;
    last = next;
    x = 1 / (x - digit);
  }
}

double Ratio::value() const {
  return static_cast<double>(numerator) / static_cast<double>(denominator);
}

ExactVector::ExactVector(const Tensor& x)
    : units_(at::zeros(x.sizes(), at::kLong)), options_(x.options()) {
  add(x);
}

Tensor ExactVector::values() const {
  Tensor out = at::empty(units_.sizes(), at::kDouble);
  const std::int64_t* const c = data(units_);
  double* const x = out.data_ptr<double>();
  for_each(units_.numel(),
           [=](std::int64_t j) { x[j] = static_cast<double>(c[j]) / kUnits; });
  return out.to(options_);
}

void ExactVector::move_by(std::int64_t sign, const Tensor& x) {
  require(x.sizes() == units_.sizes(), "expected {} numbers, got {}",
          units_.numel(), x.numel());
  const Tensor from = on_cpu(x);
  const double* const numbers = from.data_ptr<double>();
  std::int64_t* const c = data(units_);
  overflowed_ |= any_of(units_.numel(), [=](std::int64_t j) {
    return move(c[j], sign, numbers[j] * kUnits);
  });
}

void ExactVector::move_by(std::int64_t sign, double s, const ExactVector& v) {
  require(v.units_.sizes() == units_.sizes(), "expected {} numbers, got {}",
          units_.numel(), v.units_.numel());
  const std::int64_t* const from = data(v.units_);
  std::int64_t* const c = data(units_);
  overflowed_ |= any_of(units_.numel(), [=](std::int64_t j) {
    return move(c[j], sign, s * static_cast<double>(from[j]));
  });
}

bool operator==(const ExactVector& a, const ExactVector& b) {
  return at::equal(a.units_, b.units_);
}

BitBuffer::BitBuffer(const ExactVector& x) : i_(at::zeros_like(x.units_)) {}

void BitBuffer::multiply(ExactVector& x, const Ratio& ratio) {
  const std::int64_t n = ratio.numerator, d = ratio.denominator;
  while (bound_ > (kLargest - (d - 1)) / d) spill();
  bound_ = (bound_ * d + (d - 1)) / n;
  ++products_;

  const Divisor by_n(n), by_d(d);
  std::int64_t *const c = data(x.units_), *const i = data(i_);
  for_each(i_.numel(), [=](std::int64_t j) {
    const std::int64_t quotient = by_d.div(c[j]);
    const std::int64_t longer = times_plus(i[j], d, by_d.mod(c[j], quotient));
    i[j] = by_n.div(longer);
    c[j] = times_plus(quotient, n, by_n.mod(longer, i[j]));
  });
}

void BitBuffer::divide(ExactVector& x, const Ratio& ratio) {
  const std::int64_t n = ratio.numerator, d = ratio.denominator;
  const Divisor by_n(n), by_d(d);
  std::int64_t *const c = data(x.units_), *const i = data(i_);
  for_each(i_.numel(), [=](std::int64_t j) {
    const std::int64_t quotient = by_n.div(c[j]);
    const std::int64_t longer = times_plus(i[j], n, by_n.mod(c[j], quotient));
    i[j] = by_d.div(longer);
    c[j] = times_plus(quotient, d, by_d.mod(longer, i[j]));
  });
  --products_;
  while (!spills_.empty() && spills_.back().product == products_) unspill();
}

void BitBuffer::spill() {
  Spill out{products_, bound_, at::empty(i_.sizes(), at::kShort)};
  std::int64_t* const i = data(i_);
  std::int16_t* const low = out.low.data_ptr<std::int16_t>();
  for_each(i_.numel(), [=](std::int64_t j) {
    low[j] = static_cast<std::int16_t>(i[j] & 0xffff);
    i[j] >>= kSpilledBits;
  });
  bound_ >>= kSpilledBits;
  spills_.push_back(std::move(out));
}

void BitBuffer::unspill() {
  const Spill& last = spills_.back();
  std::int64_t* const i = data(i_);
  const std::int16_t* const low = last.low.data_ptr<std::int16_t>();
  for_each(i_.numel(), [=](std::int64_t j) {
    i[j] =
        times_plus(i[j], 1 << kSpilledBits, static_cast<std::uint16_t>(low[j]));
  });
  bound_ = last.bound;
  spills_.pop_back();
}

bool BitBuffer::empty() const {
  return spills_.empty() && !i_.any().item<bool>();
}

std::int64_t BitBuffer::bits() const {
  const std::int64_t* const i = data(i_);
  std::int64_t digits = 0;
  for (std::int64_t j = 0; j < i_.numel(); ++j) {
    if (i[j] != 0) digits += 64 - __builtin_clzll(i[j]);
  }
  return digits +
         static_cast<std::int64_t>(spills_.size()) * kSpilledBits * i_.numel();
}

}  // namespace nestgrad
