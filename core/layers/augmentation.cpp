#include <ATen/ATen.h>

#include <cmath>

#include "core/layers/layer_setting.h"
#include "core/layers/shapes.h"

namespace nestgrad {
namespace {

/// A layer that changes inputs at random in training and leaves them alone
/// otherwise. No derivative is taken by how strongly it does so. Every example
/// has its own random numbers and may have its own strength.
class Augmentation : public SameShape {
 public:
  Tensor apply(at::ArrayRef<Tensor>, const Tensor& input,
               const Pass& pass) const final {
    return pass.training ? augment(input, pass) : input;
  }

 protected:
  using SameShape::SameShape;

  virtual Tensor augment(const Tensor& x, const Pass& pass) const = 0;

  /// One uniform number in [-1, 1) for each example, [batch, 1, ...].
  static Tensor symmetric(const Tensor& x, const Key& key) {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(x.dim()), 1);
    sizes[0] = x.size(0);
    return 2 * key.uniform(x.new_empty(sizes)) - 1;
  }
};

/// The same for augmentations with one number.
class Strength : public Augmentation {
 public:
  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> named;
    strength_.declare(named);
    return named;
  }

 protected:
  Strength(const Config& config, const Shape& input, const char* key,
           const char* meaning, Coordinates coordinates)
      : Augmentation(input),
        strength_(config, key, noise_strength(meaning, coordinates)) {}

  LayerSetting strength_;
};

/// y = x + d e, e standard normal.
class Noise : public Strength {
 public:
  static Schema schema() {
    return Schema("Adds normal noise in training.")
        .setting("deviation", 0.1, kMeaning, at_least(0));
  }
  Noise(const Config& config, const Shape& input)
      : Strength(config, input, "deviation", kMeaning,
                 Coordinates::softplus()) {}

 private:
  static constexpr const char* kMeaning = "Standard deviation of the noise.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    return x + strength_.value(x, pass) * pass.key.normal(x);
  }
};

/// y = x f, with f uniform in [1 / (1 + s), 1 + s).
class RandomScale : public Strength {
 public:
  static Schema schema() {
    return Schema("Multiplies each example by a random factor in training.")
        .setting("strength", 0.1, kMeaning, at_least(0));
  }
  RandomScale(const Config& config, const Shape& input)
      : Strength(config, input, "strength", kMeaning,
                 Coordinates::logit(0, 0.3)) {}

 private:
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 / (1 + s) to 1 + s.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    const Tensor s = strength_.value(x, pass);
    const Tensor u = 0.5 * (symmetric(x, pass.key) + 1);
    return x * (1 / (1 + s) * (1 - u) + (1 + s) * u);
  }
};

/// y = x f, with f uniform in [1 - s, 1 + s).
class Brightness : public Strength {
 public:
  static Schema schema() {
    return Schema(
               "Makes each image brighter or darker in training. For pixels "
               "from 0 to 1.")
        .setting("strength", 0.2, kMeaning, from_to(0, 1));
  }
  Brightness(const Config& config, const Shape& input)
      : Strength(config, input, "strength", kMeaning, Coordinates::logit()) {
    require_images(config, input);
  }

 private:
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 - s to 1 + s.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    return x * (1 + strength_.value(x, pass) * symmetric(x, pass.key));
  }
};

/// y = m + f (x - m), with f uniform in [1 - s, 1 + s) and m the mean of the
/// image.
class Contrast : public Strength {
 public:
  static Schema schema() {
    return Schema(
               "Stretches or shrinks the distance of each image from its mean "
               "in training.")
        .setting("strength", 0.2, kMeaning, from_to(0, 1));
  }
  Contrast(const Config& config, const Shape& input)
      : Strength(config, input, "strength", kMeaning, Coordinates::logit()) {
    require_images(config, input);
  }

 private:
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 - s to 1 + s.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    const Tensor mean = x.mean({1, 2, 3}, true);
    const Tensor f = 1 + strength_.value(x, pass) * symmetric(x, pass.key);
    return mean + f * (x - mean);
  }
};

/// [3, 1, 1], how bright red, green and blue look (Rec. 601).
Tensor luma(const Tensor& x) {
  return at::tensor({0.299, 0.587, 0.114}, x.options()).view({3, 1, 1});
}

void require_colours(const Config& config, const Shape& input) {
  if (input.size() != 3 || input[0] != 3) {
    refuse_input(config, "colour images [3, height, width]", input);
  }
}

/// y = g + f (x - g), with f uniform in [1 - s, 1 + s) and g the grey image.
class Saturation : public Strength {
 public:
  static Schema schema() {
    return Schema("Makes colours stronger or weaker in training.")
        .setting("strength", 0.2, kMeaning, from_to(0, 1));
  }
  Saturation(const Config& config, const Shape& input)
      : Strength(config, input, "strength", kMeaning, Coordinates::logit()) {
    require_colours(config, input);
  }

 private:
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 - s to 1 + s.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    const Tensor grey = (x * luma(x)).sum(1, true);
    const Tensor f = 1 + strength_.value(x, pass) * symmetric(x, pass.key);
    return grey + f * (x - grey);
  }
};

/// Turns every colour about the grey axis n = (1, 1, 1) / sqrt(3) by an angle a
/// of 2 pi times a number uniform in [-s, s):
///   y = cos(a) x + sin(a) n x (cross) + (1 - cos(a)) n (n'x)
class Hue : public Strength {
 public:
  static Schema schema() {
    return Schema("Turns colours about the grey axis in training.")
        .setting("strength", 0.1, kMeaning, from_to(0, 0.5));
  }
  Hue(const Config& config, const Shape& input)
      : Strength(config, input, "strength", kMeaning,
                 Coordinates::logit(0, 0.5)) {
    require_colours(config, input);
  }

 private:
  static constexpr const char* kMeaning =
      "s: angles are uniform from -s to s turns.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    const Tensor angle =
        2 * M_PI * strength_.value(x, pass) * symmetric(x, pass.key);
    // n cross x has as component c the next but one minus the next channel.
    const Tensor cross =
        (x.roll({1}, {1}) - x.roll({-1}, {1})) * (1 / std::sqrt(3.0));
    const Tensor along = x.mean(1, true);
    return along + angle.cos() * (x - along) + angle.sin() * cross;
  }
};

/// Moves each image by whole pixels, uniform from -d to d along both sides;
/// what comes in is zero.
class Translation : public Strength {
 public:
  static Schema schema() {
    return Schema("Moves each image in training; what comes in is zero.")
        .setting("distance", 2, kMeaning, at_least(0));
  }
  Translation(const Config& config, const Shape& input)
      : Strength(config, input, "distance", kMeaning,
                 Coordinates::logit(0, 8)) {
    require_images(config, input);
  }

 private:
  static constexpr const char* kMeaning =
      "Largest distance in pixels, rounded down.";
  Tensor augment(const Tensor& x, const Pass& pass) const override {
    return moved(moved(x, 2, pass, "vertical"), 3, pass, "horizontal");
  }

  Tensor moved(const Tensor& x, std::int64_t side, const Pass& pass,
               const char* name) const {
    const Tensor most = strength_.value(x, pass).floor();
    const Tensor u = 0.5 * (symmetric(x, pass.key.fold(name)) + 1);
    const Tensor by = (u * (2 * most + 1)).floor() - most;
    std::vector<std::int64_t> sizes = {1, 1, 1, 1};
    sizes[static_cast<std::size_t>(side)] = x.size(side);
    const Tensor from =
        at::arange(x.size(side), x.options()).view(sizes) - by.to(x.options());
    const Tensor inside = (from >= 0).logical_and(from < x.size(side));
    const Tensor index =
        from.clamp(0, static_cast<double>(x.size(side) - 1)).to(at::kLong);
    return x.gather(side, index.expand_as(x)) * inside.to(x.scalar_type());
  }
};

/// Sets squares of each image to zero (DeVries and Taylor 2017, "Improved
/// regularization of convolutional neural networks with cutout"). Centres are
/// uniform over the pixels, so squares may stick out.
class Cutout : public Augmentation {
 public:
  static Schema schema() {
    return Schema("Sets squares of each image to zero in training.")
        .setting("holes", 1, kHoles, at_least(0))
        .setting("length", 4, kLength, at_least(0));
  }

  Cutout(const Config& config, const Shape& input)
      : Augmentation(input),
        holes_(config, "holes",
               noise_strength(kHoles, Coordinates::logit(0, 4))),
        length_(config, "length",
                noise_strength(kLength, Coordinates::logit(0, 24))) {
    require_images(config, input);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> named;
    holes_.declare(named);
    length_.declare(named);
    return named;
  }

 private:
  static constexpr const char* kHoles = "Number of squares, rounded down.";
  static constexpr const char* kLength =
      "Side of the squares in pixels, rounded down.";

  Tensor augment(const Tensor& x, const Pass& pass) const override {
    const Tensor holes = holes_.value(x, pass).floor();
    const Tensor length = length_.value(x, pass).floor();
    const auto most = holes.max().item<double>();
    Tensor kept = at::ones_like(x.narrow(1, 0, 1));
    for (int i = 0; i < most; ++i) {
      const Key key = pass.key.fold(static_cast<std::uint64_t>(i));
      const Tensor hole = covered(x, 2, length, key.fold("row")) *
                          covered(x, 3, length, key.fold("column"));
      kept = kept * (1 - hole * (holes > i).to(x.scalar_type()));
    }
    return x * kept;
  }

  /// 1 where a pixel is within a stretch of `length` around a random centre.
  static Tensor covered(const Tensor& x, std::int64_t side,
                        const Tensor& length, const Key& key) {
    std::vector<std::int64_t> sizes = {1, 1, 1, 1};
    sizes[static_cast<std::size_t>(side)] = x.size(side);
    const auto pixels = static_cast<double>(x.size(side));
    const Tensor centre = (0.5 * (symmetric(x, key) + 1) * pixels).floor();
    const Tensor first = centre - (0.5 * length).floor();
    const Tensor at = at::arange(x.size(side), x.options()).view(sizes);
    return (at >= first).logical_and(at < first + length).to(x.scalar_type());
  }

  LayerSetting holes_, length_;
};

NESTGRAD_REGISTER(LayerRegistry, "noise", Noise)
NESTGRAD_REGISTER(LayerRegistry, "random_scale", RandomScale)
NESTGRAD_REGISTER(LayerRegistry, "brightness", Brightness)
NESTGRAD_REGISTER(LayerRegistry, "contrast", Contrast)
NESTGRAD_REGISTER(LayerRegistry, "saturation", Saturation)
NESTGRAD_REGISTER(LayerRegistry, "hue", Hue)
NESTGRAD_REGISTER(LayerRegistry, "translation", Translation)
NESTGRAD_REGISTER(LayerRegistry, "cutout", Cutout)

}  // namespace
}  // namespace nestgrad
