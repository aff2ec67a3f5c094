#include <ATen/ATen.h>

#include "experiments/data/data.h"

namespace nestgrad {
namespace {

constexpr double kPi = 3.141592653589793;

// The inputs of every set are float64, [examples, features].

/// Classes in turn: example i has class i mod classes.
Tensor turns(std::int64_t examples, std::int64_t classes) {
  return at::arange(examples, at::kLong).remainder(classes);
}

Tensor numbers(at::IntArrayRef shape) { return at::empty(shape, at::kDouble); }

Schema with_examples(const char* meaning) {
  return Schema(meaning).integer("examples", 1000, "Total number of examples.",
                                 at_least(3));
}

/// x = centre(class) + spread z, with centres and z standard normal.
class GaussianClusters : public DataSource {
 public:
  static Schema schema() {
    return with_examples(
               "Round clouds of points, one for each class. Their centres are "
               "drawn from a standard normal distribution.")
        .integer("classes", 3, "Number of clouds.", at_least(2))
        .integer("features", 2, "Number of features.", at_least(1))
        .number("spread", 0.3, "Standard deviation within a cloud.",
                at_least(0));
  }

  explicit GaussianClusters(const Config& config)
      : examples_(config.integer("examples")),
        classes_(config.integer("classes")),
        features_(config.integer("features")),
        spread_(config.number("spread")) {}

  Examples load(const Key& key) const override {
    const Tensor targets = turns(examples_, classes_);
    const Tensor centres =
        key.fold("centres").normal(numbers({classes_, features_}));
    const Tensor z = key.fold("points").normal(numbers({examples_, features_}));
    const Tensor inputs = centres.index_select(0, targets) + spread_ * z;
    return {{inputs, targets, classes_}, {}};
  }

 private:
  std::int64_t examples_, classes_, features_;
  double spread_;
};

NESTGRAD_REGISTER(DataRegistry, "gaussian_clusters", GaussianClusters)

/// Centres on a circle, one for each class, and points around them:
///
///   x = radius (cos a, sin a) + spread z,   a = 2 pi class / classes,
///
/// z standard normal. What a generator of points is often judged by.
class GaussianRing : public DataSource {
 public:
  static Schema schema() {
    return with_examples("Round clouds of points with centres on a circle.")
        .integer("classes", 8, "Number of clouds.", at_least(2))
        .number("radius", 1, "Radius of the circle.", above(0))
        .number("spread", 0.05, "Standard deviation within a cloud.",
                at_least(0));
  }

  explicit GaussianRing(const Config& config)
      : examples_(config.integer("examples")),
        classes_(config.integer("classes")),
        radius_(config.number("radius")),
        spread_(config.number("spread")) {}

  Examples load(const Key& key) const override {
    const Tensor targets = turns(examples_, classes_);
    const Tensor angle =
        2 * kPi / static_cast<double>(classes_) * targets.to(at::kDouble);
    const Tensor centres = radius_ * at::stack({angle.cos(), angle.sin()}, 1);
    return {{centres + spread_ * key.fold("points").normal(centres), targets,
             classes_},
            {}};
  }

 private:
  std::int64_t examples_, classes_;
  double radius_, spread_;
};

NESTGRAD_REGISTER(DataRegistry, "gaussian_ring", GaussianRing)

/// (cos a, sin a) and (1 - cos a, 1/2 - sin a), a uniform in [0, pi), with
/// noise.
class TwoMoons : public DataSource {
 public:
  static Schema schema() {
    return with_examples("Two interlocking half circles in the plane.")
        .number("noise", 0.1, "Standard deviation of the noise on each point.",
                at_least(0));
  }

  explicit TwoMoons(const Config& config)
      : examples_(config.integer("examples")), noise_(config.number("noise")) {}

  Examples load(const Key& key) const override {
    const Tensor targets = turns(examples_, 2);
    const Tensor angle = kPi * key.fold("angles").uniform(numbers({examples_}));
    const Tensor upper = at::stack({angle.cos(), angle.sin()}, 1);
    const Tensor lower = at::stack({1 - angle.cos(), 0.5 - angle.sin()}, 1);
    const Tensor z = key.fold("noise").normal(upper);
    const Tensor inputs =
        at::where(targets.unsqueeze(1) == 0, upper, lower) + noise_ * z;
    return {{inputs, targets, 2}, {}};
  }

 private:
  std::int64_t examples_;
  double noise_;
};

NESTGRAD_REGISTER(DataRegistry, "two_moons", TwoMoons)

/// r (cos a, sin a) with r uniform in [0, 1) and
/// a = 2 pi (turns r + class / classes), with noise.
class Spirals : public DataSource {
 public:
  static Schema schema() {
    return with_examples("Spiral arms in the plane, one for each class.")
        .integer("classes", 3, "Number of arms.", at_least(2))
        .number("turns", 1, "Number of turns of each arm.", above(0))
        .number("noise", 0.02, "Standard deviation of the noise on each point.",
                at_least(0));
  }

  explicit Spirals(const Config& config)
      : examples_(config.integer("examples")),
        classes_(config.integer("classes")),
        turns_(config.number("turns")),
        noise_(config.number("noise")) {}

  Examples load(const Key& key) const override {
    const Tensor targets = turns(examples_, classes_);
    const Tensor radius = key.fold("radii").uniform(numbers({examples_}));
    const Tensor start =
        targets.to(at::kDouble) / static_cast<double>(classes_);
    const Tensor angle = 2 * kPi * (turns_ * radius + start);
    const Tensor arms =
        at::stack({radius * angle.cos(), radius * angle.sin()}, 1);
    return {{arms + noise_ * key.fold("noise").normal(arms), targets, classes_},
            {}};
  }

 private:
  std::int64_t examples_, classes_;
  double turns_, noise_;
};

NESTGRAD_REGISTER(DataRegistry, "spirals", Spirals)

/// Points uniform in [-1, 1)^features. The class is 1 where the signs of the
/// first two features differ.
class Xor : public DataSource {
 public:
  static Schema schema() {
    return with_examples(
               "Points in a cube, in two classes: whether the signs of the "
               "first two features differ. Further features are irrelevant.")
        .integer("features", 2, "Number of features.", at_least(2));
  }

  explicit Xor(const Config& config)
      : examples_(config.integer("examples")),
        features_(config.integer("features")) {}

  Examples load(const Key& key) const override {
    const Tensor points =
        2 * key.fold("points").uniform(numbers({examples_, features_})) - 1;
    const Tensor differ =
        at::logical_xor(points.select(1, 0) < 0, points.select(1, 1) < 0);
    return {{points, differ.to(at::kLong), 2}, {}};
  }

 private:
  std::int64_t examples_, features_;
};

NESTGRAD_REGISTER(DataRegistry, "xor", Xor)

/// x standard normal in the plane and the targets (0, x_2): a map that cannot
/// be undone, which an invertible network that fits it comes close to (Behrmann
/// et al. 2021).
class PlaneToLine : public DataSource {
 public:
  static Schema schema() {
    return with_examples(
        "Points of the plane, with the same point moved to a line as the "
        "target.");
  }

  explicit PlaneToLine(const Config& config)
      : examples_(config.integer("examples")) {}

  Examples load(const Key& key) const override {
    const Tensor points = key.fold("points").normal(numbers({examples_, 2}));
    const Tensor keep = at::tensor({0., 1.}, at::kDouble);
    return {{points, points * keep}, {}};
  }

 private:
  std::int64_t examples_;
};

NESTGRAD_REGISTER(DataRegistry, "plane_to_line", PlaneToLine)

}  // namespace
}  // namespace nestgrad
