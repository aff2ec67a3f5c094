#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// A function of each number by itself. `Function` has a kMeaning and an
/// apply().
template <class Function>
class Activation : public SameShape {
 public:
  static Schema schema() { return Schema(Function::kMeaning); }

  Activation(const Config&, const Shape& input) : SameShape(input) {}

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const override {
    return Function::apply(x);
  }
};

struct ReluFunction {
  static constexpr const char* kMeaning = "max(x, 0).";
  static Tensor apply(const Tensor& x) { return at::relu(x); }
};

struct TanhFunction {
  static constexpr const char* kMeaning = "The hyperbolic tangent.";
  static Tensor apply(const Tensor& x) { return at::tanh(x); }
};

struct GeluFunction {
  static constexpr const char* kMeaning =
      "x Phi(x), with the normal distribution function Phi.";
  static Tensor apply(const Tensor& x) { return at::gelu(x); }
};

struct SigmoidFunction {
  static constexpr const char* kMeaning = "1 / (1 + exp(-x)).";
  static Tensor apply(const Tensor& x) { return at::sigmoid(x); }
};

struct SoftplusFunction {
  static constexpr const char* kMeaning = "log(1 + exp(x)), a smooth relu.";
  static Tensor apply(const Tensor& x) { return at::softplus(x); }
};

struct SiluFunction {
  static constexpr const char* kMeaning =
      "x / (1 + exp(-x)), also called swish.";
  // LibTorch's silu has other derivatives on a tape than off it.
  static Tensor apply(const Tensor& x) { return x * at::sigmoid(x); }
};

using Relu = Activation<ReluFunction>;
using Tanh = Activation<TanhFunction>;
using Gelu = Activation<GeluFunction>;
using Sigmoid = Activation<SigmoidFunction>;
using Softplus = Activation<SoftplusFunction>;
using Silu = Activation<SiluFunction>;

NESTGRAD_REGISTER(LayerRegistry, "relu", Relu)
NESTGRAD_REGISTER(LayerRegistry, "tanh", Tanh)
NESTGRAD_REGISTER(LayerRegistry, "gelu", Gelu)
NESTGRAD_REGISTER(LayerRegistry, "sigmoid", Sigmoid)
NESTGRAD_REGISTER(LayerRegistry, "softplus", Softplus)
NESTGRAD_REGISTER(LayerRegistry, "silu", Silu)

}  // namespace
}  // namespace nestgrad
