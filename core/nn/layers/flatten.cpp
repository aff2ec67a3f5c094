#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

class Flatten : public Layer {
 public:
  static Schema schema() {
    return Schema("Every example as one vector, whatever shape it has.");
  }

  Flatten(const Config&, const Shape& input) : features_(numel(input)) {}

  Shape output_shape() const override { return {features_}; }

  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass&) const override {
    return input.reshape({input.size(0), features_});
  }

  Tensor apply_particles(at::ArrayRef<Tensor>, const Tensor& input,
                         const Pass& pass) const override {
    return apply_to_all(input, pass);
  }

 private:
  std::int64_t features_;
};

NESTGRAD_REGISTER(LayerRegistry, "flatten", Flatten)

}  // namespace
}  // namespace nestgrad
