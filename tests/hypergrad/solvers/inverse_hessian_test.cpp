#include "hypergrad/solvers/inverse_hessian.h"

#include <functional>
#include <set>

#include "core/config/schema.h"
#include "core/tensor/key.h"
#include "tests/hypergrad/solvers/solver_forms.h"
#include "tests/kit/contract.h"
#include "tests/kit/linear_system.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

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
  Solution approximate(const LinearMap& a, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
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
    if (!std::isfinite(rr)) out.status = Status::kDiverged;
    return out;
  }

  Fault fault_;
};

}  // namespace

TEST_CASE("every registered inverse Hessian keeps its contract",
          "[inverse_hessian]") {
  for (const std::string& name : solvers().names()) {
    CAPTURE(name);
    CHECK(testing::inverse_hessian_faults(thorough(name)) == testing::Faults{});
  }
  for_every_form([](const InverseHessian& solver, const Json&) {
    CHECK(testing::inverse_hessian_faults(solver, false) == testing::Faults{});
  });
}

TEST_CASE("the faults of published conjugate gradients are caught",
          "[inverse_hessian]") {
  using Fault = FaultyConjugateGradient::Fault;
  const auto faults = [](Fault fault) {
    return testing::inverse_hessian_faults(FaultyConjugateGradient(fault),
                                           /*enough_products=*/true);
  };
  CHECK(faults(Fault::kNone) == testing::Faults{});
  for (const Fault fault : {Fault::kOldResidual, Fault::kResidualUnscaled,
                            Fault::kLastDropped, Fault::kNoneForScalars}) {
    CAPTURE(static_cast<int>(fault));
    CHECK_FALSE(faults(fault).empty());
  }
}

TEST_CASE("every inverse Hessian solves as its formula says",
          "[inverse_hessian]") {
  const std::vector<std::vector<double>> spectra{
      {2.5}, {0.7, 0.7, 0.7, 0.7}, {0.5, 0.5, 2, 2, 2}, kSpread, kIndefinite};
  for_every_form([&](const InverseHessian& solver, const Json&) {
    for (const std::vector<double>& spectrum : spectra) {
      const LinearSystem system = system_with(spectrum);
      const ParameterSet near = add(system.exact(), 0.1, system.b);
      for (const ParameterSet* guess : {&near, (const ParameterSet*)nullptr}) {
        CAPTURE(spectrum, guess != nullptr);
        const Solution got =
            solver.solve(system.map(), system.b, guess, Key(11));
        if (got.status == Status::kDiverged) continue;
        const Tensor expected = solver.formula(
            system.a, system.b.flatten(),
            guess == nullptr ? Tensor() : guess->flatten(), Key(11));
        CHECK(distance(got.x, system.b.unflatten(expected)) < 1e-8);
      }
    }
  });
}

TEST_CASE("every inverse Hessian given enough products is linear",
          "[inverse_hessian]") {
  const LinearSystem system = system_with(kSpread);
  const ParameterSet other = Key(21).normal(system.b);
  for (const std::string& name : solvers().names()) {
    CAPTURE(name);
    const auto solver = make(thorough(name));
    const auto solve = [&](const ParameterSet& b) {
      return solver->solve(system.map(), b).x;
    };
    const ParameterSet together = solve(add(system.b, 2.5, other));
    CHECK(distance(together, add(solve(system.b), 2.5, solve(other))) < 1e-8);
  }
}

TEST_CASE("the inverse of c A is 1/c of that of A unless a key is in its units",
          "[inverse_hessian]") {
  // The scale of the identity and of a series that is told one, and what
  // nystrom adds, are absolute numbers.
  for_every_form([&](const InverseHessian& solver, const Json& json) {
    Json own = complete(solvers(), json);
    if (own.contains("scale") && own["scale"].is_number()) {
      own["scale"] = own["scale"].get<double>() / 1e3;
    }
    if (own.contains("rho")) own["rho"] = own["rho"].get<double>() * 1e3;
    const auto in_its_units = make(own);
    for (const auto& spectrum : {kSpread, kIndefinite}) {
      LinearSystem system = system_with(spectrum);
      const Solution first = solver.solve(system.map(), system.b);
      if (first.status == Status::kDiverged) continue;
      const ParameterSet once = first.x;
      system.a = 1e3 * system.a;
      const ParameterSet scaled = in_its_units->solve(system.map(), system.b).x;
      CHECK(distance(1e3 * scaled, once) < 1e-8);
    }
  });
}

TEST_CASE("the damping of every inverse Hessian is part of the matrix",
          "[inverse_hessian]") {
  LinearSystem damped = system_with(kSpread);
  const LinearSystem system = damped;
  damped.a = damped.a + 0.3 * at::eye(10, float64());
  for (const std::string& name : solvers().names()) {
    CAPTURE(name);
    Json json = thorough(name);
    json["damping"] = 0.3;
    // With all columns nystrom approaches the inverse, too.
    if (name == "nystrom") json["rho"] = 1e-9;
    const auto solver = make(json);
    const Solution got = solver->solve(system.map(), system.b);
    const Tensor expected =
        solver->formula(damped.a, damped.b.flatten(), Tensor(), Key());
    CHECK(relative_error(got.x.flatten(), expected) < 1e-8);
    if (!solver->converges() && name != "nystrom") continue;
    CHECK(relative_error(got.x, damped.exact()) < 1e-7);
    CHECK(damped.residual(got.x) == Approx(got.residual).margin(1e-8));
    CHECK(got.metrics.at("smallest_curvature") > 0.3);
  }
}

TEST_CASE("an indefinite system is solved or said not to be",
          "[inverse_hessian]") {
  const LinearSystem system = system_with(kIndefinite);
  for_every_form([&](const InverseHessian& solver, const Json& json) {
    const Solution got = solver.solve(system.map(), system.b);
    if (got.status == Status::kDiverged) {
      CHECK(json == thorough("neumann"));
      return;
    }
    CHECK(all_finite(got.x));
    const std::string name = json.at("type");
    if (json == thorough(name) &&
        (name == "minres" || name == "gmres" || name == "dense")) {
      CHECK(got.status == Status::kOk);
      CHECK(relative_error(got.x, system.exact()) < 1e-8);
    }
    if (name == "conjugate_gradient" && json == thorough(name)) {
      CHECK(got.status == Status::kNotConverged);
    }
  });
}

TEST_CASE("nobody calls an ill-conditioned or singular system solved wrongly",
          "[inverse_hessian]") {
  for_every_form([&](const InverseHessian& solver, const Json& json) {
    const auto judge = [&](const LinearSystem& system) {
      const Solution got = solver.solve(system.map(), system.b);
      const std::string name = json.at("type");
      if (got.status == Status::kDiverged) {
        CHECK((name == "neumann" || name == "dense"));
        return;
      }
      CHECK(all_finite(got.x));
      const double residual = system.residual(got.x);
      CAPTURE(got.trouble, got.residual, residual);
      const Json full = complete(solvers(), json);
      if (full.contains("tolerance") && got.status == Status::kOk) {
        CHECK(residual <= full.at("tolerance").get<double>());
      }
      // A series reports its sum without the last term.
      if (std::isfinite(got.residual) && json.at("type") != "neumann") {
        CHECK(std::abs(got.residual - residual) <= 1e-3 * residual + 1e-8);
      }
    };
    judge(system_with(spread_out(1e-8, 1, 12)));
    judge(system_with(spread_out(1e-3, 1e5, 12)));
    judge(system_with(spread_out(1e-12, 1, 12)));
    std::vector<double> signs = spread_out(1e-8, 1, 12);
    for (std::size_t i = 0; i < signs.size(); i += 2) signs[i] = -signs[i];
    judge(system_with(signs));
    // A null space that the right-hand side is in, and one that it is not in.
    LinearSystem singular = system_with({0, 0, 1, 2, 3});
    judge(singular);
    const Solution least = solver.solve(singular.map(), singular.b);
    if (json.at("type") == "minres" || json.at("type") == "gmres") {
      CHECK(norm(least.x).item<double>() < 100);
    }
    singular.b = singular.b.unflatten(at::mv(singular.a, singular.b.flatten()));
    judge(singular);
    judge(system_with({0, 0, 0}));
  });
}

TEST_CASE("solvers by residual solve a singular system that has a solution",
          "[inverse_hessian]") {
  LinearSystem system = system_with({0, 0, -1, 1, 2, 3});
  const Tensor smallest =
      at::mv(at::linalg_pinv(system.a, 1e-12), system.b.flatten());
  const Tensor range = at::mv(system.a, smallest);
  system.b = system.b.unflatten(range);
  for (const std::string name : {"minres", "gmres"}) {
    CAPTURE(name);
    const Solution got = make({{"type", name}})->solve(system.map(), system.b);
    CHECK(got.status == Status::kOk);
    // A Krylov space of b has nothing of the null space: the smallest solution.
    CHECK(relative_error(got.x.flatten(), smallest) < 1e-10);
  }
}

TEST_CASE("to ask for more than rounding allows does no harm",
          "[inverse_hessian]") {
  for (const std::string name : {"conjugate_gradient", "minres", "gmres"}) {
    for (const auto& spectrum :
         {std::vector<double>{2.5}, {3, 3, 3}, {0.5, 0.5, 2, 2, 2}, kSpread}) {
      CAPTURE(name, spectrum);
      const LinearSystem system = system_with(spectrum);
      const Solution got =
          make({{"type", name}, {"tolerance", 0}, {"iterations", 100}})
              ->solve(system.map(), system.b);
      CHECK(got.status != Status::kDiverged);
      CHECK(relative_error(got.x, system.exact()) < 1e-13);
      if (looks_at(system.b)) CHECK(got.products < 50);
    }
  }
}

TEST_CASE("one unknown and multiples of the identity take one product",
          "[inverse_hessian]") {
  for (const std::string name : {"conjugate_gradient", "minres", "gmres"}) {
    CAPTURE(name);
    for (const auto& spectrum : {std::vector<double>{-2.5}, {2.5}, {3, 3, 3}}) {
      if (name == "conjugate_gradient" && spectrum[0] < 0) continue;
      const LinearSystem system = system_with(spectrum);
      const Solution got =
          make({{"type", name}})->solve(system.map(), system.b);
      CHECK(got.status == Status::kOk);
      if (looks_at(system.b)) CHECK(got.products == 1);
      CHECK(relative_error(got.x, system.exact()) < 1e-14);
    }
  }
}

TEST_CASE("gmres solves systems that are not symmetric", "[inverse_hessian]") {
  LinearSystem system = system_with(kSpread);
  const auto n = system.a.size(0);
  system.a = system.a + Key(31).normal(at::empty({n, n}, float64()));
  const Json full = {{"type", "gmres"}};
  const Solution got = make(full)->solve(system.map(), system.b);
  CHECK(got.status == Status::kOk);
  CHECK(relative_error(got.x, system.exact()) < 1e-10);
  for (const int restart : {1, 3, 20}) {
    for (const int iterations : {1, 4, 7}) {
      CAPTURE(restart, iterations);
      const auto solver = make({{"type", "gmres"},
                                {"restart", restart},
                                {"iterations", iterations}});
      const Solution early = solver->solve(system.map(), system.b);
      CHECK(relative_error(early.x.flatten(),
                           solver->formula(system.a, system.b.flatten(),
                                           Tensor(), Key())) < 1e-10);
      CHECK(early.residual == Approx(system.residual(early.x)).epsilon(1e-10));
      CHECK(early.status == Status::kNotConverged);
    }
  }
  // A rotation has no curvature at all; a nilpotent matrix has no inverse.
  system.a = at::tensor({0., 1., -1., 0.}, float64()).view({2, 2});
  system.b = {{"w", at::tensor({1., 0.}, float64())}};
  CHECK(relative_error(make(full)->solve(system.map(), system.b).x,
                       system.exact()) < 1e-14);
  system.a = at::tensor({0., 1., 0., 0.}, float64()).view({2, 2});
  const Solution none = make(full)->solve(system.map(), system.b);
  CHECK(none.status == Status::kNotConverged);
  CHECK(none.residual == 1);
  CHECK(all_finite(none.x));
}

TEST_CASE("an inverse Hessian is random if and only if it says so",
          "[inverse_hessian]") {
  const LinearSystem system = system_with(kSpread);
  for_every_form([&](const InverseHessian& solver, const Json& json) {
    // All columns are the same columns whatever the key.
    if (json == Json{{"type", "nystrom"}}) return;
    const auto solve = [&](std::uint64_t key) {
      return solver.solve(system.map(), system.b, nullptr, Key(key)).x;
    };
    CHECK(at::equal(solve(1).flatten(), solve(1).flatten()));
    CHECK(at::equal(solve(1).flatten(), solve(2).flatten()) != solver.random());
  });
}

}  // namespace nestgrad
