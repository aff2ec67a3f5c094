#include "inverse_hessian_contract.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

#include "findings.h"
#include "linear_system.h"

namespace nestgrad::testing {
namespace {

void judge_solver(Findings& findings, const InverseHessian& solver,
                  const LinearSystem& system, bool solves) {
  const Solution got = solver.solve(system.map(), system.b, nullptr, Key(11));
  findings.expect(
      got.products == system.calls,
      fmt::format("reports {} products, made {}", got.products, system.calls));
  if (solves) {
    const double error = distance(got.x, system.exact());
    findings.expect(
        error < 1e-8,
        fmt::format("does not solve: relative error {:.2g}", error));
    findings.expect(got.status == Status::kOk, "complains: " + got.trouble);
  }
  if (got.status == Status::kDiverged) return;
  const Tensor formula =
      solver.formula(system.a, system.b.flatten(), Tensor(), Key(11));
  const double error = distance(got.x, system.b.unflatten(formula));
  findings.expect(
      error < 1e-8,
      fmt::format("is not its formula: relative error {:.2g}", error));
  const double residual = system.residual(got.x);
  findings.expect(!solves || std::abs(residual - got.residual) < 1e-8,
                  fmt::format("reports the residual {:.2g}, which is {:.2g}",
                              got.residual, residual));
  const Solution scaled =
      solver.solve(system.map(), -300.0 * system.b, nullptr, Key(11));
  findings.expect(distance(scaled.x, -300.0 * got.x) < 1e-8,
                  "is not in proportion to the right-hand side");
  const ParameterSet near = system.b;
  const Solution guided = solver.solve(system.map(), system.b, &near, Key(11));
  findings.expect(
      solver.starts_at_guess() || equal(guided.x, got.x),
      "depends on the guess, though it says that it does not start there");
  const Solution none =
      solver.solve(system.map(), system.b.zeros(), nullptr, Key(11));
  findings.expect(norm(none.x).item<double>() == 0 && none.products == 0 &&
                      none.status == Status::kOk,
                  "does not answer zeros with zeros");
}

}  // namespace

Faults inverse_hessian_faults(const InverseHessian& solver,
                              bool enough_products) {
  struct Named {
    const char* name;
    std::vector<double> eigenvalues;
  };
  return found("the inverse Hessian", [&](Findings& findings) {
    const bool solves = enough_products && solver.converges();
    for (const auto& [name, eigenvalues] :
         {Named{"for one unknown", {2.5}},
          Named{"for a multiple of the identity", {0.7, 0.7, 0.7, 0.7}},
          Named{"for two clusters", {0.5, 0.5, 2, 2, 2}},
          Named{"for a spread-out spectrum",
                {0.05, 0.2, 0.4, 0.5, 1, 1.5, 2, 3, 4, 5}}}) {
      findings.at(name);
      judge_solver(findings, solver, system_with(eigenvalues), solves);
    }
    findings.at("");
    const LinearSystem system = system_with({1, 2, 3});
    const Solution bad =
        solver.solve([](const ParameterSet& v) { return NAN * v; }, system.b,
                     nullptr, Key(11));
    findings.expect(bad.products == 0 || bad.status == Status::kDiverged,
                    "does not report products that are not finite");
  });
}

Faults inverse_hessian_faults(const Json& section, bool enough_products) {
  return inverse_hessian_faults(
      *InverseHessianRegistry::instance().make(section), enough_products);
}

}  // namespace nestgrad::testing
