#include "hypergrad/solvers/inverse_hessian.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/tensor/number.h"

namespace nestgrad {

double machine_epsilon(const ParameterSet& set) {
  return set.tensors().front().scalar_type() == at::kDouble
             ? std::numeric_limits<double>::epsilon()
             : std::numeric_limits<float>::epsilon();
}

Schema InverseHessian::common_schema() {
  return Schema("The matrix that is inverted.")
      .number("damping", 0, "Added to the diagonal of the Hessian.",
              at_least(0))
      .choice("hessian", "exact",
              "The Hessian of the training loss (exact), or the Gauss-Newton "
              "matrix, which has no negative curvature.",
              {"exact", "gauss_newton"})
      .choice("products", "exact",
              "Hessian products by differentiating twice (exact), or by "
              "central differences of gradients, for models without a second "
              "derivative.",
              {"exact", "finite_difference"});
}

InverseHessian::InverseHessian(const Config& config)
    : options_{config.number("damping"),
               config.text("hessian") == "gauss_newton",
               config.text("products") == "finite_difference"} {}

Solution InverseHessian::solve(const LinearMap& a, ParameterSet b,
                               const ParameterSet* guess,
                               const Key& key) const {
  // v'v and v'A v of each product.
  std::vector<std::pair<Number, Number>> seen;
  const LinearMap watched = [&](const ParameterSet& v) {
    ParameterSet product = a(v);
    if (options_.damping > 0) product = add(product, options_.damping, v);
    seen.emplace_back(dot(v, v), dot(v, product));
    return product;
  };
  const Number size(dot(b, b));
  const auto of_zeros = [](ParameterSet zeros) {
    Solution out;
    out.x = std::move(zeros);
    out.residual = 0;
    return out;
  };
  // On another device it is seen afterwards, with all other numbers.
  if (!size.waiting().defined() && size == 0) return of_zeros(std::move(b));
  Solution out = approximate(watched, std::move(b), guess, key);
  if (size == 0) return of_zeros(out.x.zeros());
  out.products = static_cast<std::int64_t>(seen.size());
  double smallest = INFINITY, largest = -INFINITY;
  for (const auto& [vv, along] : seen) {
    if (!(vv > 0)) continue;
    smallest = std::min(smallest, along / vv);
    largest = std::max(largest, along / vv);
  }
  if (smallest <= largest) {
    out.metrics["smallest_curvature"] = smallest;
    out.metrics["largest_curvature"] = largest;
    if (smallest > 0) out.metrics["condition_at_least"] = largest / smallest;
  }
  return out;
}

Tensor InverseHessian::formula(const Tensor& a, const Tensor& b, const Tensor&,
                               const Key&) const {
  return at::linalg_solve(a, b);
}

double formula_error(const InverseHessian& solver) {
  constexpr std::int64_t kSize = 12;
  const auto float64 = at::TensorOptions().dtype(at::kDouble);
  const Key key = Key().fold("formula_error");
  const Tensor q = std::get<0>(
      at::linalg_qr(key.fold("a").normal(at::empty({kSize, kSize}, float64))));
  const Tensor a = at::mm(q * at::logspace(-2, 0, kSize, 10, float64), q.t());
  const Tensor b = key.fold("b").normal(at::empty({kSize}, float64));
  const Tensor x =
      solver
          .solve(
              [&](const ParameterSet& v) {
                return v.map([&](const Tensor& t) { return at::mv(a, t); });
              },
              {{"x", b}}, nullptr, key)
          .x.flatten();
  const Tensor expected = solver.formula(
      a + solver.options().damping * at::eye(kSize, float64), b, Tensor(), key);
  return ((x - expected).norm() / expected.norm()).item<double>();
}

}  // namespace nestgrad
