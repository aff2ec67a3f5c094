#pragma once

#include <ATen/ATen.h>

#include "experiments/data/data.h"

namespace nestgrad {

/// Inputs [40, 3] and two numbers each that depend on them: quantities, counts
/// or labels of 0 and 1.
class NumbersSource : public DataSource {
 public:
  explicit NumbersSource(const Config& config) : kind_(config.text("kind")) {}

  static Schema schema() {
    return Schema("Numbers to be learned, for tests.")
        .choice("kind", "quantities", "Which.",
                {"quantities", "counts", "labels"});
  }

  Examples load(const Key& key) const override {
    const Tensor x = key.fold("x").normal(at::empty({40, 3}, at::kDouble));
    Tensor t = at::stack({x.sum(1), x.select(1, 0) - 2 * x.select(1, 2)}, 1) +
               0.1 * key.fold("noise").normal(at::empty({40, 2}, at::kDouble));
    if (kind_ == "counts") t = t.exp().floor();
    if (kind_ == "labels") t = t.gt(0).to(at::kDouble);
    return {{x, t, 0, {"sum", "difference"}}, {}};
  }

 private:
  std::string kind_;
};

inline const bool has_numbers_source =
    DataRegistry::instance().add<NumbersSource>("numbers_for_tests");

}  // namespace nestgrad
