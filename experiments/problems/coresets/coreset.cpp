#include "experiments/problems/coresets/coreset.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"

namespace nestgrad {

bool are_probabilities(const Tensor& labels) {
  return (labels >= 0).all().item<bool>() &&
         at::allclose(labels.sum(1), at::ones_like(labels.sum(1)), 1e-3);
}

Tensor classes_in_turn(std::int64_t examples, std::int64_t classes) {
  return at::arange(examples, at::kLong).remainder(classes);
}

SoftExamples CoresetByClass::make(const Splits& data, std::int64_t examples,
                                  const Key& key) const {
  const Dataset& all = data.train;
  const Tensor classes =
      classes_in_turn(examples, all.classes).to(all.targets.device());
  const Tensor x = all.loaded().inputs.flatten(1);
  const Tensor chosen = x.new_empty({examples, x.size(1)});
  for (std::int64_t c = 0; c < std::min(all.classes, examples); ++c) {
    const Tensor places = classes.eq(c).nonzero().squeeze(1);
    const Tensor of_c = all.targets.eq(c).nonzero().squeeze(1);
    require(of_c.size(0) >= places.size(0),
            "{} examples of class {} are needed, but the data have {}",
            places.size(0), c, of_c.size(0));
    chosen.index_copy_(0, places,
                       of_class(x.index_select(0, of_c), places.size(0),
                                key.fold(static_cast<std::uint64_t>(c))));
  }
  std::vector<std::int64_t> sizes = all.inputs.sizes().vec();
  sizes[0] = examples;
  return {chosen.view(sizes),
          at::one_hot(classes, all.classes).to(x.scalar_type())};
}

}  // namespace nestgrad
