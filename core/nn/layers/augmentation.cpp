#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/constant.h"
#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// The noise of an augmentation, for examples of `axes` axes.
struct Noise {
  Key key;
  std::int64_t axes;
  BatchPart part;

  Noise fold(const char* name) const { return {key.fold(name), axes, part}; }

  /// One uniform number in [-1, 1) for each example, [examples, 1, ...], the
  /// same for all particles.
  Tensor symmetric(const Tensor& x) const {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(axes) + 1, 1);
    sizes[0] = x.size(-axes - 1);
    return 2 * key.uniform(x.new_empty(sizes), part.first_number(sizes[0])) - 1;
  }

  /// Standard normal numbers of the shape of x, the same for all particles.
  Tensor normal(const Tensor& x) const {
    const Tensor one = x.dim() > axes + 1 ? x.select(0, 0) : x;
    return key.normal(one, part.first_number(one.numel()));
  }
};

/// 0, 1, ... along an axis of images, -2 or -1.
Tensor along(std::int64_t side, const Tensor& x) {
  const Tensor numbers = at::arange(x.size(side), x.options());
  return side == -1 ? numbers : numbers.unsqueeze(1);
}

/// A layer that changes its input at random in training and returns it
/// unchanged otherwise. One number says how strong the change is; losses have
/// no derivative by it. Every example has random numbers of its own and may
/// have a strength of its own.
///
/// `Change` defines the change, change(x, strength, noise), the name of the
/// strength and its range, and the inputs that are possible.
template <class Change>
class Augmentation : public SameShape {
 public:
  static Schema schema() {
    return Schema(Change::kSummary)
        .setting(Change::kKey, Change::kDefault, Change::kMeaning,
                 Change::range());
  }

  Augmentation(const Config& config, const Shape& input)
      : SameShape(input),
        axes_(static_cast<std::int64_t>(input.size())),
        strength_(config, Change::kKey,
                  noise_strength(Change::kMeaning, Change::coordinates())) {
    Change::require(config, input);
  }

  Tensor apply(const Weights&, const Tensor& input,
               const Pass& pass) const override {
    if (!pass.training) return input;
    return Change::change(input, strength_.value(input, pass),
                          Noise{pass.key, axes_, pass.part});
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({strength_});
  }

 private:
  std::int64_t axes_;
  LayerSetting strength_;
};

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
    const Tensor u = 0.5 * (noise.symmetric(x) + 1);
    return x * (1 / (1 + s) * (1 - u) + (1 + s) * u);
  }
};

/// What brightness, contrast and saturation have in common: a factor f uniform
/// in [1 - s, 1 + s) for each image.
struct FactorChange {
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 - s to 1 + s.";
  static constexpr double kDefault = 0.2;
  static Range range() { return from_to(0, 1); }
  static Coordinates coordinates() { return Coordinates::logit(); }
  static void require(const Config& config, const Shape& input) {
    require_images(config, input);
  }

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

/// Moves each image by whole pixels, uniform from -d to d along both sides;
/// what comes in is zero.
struct TranslationChange {
  static constexpr const char* kSummary =
      "Moves each image in training; what comes in is zero.";
  static constexpr const char* kKey = "distance";
  static constexpr const char* kMeaning =
      "Largest distance in pixels, rounded down.";
  static constexpr double kDefault = 2;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::logit(0, 8); }
  static void require(const Config& config, const Shape& input) {
    require_images(config, input);
  }

  static Tensor change(const Tensor& x, const Tensor& d, const Noise& noise) {
    const Tensor most = d.floor();
    return moved(moved(x, -2, most, noise.fold("vertical")), -1, most,
                 noise.fold("horizontal"));
  }

 private:
  static Tensor moved(const Tensor& x, std::int64_t side, const Tensor& most,
                      const Noise& noise) {
    const Tensor u = 0.5 * (noise.symmetric(x) + 1);
    const Tensor by = (u * (2 * most + 1)).floor() - most;
    const Tensor from = along(side, x) - by;
    const Tensor inside = (from >= 0).logical_and(from < x.size(side));
    const Tensor index =
        from.clamp(0, static_cast<double>(x.size(side) - 1)).to(at::kLong);
    return x.gather(side, index.expand_as(x)) * inside.to(x.scalar_type());
  }
};

/// Sets squares of each image to zero (DeVries and Taylor 2017, "Improved
/// regularization of convolutional neural networks with cutout"). Centres are
/// uniform over the pixels, so squares may stick out.
class Cutout : public SameShape {
 public:
  static Schema schema() {
    return Schema("Sets squares of each image to zero in training.")
        .setting("holes", 1, kHoles, from_to(0, 100))
        .setting("length", 4, kLength, at_least(0));
  }

  Cutout(const Config& config, const Shape& input)
      : SameShape(input),
        holes_(config, "holes",
               noise_strength(kHoles, Coordinates::logit(0, 4))),
        length_(config, "length",
                noise_strength(kLength, Coordinates::logit(0, 24))) {
    require_images(config, input);
  }

  Tensor apply(const Weights&, const Tensor& x,
               const Pass& pass) const override {
    if (!pass.training) return x;
    const Tensor holes = holes_.value(x, pass).floor();
    const Tensor length = length_.value(x, pass).floor();
    const auto most = holes.max().item<double>();
    Tensor kept = at::ones_like(x.narrow(-3, 0, 1));
    for (int i = 0; i < most; ++i) {
      const Noise noise{pass.key.fold(static_cast<std::uint64_t>(i)), 3,
                        pass.part};
      const Tensor hole = covered(x, -2, length, noise.fold("row")) *
                          covered(x, -1, length, noise.fold("column"));
      kept = kept * (1 - hole * (holes > i).to(x.scalar_type()));
    }
    return x * kept;
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return named_by({holes_, length_});
  }

 private:
  static constexpr const char* kHoles = "Number of squares, rounded down.";
  static constexpr const char* kLength =
      "Side of the squares in pixels, rounded down.";

  /// 1 for pixels less than length / 2 away from a random centre, else 0.
  static Tensor covered(const Tensor& x, std::int64_t side,
                        const Tensor& length, const Noise& noise) {
    const auto pixels = static_cast<double>(x.size(side));
    const Tensor centre = (0.5 * (noise.symmetric(x) + 1) * pixels).floor();
    const Tensor first = centre - (0.5 * length).floor();
    const Tensor at = along(side, x);
    return (at >= first).logical_and(at < first + length).to(x.scalar_type());
  }

  LayerSetting holes_, length_;
};

using NoiseLayer = Augmentation<NoiseChange>;
using RandomScale = Augmentation<RandomScaleChange>;
using Brightness = Augmentation<BrightnessChange>;
using Contrast = Augmentation<ContrastChange>;
using Saturation = Augmentation<SaturationChange>;
using Hue = Augmentation<HueChange>;
using Translation = Augmentation<TranslationChange>;

NESTGRAD_REGISTER(LayerRegistry, "noise", NoiseLayer)
NESTGRAD_REGISTER(LayerRegistry, "random_scale", RandomScale)
NESTGRAD_REGISTER(LayerRegistry, "brightness", Brightness)
NESTGRAD_REGISTER(LayerRegistry, "contrast", Contrast)
NESTGRAD_REGISTER(LayerRegistry, "saturation", Saturation)
NESTGRAD_REGISTER(LayerRegistry, "hue", Hue)
NESTGRAD_REGISTER(LayerRegistry, "translation", Translation)
NESTGRAD_REGISTER(LayerRegistry, "cutout", Cutout)

}  // namespace
}  // namespace nestgrad
