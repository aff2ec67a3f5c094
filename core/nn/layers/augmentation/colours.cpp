#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/augmentation/augmentation.h"
#include "core/nn/layers/constant.h"

// Augmentations that change the numbers of pixels and leave them where they
// are.

namespace nestgrad {
namespace {

/// y = x + d e, e standard normal.
struct NoiseChange {
  static constexpr const char* kSummary = "Adds normal noise in training.";
  static constexpr const char* kKey = "deviation";
  static constexpr const char* kMeaning = "Standard deviation of the noise.";
  static constexpr double kDefault = 0.1;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::softplus(); }
  static void require(const Config&, const Shape&) {}

  static Tensor change(const Tensor& x, const Tensor& d, const Noise& noise) {
    return x + d * noise.normal(x);
  }
};

/// y = x f, with f uniform in [1 / (1 + s), 1 + s).
struct RandomScaleChange {
  static constexpr const char* kSummary =
      "Multiplies each example by a random factor in training.";
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 / (1 + s) to 1 + s.";
  static constexpr double kDefault = 0.1;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::logit(0, 0.3); }
  static void require(const Config&, const Shape&) {}

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    return x * noise.factor(x, s);
  }
};

/// y = x + s u, with u uniform in [-1, 1).
struct RandomShiftChange {
  static constexpr const char* kSummary =
      "Adds a random number to each example in training, the same to all of "
      "its pixels.";
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: the numbers are uniform from -s to s.";
  static constexpr double kDefault = 0.5;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::softplus(); }
  static void require(const Config&, const Shape&) {}

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    return x + s * noise.symmetric(x);
  }
};

/// What brightness, contrast and saturation have in common: a factor f uniform
/// in [1 - s, 1 + s) for each image.
struct FactorChange : ImageChange {
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 - s to 1 + s.";
  static constexpr double kDefault = 0.2;
  static Range range() { return from_to(0, 1); }
  static Coordinates coordinates() { return Coordinates::logit(); }

  static Tensor factor(const Tensor& x, const Tensor& s, const Noise& noise) {
    return 1 + s * noise.symmetric(x);
  }
};

/// y = f x.
struct BrightnessChange : FactorChange {
  static constexpr const char* kSummary =
      "Makes each image brighter or darker in training. For pixels from 0 to "
      "1.";

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    return factor(x, s, noise) * x;
  }
};

/// y = m + f (x - m), m the mean of the image.
struct ContrastChange : FactorChange {
  static constexpr const char* kSummary =
      "Stretches or shrinks the distance of each image from its mean in "
      "training.";

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    const Tensor mean = x.mean({-3, -2, -1}, true);
    return mean + factor(x, s, noise) * (x - mean);
  }
};

void require_colours(const Config& config, const Shape& input) {
  if (input.size() != 3 || input[0] != 3) {
    refuse_input(config, "colour images [3, height, width]", input);
  }
}

/// y = g + f (x - g), g the grey image: how bright red, green and blue look
/// together (Rec. 601).
struct SaturationChange : FactorChange {
  static constexpr const char* kSummary =
      "Makes colours stronger or weaker in training.";
  static void require(const Config& config, const Shape& input) {
    require_colours(config, input);
  }

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    static const Constant rec601(
        at::tensor({0.299, 0.587, 0.114}, at::kDouble).view({3, 1, 1}));
    const Tensor grey = (x * rec601.like(x)).sum(-3, true);
    return grey + factor(x, s, noise) * (x - grey);
  }
};

/// Turns every colour about the grey axis n = (1, 1, 1) / sqrt(3) by an angle a
/// of 2 pi times a number uniform in [-s, s):
///   y = cos(a) x + sin(a) n x (cross) + (1 - cos(a)) n (n'x)
struct HueChange {
  static constexpr const char* kSummary =
      "Turns colours about the grey axis in training.";
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: angles are uniform from -s to s turns.";
  static constexpr double kDefault = 0.1;
  static Range range() { return from_to(0, 0.5); }
  static Coordinates coordinates() { return Coordinates::logit(0, 0.5); }
  static void require(const Config& config, const Shape& input) {
    require_colours(config, input);
  }

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    const Tensor angle = 2 * M_PI * s * noise.symmetric(x);
    // Component c of n cross x: the channel before it minus the one after it.
    const Tensor cross =
        (x.roll({1}, {-3}) - x.roll({-1}, {-3})) * (1 / std::sqrt(3.0));
    const Tensor along = x.mean(-3, true);
    return along + angle.cos() * (x - along) + angle.sin() * cross;
  }
};

using NoiseLayer = Augmentation<NoiseChange>;
using RandomScale = Augmentation<RandomScaleChange>;
using RandomShift = Augmentation<RandomShiftChange>;
using Brightness = Augmentation<BrightnessChange>;
using Contrast = Augmentation<ContrastChange>;
using Saturation = Augmentation<SaturationChange>;
using Hue = Augmentation<HueChange>;

NESTGRAD_REGISTER(LayerRegistry, "noise", NoiseLayer)
NESTGRAD_REGISTER(LayerRegistry, "random_scale", RandomScale)
NESTGRAD_REGISTER(LayerRegistry, "random_shift", RandomShift)
NESTGRAD_REGISTER(LayerRegistry, "brightness", Brightness)
NESTGRAD_REGISTER(LayerRegistry, "contrast", Contrast)
NESTGRAD_REGISTER(LayerRegistry, "saturation", Saturation)
NESTGRAD_REGISTER(LayerRegistry, "hue", Hue)

}  // namespace
}  // namespace nestgrad
