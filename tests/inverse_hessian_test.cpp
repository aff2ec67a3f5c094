#include "hypergrad/inverse_hessian.h"

#include <functional>

#include "core/key.h"
#include "tests/support.h"

namespace nestgrad {
namespace {

/// The same solver with enough products for the systems below.
Json thorough(const std::string& name) {
  if (name == "neumann") return {{"type", name}, {"terms", 3000}};
  if (name == "conjugate_gradient") return {{"type", name}, {"iterations", 40}};
  return {{"type", name}};
}

std::unique_ptr<InverseHessian> make(const Json& json) {
  return InverseHessianRegistry::instance().make(json);
}

struct System {
  Tensor a;
  ParameterSet b;
  mutable std::int64_t calls = 0;

  LinearMap map() const {
    return [this](const ParameterSet& v) {
      ++calls;
      return v.unflatten(at::mv(a, v.flatten()));
    };
  }
  ParameterSet exact() const {
    return b.unflatten(at::linalg_solve(a, b.flatten()));
  }
};

/// Symmetric, with these eigenvalues.
System system_with(const std::vector<double>& eigenvalues) {
  const auto n = static_cast<std::int64_t>(eigenvalues.size());
  const Tensor random = Key(3).normal(at::empty({n, n}, float64()));
  const Tensor q = std::get<0>(at::linalg_qr(random));
  const Tensor a = at::mm(q * at::tensor(eigenvalues, float64()), q.t());
  const Tensor b = Key(4).normal(at::empty({n}, float64()));
  // Two tensors, so that a set is more than a vector.
  if (n == 1) return {a, {{"w", b}}};
  return {(a + a.t()) / 2,
          {{"u", b.narrow(0, 0, 1)}, {"w", b.narrow(0, 1, n - 1)}}};
}

/// What a solver that approaches the inverse gets wrong; nothing, if it is
/// right. The systems include those on which published solvers fail: one
/// unknown, multiples of the identity, and a right-hand side of zeros.
std::vector<std::string> faults(const InverseHessian& solver) {
  std::vector<std::string> found;
  const auto judge = [&](const std::string& name, const System& system) {
    const Solution got = solver.solve(system.map(), system.b);
    const double error = relative_error(got.x, system.exact());
    if (!(error < 1e-8)) {
      found.push_back(fmt::format("{}: relative error {:.2g}", name, error));
    }
    if (got.status != Status::kOk) found.push_back(name + ": " + got.trouble);
    if (got.products != system.calls) {
      found.push_back(fmt::format("{}: {} products reported, {} made", name,
                                  got.products, system.calls));
    }
    const ParameterSet left =
        system.b - system.b.unflatten(at::mv(system.a, got.x.flatten()));
    const double residual =
        norm(left).item<double>() / norm(system.b).item<double>();
    if (!(std::abs(residual - got.residual) < 1e-8)) {
      found.push_back(fmt::format("{}: residual {:.2g} reported, is {:.2g}",
                                  name, got.residual, residual));
    }
  };
  judge("one unknown", system_with({2.5}));
  judge("a multiple of the identity", system_with({0.7, 0.7, 0.7, 0.7}));
  judge("two clusters", system_with({0.5, 0.5, 2, 2, 2}));
  judge("a spread-out spectrum",
        system_with({0.05, 0.2, 0.4, 0.5, 1, 1.5, 2, 3, 4, 5}));

  System zero = system_with({1, 2, 3});
  zero.b = zero.b.zeros();
  const Solution none = solver.solve(zero.map(), zero.b);
  if (!(norm(none.x).item<double>() == 0) || none.status != Status::kOk) {
    found.push_back("zeros on the right do not give zeros");
  }
  return found;
}

/// Conjugate gradients with one of the faults that published code has.
class FaultyConjugateGradient : public InverseHessian {
 public:
  enum class Fault {
    kNone,
    kOldResidual,       // direction built from the residual before the step
    kResidualUnscaled,  // step scaled by alpha, the residual not
    kLastDropped,       // returns before the step that converges is taken
    kNoneForScalars     // as many iterations as unknowns, minus one
  };
  explicit FaultyConjugateGradient(Fault fault) : fault_(fault) {}

 private:
  Solution approximate(const LinearMap& a, const ParameterSet& b,
                       const ParameterSet*, const Key&) const override {
    Solution out;
    out.x = b.zeros();
    ParameterSet r = b, p = b;
    double rr = dot(r, r).item<double>();
    const double bb = rr;
    const std::int64_t iterations =
        fault_ == Fault::kNoneForScalars
            ? std::min<std::int64_t>(40, b.numel() - 1)
            : 40;
    for (std::int64_t k = 0; k < iterations && rr > 1e-20 * bb; ++k) {
      const ParameterSet q = a(p);
      const double alpha = rr / dot(p, q).item<double>();
      const ParameterSet before = r;
      r = add(r, fault_ == Fault::kResidualUnscaled ? -1 : -alpha, q);
      const double next = dot(r, r).item<double>();
      if (fault_ == Fault::kLastDropped && next <= 1e-20 * bb) {
        rr = next;
        break;
      }
      out.x = add(out.x, alpha, p);
      p = add(fault_ == Fault::kOldResidual ? before : r, next / rr, p);
      rr = next;
    }
    out.residual = std::sqrt(rr / bb);
    return out;
  }

  Fault fault_;
};

}  // namespace

TEST_CASE("every registered inverse Hessian that converges solves systems",
          "[inverse_hessian]") {
  for (const std::string& name : InverseHessianRegistry::instance().names()) {
    CAPTURE(name);
    const auto solver = make(thorough(name));
    if (!solver->converges()) continue;
    const std::vector<std::string> found = faults(*solver);
    CAPTURE(found);
    CHECK(found.empty());
  }
}

TEST_CASE("the faults of published conjugate gradients are caught",
          "[inverse_hessian]") {
  using Fault = FaultyConjugateGradient::Fault;
  CHECK(faults(FaultyConjugateGradient(Fault::kNone)).empty());
  for (const Fault fault : {Fault::kOldResidual, Fault::kResidualUnscaled,
                            Fault::kLastDropped, Fault::kNoneForScalars}) {
    CAPTURE(static_cast<int>(fault));
    CHECK_FALSE(faults(FaultyConjugateGradient(fault)).empty());
  }
}

TEST_CASE("a Neumann series is its formula, K products and K + 1 summands",
          "[inverse_hessian]") {
  const System system = system_with({0.3, 1, 2});
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
  const System system = system_with({0.01, 0.1, 0.5, 3, 50});
  const Solution got =
      make({{"type", "neumann"}, {"terms", 50}})->solve(system.map(), system.b);
  CHECK(got.metrics.at("largest_eigenvalue") == Approx(50).epsilon(0.1));
  CHECK(got.metrics.at("scale") < 2.0 / 50);
  CHECK(got.products == 50 + 8);
}

TEST_CASE("a Neumann series with too large a scale says that it grows",
          "[inverse_hessian]") {
  const System system = system_with({0.5, 2});
  const Solution got =
      make({{"type", "neumann"}, {"terms", 50}, {"scale", 1.1}})
          ->solve(system.map(), system.b);
  CHECK(got.status == Status::kNotConverged);
  CHECK(relative_error(got.x, system.exact()) > 10);
}

TEST_CASE("conjugate gradients need at most as many products as unknowns",
          "[inverse_hessian]") {
  const System system = system_with({0.05, 0.2, 1, 3, 5});
  const Solution got =
      make({{"type", "conjugate_gradient"}})->solve(system.map(), system.b);
  CHECK(got.status == Status::kOk);
  CHECK(got.products <= 5);
}

TEST_CASE("conjugate gradients report negative curvature and keep the iterate",
          "[inverse_hessian]") {
  const System system = system_with({-1, 2, 3, 4});
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
  const System system = system_with({0.05, 0.2, 1, 3, 5});
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
  const System system = system_with({0.05, 0.2, 1, 3, 5});
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

TEST_CASE("a product that is not finite is reported, not passed on as a result",
          "[inverse_hessian]") {
  const System system = system_with({1, 2, 3});
  const LinearMap bad = [](const ParameterSet& v) { return std::nan("") * v; };
  for (const std::string& name : InverseHessianRegistry::instance().names()) {
    CAPTURE(name);
    if (!make(thorough(name))->converges()) continue;
    const Solution got = make(thorough(name))->solve(bad, system.b);
    CHECK(got.status == Status::kDiverged);
    CHECK_FALSE(got.trouble.empty());
  }
}

TEST_CASE("the dense inverse refuses systems beyond its limit",
          "[inverse_hessian]") {
  const System system = system_with({1, 2, 3});
  CHECK_THROWS_WITH(
      make({{"type", "dense"}, {"limit", 2}})->solve(system.map(), system.b),
      ContainsSubstring("limited to 2 unknowns, there are 3"));
}

}  // namespace nestgrad
