#include "experiments/problems/sampled/sampled_data.h"

#include <ATen/ATen.h>

namespace nestgrad {

Tensor SampledData::in_source_units(const Tensor& samples) const {
  std::vector<std::int64_t> sizes = {samples.size(0)};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return scaling.undone(samples.view(sizes));
}

Schema SampledData::with_keys(Schema schema) {
  return schema
      .object("data", DataRegistry::instance(), "gaussian_clusters",
              "What the samples imitate: examples, taken as vectors.")
      .integer("shrink", 1,
               "Images are averaged over squares of this many pixels a side.",
               at_least(1));
}

SampledData SampledData::read(const Config& config,
                              const ProblemContext& context) {
  const Splits splits = load_splits(config.object("data"),
                                    context.key.fold("data"), context.options);
  Dataset examples = splits.train.loaded();
  Tensor x = examples.inputs;
  if (!at::isFloatingType(x.scalar_type())) {
    config.fail("data", "must have inputs that are real numbers");
  }
  const std::int64_t side = config.integer("shrink");
  if (side > 1 && splits.scaling.whitens()) {
    config.fail("shrink", "is not for images that \"whiten\" has changed");
  }
  if (side > 1) {
    if (x.dim() != 4 || x.size(2) < side || x.size(3) < side) {
      config.fail("shrink",
                  "is for images with at least this many pixels a side");
    }
    x = at::avg_pool2d(x, {side, side});
  }
  examples.inputs = x.flatten(1);
  return {std::move(examples), x.sizes().slice(1).vec(), splits.scaling};
}

}  // namespace nestgrad
