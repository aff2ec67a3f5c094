#include <ATen/ATen.h>

#include <cmath>

#include "core/nn/layers/augmentation/augmentation.h"

// Augmentations that move the pixels of images.

namespace nestgrad {
namespace {

/// 0, 1, ... along an axis of images, -2 or -1.
Tensor along(std::int64_t side, const Tensor& x) {
  const Tensor numbers = at::arange(x.size(side), x.options());
  return side == -1 ? numbers : numbers.unsqueeze(1);
}

/// Moves each image by whole pixels, uniform from -d to d along both sides;
/// what comes in is zero.
struct TranslationChange : ImageChange {
  static constexpr const char* kSummary =
      "Moves each image in training; what comes in is zero.";
  static constexpr const char* kKey = "distance";
  static constexpr const char* kMeaning =
      "Largest distance in pixels, rounded down.";
  static constexpr double kDefault = 2;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::logit(0, 8); }

  static Tensor change(const Tensor& x, const Tensor& d, const Noise& noise) {
    const Tensor most = d.floor();
    return moved(moved(x, -2, most, noise.fold("vertical")), -1, most,
                 noise.fold("horizontal"));
  }

 private:
  static Tensor moved(const Tensor& x, std::int64_t side, const Tensor& most,
                      const Noise& noise) {
    const Tensor by = (noise.uniform(x) * (2 * most + 1)).floor() - most;
    const Tensor from = along(side, x) - by;
    const Tensor inside = (from >= 0).logical_and(from < x.size(side));
    const Tensor index =
        from.clamp(0, static_cast<double>(x.size(side) - 1)).to(at::kLong);
    return x.gather(side, index.expand_as(x)) * inside.to(x.scalar_type());
  }
};

/// Each image mirrored, left and right exchanged, with probability p.
struct FlipChange : ImageChange {
  static constexpr const char* kSummary =
      "Exchanges left and right of images at random in training.";
  static constexpr const char* kKey = "probability";
  static constexpr const char* kMeaning = "The share of images it happens to.";
  static constexpr double kDefault = 0.5;
  static Range range() { return from_to(0, 1); }
  static Coordinates coordinates() { return Coordinates::logit(); }

  static Tensor change(const Tensor& x, const Tensor& p, const Noise& noise) {
    return at::where(noise.uniform(x) < p, x.flip(-1), x);
  }
};

/// The images x at places (row, column) in pixels, [examples, 1, height,
/// width], which may lie between pixels: bilinear interpolation, zero outside.
/// LibTorch's grid_sampler has no second derivative; gather has all.
Tensor sampled(const Tensor& x, const Tensor& row, const Tensor& column) {
  const Tensor flat = x.flatten(-2);  // [..., channels, pixels]
  const Tensor top = row.floor(), left = column.floor();
  const auto corner = [&](int down, int right) {
    const Tensor r = top + down, c = left + right;
    const Tensor share = (1 - (row - r).abs()) * (1 - (column - c).abs()) *
                         (r >= 0)
                             .logical_and(r < x.size(-2))
                             .logical_and(c >= 0)
                             .logical_and(c < x.size(-1))
                             .to(x.scalar_type());
    const Tensor index = (r.clamp(0, static_cast<double>(x.size(-2) - 1)) *
                              static_cast<double>(x.size(-1)) +
                          c.clamp(0, static_cast<double>(x.size(-1) - 1)))
                             .to(at::kLong)
                             .flatten(-2);
    return share * flat.gather(-1, index.expand_as(flat)).view(x.sizes());
  };
  return corner(0, 0) + corner(0, 1) + corner(1, 0) + corner(1, 1);
}

/// Where pixels are, seen from the middle of the image.
struct FromMiddle {
  explicit FromMiddle(const Tensor& x)
      : middle_row(0.5 * static_cast<double>(x.size(-2) - 1)),
        middle_column(0.5 * static_cast<double>(x.size(-1) - 1)),
        rows(along(-2, x) - middle_row),
        columns(along(-1, x) - middle_column) {}

  double middle_row, middle_column;
  Tensor rows, columns;  // [height, 1] and [width]
};

/// Turns each image about its middle.
struct RotationChange : ImageChange {
  static constexpr const char* kSummary =
      "Turns each image about its middle in training; what comes in is zero.";
  static constexpr const char* kKey = "degrees";
  static constexpr const char* kMeaning =
      "s: angles are uniform from -s to s degrees.";
  static constexpr double kDefault = 15;
  static Range range() { return from_to(0, 180); }
  static Coordinates coordinates() { return Coordinates::logit(0, 45); }

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    const Tensor angle = M_PI / 180 * s * noise.symmetric(x);
    const Tensor cosine = angle.cos(), sine = angle.sin();
    const FromMiddle from(x);
    return sampled(
        x, cosine * from.rows + sine * from.columns + from.middle_row,
        cosine * from.columns - sine * from.rows + from.middle_column);
  }
};

/// Stretches or shrinks each image about its middle, height and width by
/// factors of their own: pixel d away from the middle becomes what was d f
/// away, with f uniform in [1 / (1 + s), 1 + s).
struct ZoomChange : ImageChange {
  static constexpr const char* kSummary =
      "Stretches or shrinks each image in training, height and width apart; "
      "what comes in is zero.";
  static constexpr const char* kKey = "strength";
  static constexpr const char* kMeaning =
      "s: factors are uniform from 1 / (1 + s) to 1 + s.";
  static constexpr double kDefault = 0.2;
  static Range range() { return at_least(0); }
  static Coordinates coordinates() { return Coordinates::logit(0, 1); }

  static Tensor change(const Tensor& x, const Tensor& s, const Noise& noise) {
    const auto factor = [&](const char* side) {
      return noise.fold(side).factor(x, s);
    };
    const FromMiddle from(x);
    const Tensor none = at::zeros({x.size(-2), x.size(-1)}, x.options());
    return sampled(
        x, factor("vertical") * from.rows + from.middle_row + none,
        factor("horizontal") * from.columns + from.middle_column + none);
  }
};

/// Sets squares of each image to zero (DeVries and Taylor 2017, "Improved
/// regularization of convolutional neural networks with cutout"). Centres are
/// uniform over the pixels, so squares may stick out.
class Cutout : public SameShape {
 public:
  static Schema schema() {
    return with_same_key(
        Schema("Sets squares of each image to zero in training.")
            .setting("holes", 1, kHoles, from_to(0, 100))
            .setting("length", 4, kLength, at_least(0)));
  }

  Cutout(const Config& config, const Shape& input)
      : SameShape(input),
        same_(config.boolean("same")),
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
                        pass.part, same_};
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
    const Tensor centre = (noise.uniform(x) * pixels).floor();
    const Tensor first = centre - (0.5 * length).floor();
    const Tensor at = along(side, x);
    return (at >= first).logical_and(at < first + length).to(x.scalar_type());
  }

  bool same_;
  LayerSetting holes_, length_;
};

using Translation = Augmentation<TranslationChange>;
using Flip = Augmentation<FlipChange>;
using Rotation = Augmentation<RotationChange>;
using Zoom = Augmentation<ZoomChange>;

NESTGRAD_REGISTER(LayerRegistry, "translation", Translation)
NESTGRAD_REGISTER(LayerRegistry, "flip", Flip)
NESTGRAD_REGISTER(LayerRegistry, "rotation", Rotation)
NESTGRAD_REGISTER(LayerRegistry, "zoom", Zoom)
NESTGRAD_REGISTER(LayerRegistry, "cutout", Cutout)

}  // namespace
}  // namespace nestgrad
