#include <ATen/ATen.h>

#include "experiments/problems/coresets/coreset.h"

namespace nestgrad {
namespace {

class Noise : public Coreset {
 public:
  static Schema schema() {
    return Schema("Normal noise.")
        .number("deviation", 0.1,
                "Its standard deviation, in the units of the prepared inputs.",
                at_least(0))
        .boolean("unit_norm", false,
                 "Whether each example is scaled to the length 1 in place of a "
                 "deviation (RaT-BPTT).");
  }
  explicit Noise(const Config& config)
      : deviation_(config.number("deviation")),
        unit_norm_(config.boolean("unit_norm")) {}

  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key& key) const override {
    const Tensor& real = data.train.inputs;
    std::vector<std::int64_t> sizes = real.sizes().vec();
    sizes[0] = examples;
    const Tensor classes = classes_in_turn(examples, data.train.classes);
    const Tensor noise = key.normal(real.new_empty(sizes));
    const Tensor flat = noise.flatten(1);
    const Tensor scaled = unit_norm_ ? flat / flat.norm(2, 1, /*keepdim=*/true)
                                     : deviation_ * flat;
    return {scaled.view(sizes),
            at::one_hot(classes, data.train.classes).to(real.options())};
  }

 private:
  double deviation_;
  bool unit_norm_;
};

NESTGRAD_REGISTER(CoresetRegistry, "noise", Noise)

}  // namespace
}  // namespace nestgrad
