#include <ATen/ATen.h>

#include <cmath>

#include "core/tensor/number.h"
#include "hypergrad/solvers/named_solver.h"

namespace nestgrad {
namespace {

/// x = A^-1 b by Gaussian elimination. A is computed column by column with n
/// products. For small problems, and as a reference for other solvers.
class Dense : public InverseHessian {
 public:
  explicit Dense(const Config& config)
      : InverseHessian(config), limit_(config.integer("limit")) {}

  static Schema schema() {
    return Schema("The Hessian written out; for small models and for checks.")
        .integer("limit", 4096,
                 "Largest number of unknowns; n of them need n products and "
                 "n^2 numbers.",
                 at_least(1));
  }

 private:
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    const std::int64_t n = b.numel();
    require(n <= limit_,
            "the inverse Hessian \"dense\" is limited to {} unknowns, there "
            "are {}; raise its \"limit\" or take another one",
            limit_, n);
    const Tensor flat = b.flatten();
    Tensor matrix = at::empty({n, n}, flat.options());
    Tensor unit = at::zeros_like(flat);
    for (std::int64_t i = 0; i < n; ++i) {
      unit[i] = 1;
      matrix.select(1, i).copy_(a(b.unflatten(unit.clone())).flatten());
      unit[i] = 0;
    }
    // Read together if they are on a device.
    const auto [x, info] = at::linalg_solve_ex(matrix, flat);
    const Number finite(matrix.isfinite().all().to(flat.scalar_type())),
        singular(info.to(flat.scalar_type())),
        residual((at::mv(matrix, x) - flat).norm() / flat.norm());
    Solution out;
    if (finite == 0) {
      out.x = b;
      out.status = Status::kDiverged;
      out.trouble = fmt::format(
          "the Hessian has entries that are not finite; {}", kGrownTooLarge);
      return out;
    }
    out.x = b.unflatten(x);
    if (singular != 0) {
      out.status = Status::kDiverged;
      out.trouble = "the Hessian is singular; \"damping\" helps";
      return out;
    }
    out.residual = residual;
    if (!(out.residual < std::sqrt(machine_epsilon(b)))) {
      out.status = Status::kNotConverged;
      out.trouble = fmt::format(
          "the Hessian is singular but for rounding, residual {:.3g}; "
          "\"damping\" helps",
          out.residual);
    }
    return out;
  }

  std::int64_t limit_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "dense", Dense)

}  // namespace

NamedSolver dense_solver() {
  const std::string name = "dense";
  return {name, InverseHessianRegistry::instance().make(Json{{"type", name}})};
}

}  // namespace nestgrad
