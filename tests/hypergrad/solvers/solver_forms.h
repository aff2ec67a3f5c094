#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hypergrad/solvers/inverse_hessian.h"
#include "tests/support/support.h"

// Every registered solver in all its forms, and spectra to judge them by.

namespace nestgrad {

inline const InverseHessianRegistry& solvers() {
  return InverseHessianRegistry::instance();
}

/// Whether solvers leave their loops when they are done. On other devices than
/// the CPU they go on, since they do not look.
inline bool looks_at(const ParameterSet& b) {
  return b.tensors().front().is_cpu();
}

/// The same solver with enough products for the systems below.
inline Json thorough(const std::string& name) {
  if (name == "neumann") return {{"type", name}, {"terms", 3000}};
  if (solvers().schema(name).keys().front().name == "iterations") {
    return {{"type", name}, {"iterations", 40}};
  }
  return {{"type", name}};
}

/// Other forms of it, stopped early among them.
inline std::vector<Json> variants(const std::string& name) {
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
  if (solvers().schema(name).keys().front().name == "iterations") {
    with({{"iterations", 3}});
    with({{"iterations", 3}, {"warm_start", true}});
    with({{"tolerance", 1e-2}, {"warm_start", true}});
  }
  return out;
}

inline std::unique_ptr<InverseHessian> make(const Json& json) {
  return solvers().make(json);
}

/// f(solver, json) for every registered solver in all its forms.
inline void for_every_form(
    const std::function<void(const InverseHessian&, const Json&)>& f) {
  for (const std::string& name : solvers().names()) {
    std::vector<Json> forms = variants(name);
    forms.push_back(thorough(name));
    for (const Json& json : forms) {
      CAPTURE(json.dump());
      f(*make(json), json);
    }
  }
}

/// Eigenvalues from `low` to `high`, evenly on the logarithmic scale.
inline std::vector<double> spread_out(double low, double high, int n) {
  std::vector<double> out;
  for (int i = 0; i < n; ++i) {
    out.push_back(low * std::pow(high / low, i / (n - 1.0)));
  }
  return out;
}

inline const std::vector<double> kSpread{0.05, 0.2, 0.4, 0.5, 1,
                                         1.5,  2,   3,   4,   5};
inline const std::vector<double> kIndefinite{-3, -1, -0.4, 0.3, 0.5, 1, 2, 4};

}  // namespace nestgrad
