#include "hypergrad/inverse_hessian.h"

namespace nestgrad {
namespace {

/// x = scale b: the inverse Hessian replaced by a multiple of the identity, as
/// T1-T2 does (Luketina et al. 2016). No products.
class Identity : public InverseHessian {
 public:
  explicit Identity(const Config& config) : scale_(config.number("scale")) {}

  static Schema schema() {
    return Schema("A multiple of the identity for the inverse Hessian (T1-T2).")
        .number("scale", 1, "What the right-hand side is multiplied by.",
                above(0));
  }

  bool converges() const override { return false; }

  Solution solve(const LinearMap&, const ParameterSet& b,
                 const ParameterSet*) const override {
    Solution out;
    out.x = scale_ * b;
    return out;
  }

 private:
  double scale_;
};

NESTGRAD_REGISTER(InverseHessianRegistry, "identity", Identity)

}  // namespace
}  // namespace nestgrad
