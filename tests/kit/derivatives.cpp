#include "derivatives.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/tensor/autodiff.h"
#include "core/tensor/key.h"

namespace nestgrad::testing {
namespace {

/// Whether `slope` is d/de f(x + e u) at e = 0: by central differences, of
/// which one of several step sizes must agree, since a large one crosses kinks
/// (ReLU) and a small one loses digits. Says what they are otherwise.
void judge_slope(Findings& findings, double slope, const Scalar& f,
                 const ParameterSet& x, const ParameterSet& u, double error,
                 const std::string& what) {
  std::string met;
  for (const double step : {1e-5, 1e-6, 1e-7}) {
    const double up = f(add(x, step, u).detach()).item<double>();
    const double down = f(add(x, -step, u).detach()).item<double>();
    const double difference = (up - down) / (2 * step);
    if (std::abs(slope - difference) <= error) return;
    met += fmt::format(" {:.8g} (step {:g})", difference, step);
  }
  findings.expect(false, fmt::format("{} is {:.8g}, central differences are{}",
                                     what, slope, met));
}

/// Of length 1, half along `preferred`: random directions are nearly orthogonal
/// to everything where there are many numbers.
ParameterSet direction(const Key& key, const ParameterSet& preferred) {
  const auto unit = [](const ParameterSet& set) {
    const double size = norm(set).item<double>();
    return size > 0 ? (1 / size) * set : set;
  };
  return unit(unit(key.normal(preferred)) + unit(preferred)).detach();
}

}  // namespace

void judge_derivatives(Findings& findings, const std::string& what,
                       const Scalar& f, const ParameterSet& x, bool second,
                       double tolerance, bool has_values) {
  const auto slope = [&](const ParameterSet& at, Tape tape) {
    const ParameterSet leaves = at.leaves();
    return std::pair(leaves, gradient(f(leaves), leaves, tape));
  };
  const ParameterSet g = slope(x, Tape::kOff).second;
  findings.expect(all_finite(g),
                  fmt::format("the gradient of {} is not finite", what));
  const ParameterSet u = direction(Key(21), g);
  if (has_values) {
    judge_slope(findings, dot(g, u).item<double>(), f, x, u,
                tolerance * norm(g).item<double>(),
                fmt::format("the derivative of {}", what));
  }
  if (!second) return;
  const auto [leaves, taped] = slope(x, Tape::kOn);
  if (!on_tape(taped)) return;  // linear
  const ParameterSet hu =
      gradient(dot(taped, u), leaves, Tape::kOff, Graph::kKeep);
  const ParameterSet v = direction(Key(22), hu);
  const ParameterSet hv = gradient(dot(taped, v), leaves);
  const double product = dot(v, hu).item<double>();
  const double scale = norm(hu).item<double>();
  const double other = dot(u, hv).item<double>();
  findings.expect(!has_values || std::abs(other - product) <= 1e-8 * scale,
                  fmt::format("the Hessian of {} is not symmetric: u'Hv is "
                              "{:.8g}, v'Hu {:.8g}",
                              what, other, product));
  const Scalar gradient_along = [&](const ParameterSet& at) {
    return dot(slope(at, Tape::kOff).second, u);
  };
  judge_slope(findings, product, gradient_along, x, v, tolerance * scale,
              fmt::format("the second derivative of {}", what));
}

}  // namespace nestgrad::testing
