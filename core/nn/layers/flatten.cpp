#include <ATen/ATen.h>

#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

class Flatten : public Layer {
 public:
  static Schema schema() {
    return Schema("Every example as one vector, whatever shape it has.");
  }

  Flatten(const Config&, const Shape& input)
      : axes_(static_cast<std::int64_t>(input.size())),
        features_(numel(input)) {}

  Shape output_shape() const override { return {features_}; }

  Tensor apply(const Weights&, const Tensor& x, const Pass&) const override {
    // flatten() would keep unusual strides of axes of one, with which products
    // are rounded differently.
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.resize(sizes.size() - static_cast<std::size_t>(axes_));
    sizes.push_back(features_);
    return x.reshape(sizes);
  }

 private:
  std::int64_t axes_, features_;
};

NESTGRAD_REGISTER(LayerRegistry, "flatten", Flatten)

}  // namespace
}  // namespace nestgrad
