#include "hypergrad/solvers/inverse_hessian.h"

namespace nestgrad {
namespace {

/// x = scale b: replaces the inverse Hessian by a multiple of the identity, as
/// T1-T2 does (Luketina et al. 2016). Needs no products.
class Identity : public InverseHessian {
 public:
  explicit Identity(const Config& config)
      : InverseHessian(config), scale_(config.number("scale")) {}

  static Schema schema() {
    return Schema("A multiple of the identity for the inverse Hessian (T1-T2).")
        .number("scale", 1, "What the right-hand side is multiplied by.",
                above(0));
  }

  bool converges() const override { return false; }

  Tensor formula(const Tensor&, const Tensor& b, const Tensor&,
                 const Key&) const override {
    return scale_ * b;
  }

 private:
  Solution approximate(const LinearMap&, ParameterSet b, const ParameterSet*,
                       const Key&) const override {
    Solution out;
    out.x = scale_ * b;
    return out;
  }

  double scale_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "identity", Identity)

}  // namespace
}  // namespace nestgrad
