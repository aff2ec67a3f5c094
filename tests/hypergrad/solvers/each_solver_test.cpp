// What holds for one solver alone; inverse_hessian_test.cpp has the laws of
// all.

#include "core/tensor/key.h"
#include "tests/hypergrad/solvers/solver_forms.h"
#include "tests/kit/linear_system.h"
#include "tests/support/support.h"

namespace nestgrad {

TEST_CASE("nystrom with all columns approaches the inverse as rho falls",
          "[inverse_hessian]") {
  const LinearSystem system = system_with(kSpread);
  double before = 4;  // 0.05 is the smallest eigenvalue
  for (const double rho : {1e-2, 1e-4, 1e-6, 1e-8}) {
    const Solution got =
        make({{"type", "nystrom"}, {"rank", 100}, {"rho", rho}})
            ->solve(system.map(), system.b);
    const double error = relative_error(got.x, system.exact());
    CAPTURE(rho, error);
    CHECK(got.metrics.at("rank") == 10);
    CHECK(error < 0.05 * before);
    CHECK(got.residual == Approx(system.residual(got.x)).margin(1e-12));
    before = error;
  }
  CHECK(before < 1e-6);
  // Half of the directions have no curvature: their inverse is 1 / rho.
  const LinearSystem half = system_with({0, 0, 0, 1, 2, 3});
  const Solution got =
      make({{"type", "nystrom"}, {"rho", 0.1}})->solve(half.map(), half.b);
  LinearSystem damped = half;
  damped.a = damped.a + 0.1 * at::eye(6, float64());
  CHECK(relative_error(got.x, damped.exact()) < 1e-10);
  CHECK(got.metrics.at("rank") == 3);
}

TEST_CASE("nystrom drops negative curvature and reports what is not finite",
          "[inverse_hessian]") {
  const LinearSystem system = system_with(kIndefinite);
  const Solution got =
      make({{"type", "nystrom"}})->solve(system.map(), system.b);
  CHECK(got.metrics.at("rank") == 5);
  // With all columns what is left is A without its negative part.
  const auto [values, vectors] = at::linalg_eigh(system.a);
  const Tensor expected = at::mv(vectors / (values.clamp_min(0) + 1e-2),
                                 at::mv(vectors.t(), system.b.flatten()));
  CHECK(relative_error(got.x.flatten(), expected) < 1e-10);
  const LinearMap bad = [](const ParameterSet& v) { return std::nan("") * v; };
  CHECK(make({{"type", "nystrom"}})->solve(bad, system.b).status ==
        Status::kDiverged);
}

TEST_CASE("the diagonal pays where there is one decay per weight",
          "[inverse_hessian]") {
  // Ridge regression with 300 features of size 0.1 and 50 examples; decays from
  // 1e-4 to 1e2 in any order.
  const std::int64_t n = 300;
  const Tensor x = 0.1 * Key(41).normal(at::empty({50, n}, float64()));
  const Tensor order = Key(42).permutation(n).to(float64());
  const Tensor decay = at::pow(10.0, order / (n - 1) * 6 - 4);
  LinearSystem system;
  system.a = at::mm(x.t(), x) / 50 + at::diag(decay);
  system.b = {{"w", Key(43).normal(at::empty({n}, float64()))}};
  const auto products = [&](const std::string& preconditioner) {
    const Solution got = make({{"type", "conjugate_gradient"},
                               {"iterations", 5000},
                               {"tolerance", 1e-8},
                               {"preconditioner", preconditioner}})
                             ->solve(system.map(), system.b);
    CHECK(got.status == Status::kOk);
    CHECK(system.residual(got.x) < 1e-8);
    return got.products;
  };
  const std::int64_t none = products("none"), diagonal = products("diagonal");
  UNSCOPED_INFO("products: " << none << " and " << diagonal);
  CHECK(5 * diagonal < none);
}

TEST_CASE("a Neumann series is its formula, K products and K + 1 summands",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.3, 1, 2});
  const double alpha = 0.4;
  for (const int terms : {0, 1, 5}) {
    const Solution got =
        make({{"type", "neumann"}, {"terms", terms}, {"scale", alpha}})
            ->solve(system.map(), system.b);
    Tensor sum = at::zeros({3, 3}, float64());
    const Tensor step = at::eye(3, float64()) - alpha * system.a;
    for (int j = 0; j <= terms; ++j) {
      sum = sum + at::linalg_matrix_power(step, j);
    }
    const Tensor expected = alpha * at::mv(sum, system.b.flatten());
    CHECK(relative_error(got.x.flatten(), expected) < 1e-14);
    CHECK(got.products == terms);
  }
}

TEST_CASE("the automatic scale of a Neumann series is below its limit",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.01, 0.1, 0.5, 3, 50});
  const Solution got =
      make({{"type", "neumann"}, {"terms", 50}})->solve(system.map(), system.b);
  CHECK(got.metrics.at("largest_eigenvalue") == Approx(50).epsilon(0.1));
  CHECK(got.metrics.at("scale") < 2.0 / 50);
  CHECK(got.products == 50 + 8);
}

TEST_CASE("a Neumann series with too large a scale says that it grows",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.5, 2});
  const Solution got =
      make({{"type", "neumann"}, {"terms", 50}, {"scale", 1.1}})
          ->solve(system.map(), system.b);
  CHECK(got.status == Status::kNotConverged);
  CHECK(relative_error(got.x, system.exact()) > 10);
}

TEST_CASE("conjugate gradients need at most as many products as unknowns",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.05, 0.2, 1, 3, 5});
  const Solution got =
      make({{"type", "conjugate_gradient"}})->solve(system.map(), system.b);
  CHECK(got.status == Status::kOk);
  if (looks_at(system.b)) CHECK(got.products <= 5);
}

TEST_CASE("conjugate gradients report negative curvature and keep the iterate",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({-1, 2, 3, 4});
  const Solution got =
      make({{"type", "conjugate_gradient"}})->solve(system.map(), system.b);
  CHECK(got.status == Status::kNotConverged);
  CHECK(got.metrics.at("smallest_curvature") < 0);
  CHECK_THAT(got.trouble, ContainsSubstring("negative curvature"));
  CHECK(all_finite(got.x));
  // The iterate before the bad direction, rather than nothing.
  CHECK(norm(got.x).item<double>() > 0);
}

TEST_CASE("conjugate gradients stopped at their limit keep the last iterate",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.05, 0.2, 1, 3, 5});
  const Solution got = make({{"type", "conjugate_gradient"}, {"iterations", 2}})
                           ->solve(system.map(), system.b);
  CHECK(got.status == Status::kNotConverged);
  CHECK(got.products == 2);
  // The best point of span(b, A b), by least squares in the A-norm.
  const Tensor b = system.b.flatten();
  const Tensor basis = at::stack({b, at::mv(system.a, b)}, 1);
  const Tensor gram = at::mm(basis.t(), at::mm(system.a, basis));
  const Tensor best =
      at::mv(basis, at::linalg_solve(gram, at::mv(basis.t(), b)));
  CHECK(relative_error(got.x.flatten(), best) < 1e-10);
}

TEST_CASE("a warm start takes the solution nearby as its first iterate",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({0.05, 0.2, 1, 3, 5});
  const ParameterSet exact = system.exact();
  const Json warm = {{"type", "conjugate_gradient"}, {"warm_start", true}};
  const Solution got = make(warm)->solve(system.map(), system.b, &exact);
  CHECK(got.products == 1);
  CHECK(relative_error(got.x, exact) < 1e-12);
  // A guess that is worse than zeros is dropped.
  const ParameterSet bad = -1e6 * exact;
  const Solution restarted = make(warm)->solve(system.map(), system.b, &bad);
  CHECK(relative_error(restarted.x, exact) < 1e-12);
  CHECK(make({{"type", "conjugate_gradient"},
              {"warm_start", true},
              {"iterations", 1}})
            ->solve(system.map(), system.b, &bad)
            .residual < 1);
  const Json cold = {{"type", "conjugate_gradient"}};
  CHECK(make(cold)->solve(system.map(), system.b, &exact).products > 1);
}

TEST_CASE("the dense inverse refuses systems beyond its limit",
          "[inverse_hessian]") {
  const LinearSystem system = system_with({1, 2, 3});
  CHECK_THROWS_WITH(
      make({{"type", "dense"}, {"limit", 2}})->solve(system.map(), system.b),
      ContainsSubstring("limited to 2 unknowns, there are 3"));
}

}  // namespace nestgrad
