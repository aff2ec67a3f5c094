#include <algorithm>

#include "experiments/setup/protocol.h"
#include "experiments/setup/protocols/augmentations.h"

namespace nestgrad {
namespace {

/// The protocol of most tables (Zhao, Mopuri and Bilen 2021, "Dataset
/// condensation with gradient matching"; with augmentation Zhao and Bilen 2021,
/// "Dataset condensation with differentiable siamese augmentation"): gradient
/// descent with momentum on the cross entropy, for 300 epochs or, with
/// augmentation, 1000, with a tenth of the learning rate in the second half.
/// The papers train 20 networks on each of 5 sets.
class Dc : public Protocol {
 public:
  explicit Dc(const Config& config)
      : augment_(config.boolean("augment")),
        epochs_(config.is_text("epochs")
                    ? (augment_ ? 1000 : 300)
                    : static_cast<std::int64_t>(config.number("epochs"))) {}

  static Schema schema() {
    return Schema(
               "Gradient descent with momentum on the cross entropy, batches "
               "of 256 (dataset condensation: the protocol of most tables).")
        .boolean("augment", false,
                 "Whether images are changed at random in training, as in DSA.")
        .number("epochs", "auto",
                "How often every example is seen; auto: 300, with augmentation "
                "1000.",
                at_least(1), {"auto"});
  }

  Training training(std::int64_t examples, const Shape& shape) const override {
    constexpr std::int64_t kBatch = 256;
    const std::int64_t steps =
        epochs_ * std::max<std::int64_t>(1, (examples + kBatch - 1) / kBatch);
    Json augment = Json::array();
    if (augment_) {
      augment = one_change_of({/*shift=*/0.5, /*contrast=*/0.5,
                               /*saturation=*/1, /*zoom=*/0.2, /*degrees=*/15,
                               /*translation=*/0.125, /*cutout=*/0.5,
                               /*flip=*/true},
                              shape);
    }
    return {{{"type", "sgd"},
             {"lr",
              {{"type", "step"},
               {"initial", 0.01},
               {"factor", 0.1},
               {"every", steps / 2 + 1}}},
             {"momentum", 0.9},
             {"weight_decay", 5e-4}},
            augment,
            "cross_entropy",
            kBatch,
            steps};
  }

 private:
  bool augment_;
  std::int64_t epochs_;
};

NESTGRAD_REGISTER(ProtocolRegistry, "dc", Dc)

}  // namespace
}  // namespace nestgrad
