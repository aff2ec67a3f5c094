#include "hypergrad/solvers/inverse_hessian.h"

#include <functional>
#include <set>

#include "core/config/schema.h"
#include "core/tensor/key.h"
#include "tests/kit/contract.h"
#include "tests/kit/linear_system.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

const InverseHessianRegistry& registry() {
  return InverseHessianRegistry::instance();
}

/// The same solver with enough products for the systems below.
Json thorough(const std::string& name) {
  if (name == "neumann") return {{"type", name}, {"terms", 3000}};
  if (registry().schema(name).keys().front().name == "iterations") {
    return {{"type", name}, {"iterations", 40}};
  }
  return {{"type", name}};
}

/// Other forms of it, stopped early among them.
std::vector<Json> variants(const std::string& name) {
  std::vector<Json> out{{{"type", name}}};
  const auto with = [&](Json keys) {
    keys["type"] = name;
    out.push_back(std::move(keys));
  };
  if (name == "neumann") with({{"terms", 3}, {"scale", 0.1}});
  if (name == "identity") with({{"scale", 0.3}});
  if (name == "nystrom") with({{"rank", 3}, {"rho", 0.2}});
  if (name == "minres") with({{"reorthogonalize", false}});
  if (name == "gmres") with({{"iterations", 5}, {"restart", 2}});
  if (name == "conjugate_gradient") {
    with({{"preconditioner", "diagonal"}});
    with({{"preconditioner", "diagonal"}, {"probes", 1}, {"iterations", 3}});
  }
  if (registry().schema(name).keys().front().name == "iterations") {
    with({{"iterations", 3}});
    with({{"iterations", 3}, {"warm_start", true}});
    with({{"tolerance", 1e-2}, {"warm_start", true}});
  }
  return out;
}

std::unique_ptr<InverseHessian> make(const Json& json) {
  return registry().make(json);
}

/// f(solver, json) for every registered solver in all its forms.
void for_every_form(
    const std::function<void(const InverseHessian&, const Json&)>& f) {
  for (const std::string& name : registry().names()) {
    std::vector<Json> forms = variants(name);
    forms.push_back(thorough(name));
    for (const Json& json : forms) {
      CAPTURE(json.dump());
      f(*make(json), json);
    }
  }
}

/// Eigenvalues from `low` to `high`, evenly on the logarithmic scale.
std::vector<double> spread_out(double low, double high, int n) {
  std::vector<double> out;
  for (int i = 0; i < n; ++i) {
    out.push_back(low * std::pow(high / low, i / (n - 1.0)));
  }
  return out;
}

const std::vector<double> kSpread{0.05, 0.2, 0.4, 0.5, 1, 1.5, 2, 3, 4, 5};
const std::vector<double> kIndefinite{-3, -1, -0.4, 0.3, 0.5, 1, 2, 4};

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
    if (!std::isfinite(rr)) out.status = Status::kDiverged;
    return out;
  }

  Fault fault_;
};

}  // namespace

TEST_CASE("every registered inverse Hessian keeps its contract",
          "[inverse_hessian]") {
  for (const std::string& name : registry().names()) {
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
  for (const std::string& name : registry().names()) {
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
    Json own = complete(registry(), json);
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
  for (const std::string& name : registry().names()) {
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
      const Json full = complete(registry(), json);
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
      CHECK(got.products < 50);
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
      CHECK(got.products == 1);
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
  const Tensor order = Key(42).permutation(n).to(at::kDouble);
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
  CHECK(got.products <= 5);
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
