#include "hypergrad/solvers/krylov.h"

#include <ATen/ATen.h>

namespace nestgrad {
namespace {

// What helps against a trouble.
constexpr const char* kNoNearer =
    "came as near as rounding allows (a larger \"tolerance\" asks for no more)";
constexpr const char* kNearer =
    "more \"iterations\" or \"damping\" bring it nearer";

double length(const Tensor& v) { return v.norm().item<double>(); }

/// `basis` [n, k] with one more column: the normalised part of `v` orthogonal
/// to it. Unchanged if that part consists of rounding errors.
Tensor extended(const Tensor& basis, const Tensor& v) {
  Tensor rest = v;
  for (int pass = 0; pass < 2; ++pass) {
    rest = rest - at::mv(basis, at::mv(basis.t(), rest));
  }
  if (length(rest) <= 1e-12 * length(v)) return basis;
  return at::cat({basis, (rest / rest.norm()).unsqueeze(1)}, 1);
}

}  // namespace

Krylov::Krylov(const Config& config, std::string name)
    : InverseHessian(config),
      name_(std::move(name)),
      iterations_(config.integer("iterations")),
      tolerance_(config.number("tolerance")),
      warm_start_(config.boolean("warm_start")) {}

Schema Krylov::keys(std::string meaning) {
  return Schema(std::move(meaning))
      .integer("iterations", 20, "Largest number of iterations.", at_least(1))
      .number("tolerance", 1e-10,
              "Stops when the residual is this small relative to the "
              "right-hand side.",
              at_least(0))
      .boolean("warm_start", false,
               "Starts at the solution of the estimate before, if that is "
               "nearer than zeros are.");
}

Solution Krylov::iterate(const LinearMap& a, const ParameterSet& b,
                         const ParameterSet* guess,
                         const Method& method) const {
  Solution out;
  // Residuals far below rounding errors would underflow when squared.
  const double share = std::max(tolerance_, 0.01 * machine_epsilon(b));
  const Number size(norm(b));
  // On another device nothing is read before the first stretch has ended.
  const Tensor there = size.waiting();
  const Number enough =
      there.defined() ? Number(share * there) : Number(share * size);
  out.x = b.zeros();
  ParameterSet r = b;
  Number left = size;
  if (warm_start_ && guess != nullptr) {
    const ParameterSet rest = b - a(*guess);
    // A guess worse than zeros would never be dropped.
    if (length(rest) < size) {
      out.x = *guess;
      r = rest;
      left = length(r);
    }
  }
  std::int64_t done = 0;
  double drift = 0;
  std::string obstacle;
  while (done < iterations_ && obstacle.empty() &&
         (left.waiting().defined() || left > enough)) {
    const Stretch next = method(r, enough, iterations_ - done);
    const double before = left;
    left = next.residual;
    done += next.iterations;
    if (next.iterations == 0 && next.obstacle.empty()) {
      left = enough;  // the method has found it equal, by another rounding
      break;
    }
    if (!std::isfinite(left)) break;
    out.x = out.x + next.x;
    obstacle = next.obstacle;
    drift = std::max(drift, next.drift);
    const bool claimed = left <= enough;
    const bool again = !claimed && obstacle.empty() && done < iterations_;
    if (!again && drift <= 0.1 * std::max(left, enough)) break;
    r = b - a(out.x);
    left = length(r);
    if (claimed && !(left < before / 2)) {
      obstacle = kNoNearer;
    }
  }

  out.residual = left / size;
  if (!std::isfinite(left) || left > enough) {
    tell_trouble(out, done, obstacle);
  }
  return out;
}

void Krylov::tell_trouble(Solution& of, std::int64_t iterations,
                          const std::string& obstacle) const {
  if (!std::isfinite(of.residual)) {
    of.status = Status::kDiverged;
    of.trouble =
        fmt::format("a Hessian product in {} is not finite (iteration {}); {}",
                    name_, iterations, kGrownTooLarge);
    return;
  }
  of.status = Status::kNotConverged;
  of.trouble = fmt::format(
      "{} {}, residual {:.3g}", name_,
      obstacle.empty()
          ? fmt::format("stopped at its limit of {} iterations ({})",
                        iterations_, kNearer)
          : obstacle,
      of.residual);
}

Tensor Krylov::chosen(const Tensor& a, const Tensor& b, const Tensor& guess,
                      std::int64_t restart, const Tensor& scale,
                      const Choice& choice) const {
  const double enough = tolerance_ * length(b);
  const bool warm = warm_start_ && guess.defined() &&
                    length(b - at::mv(a, guess)) < length(b);
  Tensor x = warm ? guess : at::zeros_like(b);
  for (std::int64_t done = 0; done < iterations_;) {
    const Tensor r = b - at::mv(a, x);
    if (length(r) <= enough) break;
    Tensor start = scale * r, best = at::zeros_like(b);
    Tensor basis = (start / start.norm()).unsqueeze(1);
    const std::int64_t limit = std::min(restart, iterations_ - done);
    for (std::int64_t k = 1;; ++k, ++done) {
      const Tensor coordinates = choice(a, basis, r);
      if (!coordinates.defined()) return x + best;
      best = at::mv(basis, coordinates);
      if (length(r - at::mv(a, best)) <= enough) return x + best;
      if (k == limit) break;
      const Tensor last = basis.select(1, basis.size(1) - 1);
      const Tensor wider = extended(basis, scale * at::mv(a, last));
      if (wider.size(1) == basis.size(1)) return x + best;
      basis = wider;
    }
    ++done;
    x = x + best;
  }
  return x;
}

Tensor Krylov::least_residual(const Tensor& a, const Tensor& basis,
                              const Tensor& r) {
  return std::get<0>(at::linalg_lstsq(at::mm(a, basis), r.unsqueeze(1)))
      .squeeze(1);
}

}  // namespace nestgrad
