#pragma once

#include <string>
#include <vector>

#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {

/// Appends the key "same": one draw for the whole batch.
Schema with_same_key(Schema schema);

/// The noise of an augmentation, for examples of `axes` axes.
struct Noise {
  Key key;
  std::int64_t axes;
  BatchPart part;
  bool same;  ///< one draw for all examples

  Noise fold(const char* name) const {
    return {key.fold(name), axes, part, same};
  }

  /// One uniform number in [-1, 1) for each example, [examples, 1, ...], the
  /// same for all particles. If it is the same for all examples, [1, 1, ...].
  Tensor symmetric(const Tensor& x) const;

  /// The same numbers as symmetric(), in [0, 1).
  Tensor uniform(const Tensor& x) const;

  /// A factor for each example, uniform in [1 / (1 + s), 1 + s).
  Tensor factor(const Tensor& x, const Tensor& s) const;

  /// Standard normal numbers of the shape of x, the same for all particles. If
  /// they are the same for all examples, of one example.
  Tensor normal(const Tensor& x) const;
};

/// A layer that changes its input at random in training and returns it
/// unchanged otherwise. One number says how strong the change is; losses have
/// no derivative by it. Every example has random numbers of its own, unless the
/// layer is told to draw once for the whole batch, and may have a strength of
/// its own.
///
/// `Change` defines the change, change(x, strength, noise), the name of the
/// strength and its range, and the inputs that are possible.
template <class Change>
class Augmentation : public SameShape {
 public:
  static Schema schema() {
    return with_same_key(Schema(Change::kSummary)
                             .setting(Change::kKey, Change::kDefault,
                                      Change::kMeaning, Change::range()));
  }

  Augmentation(const Config& config, const Shape& input)
      : SameShape(input),
        axes_(static_cast<std::int64_t>(input.size())),
        same_(config.boolean("same")),
        strength_(config, Change::kKey,
                  noise_strength(Change::kMeaning, Change::coordinates())) {
    Change::require(config, input);
  }

  Tensor apply(const Weights&, const Tensor& input,
               const Pass& pass) const override {
    if (!pass.training) return input;
    return Change::change(input, strength_.value(input, pass),
                          Noise{pass.key, axes_, pass.part, same_});
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({strength_});
  }

 private:
  std::int64_t axes_;
  bool same_;
  LayerSetting strength_;
};

/// Base of changes of images only.
struct ImageChange {
  static void require(const Config& config, const Shape& input) {
    require_images(config, input);
  }
};

}  // namespace nestgrad
