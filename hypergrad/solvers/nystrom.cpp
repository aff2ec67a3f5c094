#include <ATen/ATen.h>

#include <cmath>

#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {
namespace {

/// The Nystrom method (Hataya and Yamada 2023, "Nystrom method for accurate and
/// scalable implicit differentiation"):
///
///   x = (C W^+ C' + rho I)^-1 b,   C = A[:, K],   W = A[K, K]
///
/// for k columns K chosen at random. Not a series: it needs k products for any
/// condition number, and it cannot diverge. With all columns and rho -> 0 it
/// approaches A^-1 b for positive semidefinite A. With fewer columns, the part
/// of A that they do not represent is taken for zero, so its inverse is 1 /
/// rho. Needs memory for k vectors.
///
/// Eigenvalues of W that are negative or below sqrt(epsilon) of the largest are
/// dropped, because their square root would divide columns of C that consist of
/// rounding errors.
class Nystrom : public InverseHessian {
 public:
  explicit Nystrom(const Config& config)
      : InverseHessian(config),
        rank_(config.integer("rank")),
        rho_(config.number("rho")) {}

  static Schema schema() {
    return Schema(
               "The Nystrom approximation of the Hessian from some of its "
               "columns.")
        .integer(
            "rank", 10,
            "Number k of columns, each of which takes a Hessian product; at "
            "most the number of weights is used.",
            at_least(1))
        .number(
            "rho", 1e-2,
            "Added to the diagonal of the approximation. The part of b that "
            "the columns do not represent is divided by it.",
            above(0));
  }

  /// The result contains rho, so it does not approach the inverse.
  bool converges() const override { return false; }
  bool random() const override { return true; }

  /// The approximation as a dense matrix [n, n], and Gaussian elimination.
  Tensor formula(const Tensor& a, const Tensor& b, const Tensor&,
                 const Key& key) const override {
    const Tensor eye = at::eye(b.numel(), b.options());
    const Tensor chosen = columns(b.numel(), key).to(b.device());
    const Tensor c = (a - options().damping * eye).index_select(1, chosen);
    const Tensor w = c.index_select(0, chosen);
    const auto [values, vectors] = at::linalg_eigh((w + w.t()) / 2);
    const Tensor keep = values > limit(values);
    const Tensor inverse = at::where(keep, 1 / values, 0.0);
    const Tensor pseudo = at::mm(vectors * inverse, vectors.t());
    const Tensor low_rank = at::mm(c, at::mm(pseudo, c.t()));
    return at::linalg_solve(low_rank + (rho_ + options().damping) * eye, b);
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key& key) const override {
    const Tensor flat = b.flatten(), chosen = columns(flat.numel(), key);
    const double damping = options().damping, rho = rho_ + damping;
    Tensor c = flat.new_empty({flat.numel(), chosen.numel()});
    for (std::int64_t k = 0; k < chosen.numel(); ++k) {
      Tensor unit = at::zeros_like(flat);
      unit[chosen[k].item<std::int64_t>()] = 1;
      // The damping has full rank, so it is added to rho, not approximated.
      const ParameterSet column = a(b.unflatten(unit));
      c.select(1, k).copy_(column.flatten() - damping * unit);
    }
    Solution out;
    out.x = b;
    if (!c.isfinite().all().item<bool>()) {
      out.status = Status::kDiverged;
      out.trouble = fmt::format("a column of the Hessian is not finite; {}",
                                kGrownTooLarge);
      return out;
    }
    const Tensor w = c.index_select(0, chosen.to(c.device()));
    const auto [values, vectors] = at::linalg_eigh((w + w.t()) / 2);
    const Tensor kept = (values > limit(values)).nonzero().squeeze(1);
    out.metrics["rank"] = static_cast<double>(kept.numel());
    out.used["rank"] = kept.numel();

    // C W^+ C' = L L' = Z diag(s^2) Z', Z orthonormal, so that
    //   x = Z Z'b / (s^2 + rho) + (b - Z Z'b) / rho
    const Tensor l = at::mm(
        c, vectors.index_select(1, kept) / values.index_select(0, kept).sqrt());
    const auto [z, s, unused] = at::linalg_svd(l, /*full_matrices=*/false);
    const Tensor seen = at::mv(z.t(), flat);
    Tensor rest = flat - at::mv(z, seen);
    rest = rest - at::mv(z, at::mv(z.t(), rest));  // divided by rho, so twice
    out.x = b.unflatten(at::mv(z, seen / (s.square() + rho)) + rest / rho);
    out.residual = (norm(a(out.x) - b) / norm(b)).item<double>();
    return out;
  }

  /// k different numbers of 0 .. n-1, in any order.
  Tensor columns(std::int64_t n, const Key& key) const {
    return key.fold("nystrom").permutation(n).narrow(0, 0, std::min(rank_, n));
  }

  /// The limit below which eigenvalues are dropped.
  static double limit(const Tensor& values) {
    return std::sqrt(machine_epsilon({{"", values}})) *
           values.abs().max().item<double>();
  }

  std::int64_t rank_;
  double rho_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "nystrom", Nystrom)

}  // namespace
}  // namespace nestgrad
