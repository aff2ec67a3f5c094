#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/chain.h"
#include "core/nn/layers/shapes.h"

namespace nestgrad {
namespace {

/// A coupling divides its input into two parts, the numbers of a vector or the
/// channels of an image. One passes unchanged, and a network of it says how the
/// other changes, so both can be found again.
///
/// The network is `layers` and a last one, of zeros at the start, that gives as
/// many numbers as the change needs: linear for vectors, a convolution of 3 x 3
/// pixels for images. Its weights are named as in a model: "0.weight".
class Coupling : public InvertibleLayer {
 public:
  Shape output_shape() const override { return shape_; }

  ParameterSet initial_weights(const Key& key) const override {
    const ParameterSet drawn = network_.initial_weights(key);
    std::vector<Tensor> tensors = drawn.tensors();
    for (std::size_t i = tensors.size() - 2; i < tensors.size(); ++i) {
      tensors[i] = at::zeros_like(tensors[i]);
    }
    return drawn.with(std::move(tensors));
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    auto [kept, changed] = parts(x);
    changed = forwards(changed, network_.apply(weights, kept, pass));
    return together(kept, changed);
  }

  Tensor inverse(const Weights& weights, const Tensor& y,
                 const Pass& pass) const override {
    auto [kept, changed] = parts(y);
    changed = backwards(changed, network_.apply(weights, kept, pass));
    return together(kept, changed);
  }

  bool separates_examples() const override {
    return network_.separates_examples();
  }
  bool rounds() const override { return network_.rounds(); }
  std::int64_t convolved() const override { return network_.convolved(); }
  std::vector<Hyperparameter> hyperparameters() const override {
    return network_.hyperparameters();
  }

 protected:
  static Schema coupling_schema(std::string meaning) {
    return Schema(std::move(meaning))
        .objects("layers", LayerRegistry::instance(), Json::array(),
                 "The network that reads the part that is kept, without its "
                 "last layer.")
        .choice("keep", "first",
                "The part that passes unchanged: the first half of the numbers "
                "or channels, or the second.",
                {"first", "second"});
  }

  /// `outputs`: how many numbers the change needs for each that it changes.
  Coupling(const Config& config, const Shape& input, std::int64_t outputs)
      : shape_(input),
        axis_(-static_cast<std::int64_t>(input.size())),
        keeps_first_(config.text("keep") == "first"),
        network_(kept_shape(config, input)) {
    for (const Config& layer : config.objects("layers")) network_.add(layer);
    const std::int64_t out = outputs * (input[0] - sizes_of(input).first);
    if (network_.shape().size() != input.size()) {
      config.fail("layers",
                  fmt::format("must end in {}, but end in {}",
                              input.size() == 1 ? "a vector" : "an image",
                              to_string(network_.shape())));
    }
    if (input.size() == 1) {
      network_.add(Json{{"type", "linear"}, {"out", out}});
    } else {
      network_.add(Json{
          {"type", "conv2d"}, {"out", out}, {"kernel", 3}, {"padding", 1}});
    }
    Shape wanted = input;
    wanted[0] = out;
    if (network_.shape() != wanted) {
      config.fail("layers", "must keep the height and width of the images");
    }
  }

  std::int64_t axis() const { return axis_; }

  /// The new numbers of the part that changes, and the old ones again.
  /// `change`: what the network says.
  virtual Tensor forwards(const Tensor& x, const Tensor& change) const = 0;
  virtual Tensor backwards(const Tensor& y, const Tensor& change) const = 0;

 private:
  /// Of the part that is kept, and of the other.
  std::pair<std::int64_t, std::int64_t> sizes_of(const Shape& input) const {
    const std::int64_t first = input[0] / 2, second = input[0] - first;
    return keeps_first_ ? std::pair(first, second) : std::pair(second, first);
  }

  Shape kept_shape(const Config& config, const Shape& input) const {
    if ((input.size() != 1 && input.size() != 3) || input[0] < 2) {
      refuse_input(config,
                   "vectors of 2 numbers or more or images with 2 channels or "
                   "more",
                   input);
    }
    Shape out = input;
    out[0] = sizes_of(input).first;
    return out;
  }

  std::pair<Tensor, Tensor> parts(const Tensor& x) const {
    const std::int64_t first = shape_[0] / 2;
    const Tensor a = x.narrow(axis_, 0, first),
                 b = x.narrow(axis_, first, shape_[0] - first);
    return keeps_first_ ? std::pair(a, b) : std::pair(b, a);
  }

  Tensor together(const Tensor& kept, const Tensor& changed) const {
    // With particles what is kept may have the same numbers for all of them.
    std::vector<std::int64_t> sizes = changed.sizes().vec();
    const std::size_t channel = sizes.size() - shape_.size();
    sizes[channel] = kept.sizes()[kept.dim() + axis_];
    const Tensor all = kept.expand(sizes);
    return keeps_first_ ? at::cat({all, changed}, axis_)
                        : at::cat({changed, all}, axis_);
  }

  Shape shape_;
  std::int64_t axis_;  // of numbers or channels, from the end
  bool keeps_first_;
  Chain network_;
};

/// y = x + t(kept) (Dinh, Krueger and Bengio 2015, "NICE: Non-linear
/// independent components estimation"). Its inverse, y - t(kept), is exact but
/// for rounding and stretches no more than the layer does.
class AdditiveCoupling : public Coupling {
 public:
  AdditiveCoupling(const Config& config, const Shape& input)
      : Coupling(config, input, 1) {}

  static Schema schema() {
    return coupling_schema(
        "Adds to one half of its input a function of the other; can be "
        "undone.");
  }

 private:
  Tensor forwards(const Tensor& x, const Tensor& change) const override {
    return x + change;
  }
  Tensor backwards(const Tensor& y, const Tensor& change) const override {
    return y - change;
  }
};

/// y = s(kept) x + t(kept) (Dinh, Sohl-Dickstein and Bengio 2017, "Density
/// estimation using Real NVP") with the scale of Glow, made not to fall below
/// m = least_scale:
///
///   s = m + (1 - m) sigmoid(h(kept) + 2)
///
/// With m = 0 nothing keeps s from coming close to zero, and the inverse,
/// (y - t) / s, then stretches without bound (Behrmann et al. 2021,
/// "Understanding and mitigating exploding inverses in invertible neural
/// networks").
class AffineCoupling : public Coupling {
 public:
  AffineCoupling(const Config& config, const Shape& input)
      : Coupling(config, input, 2),
        least_scale_(config.number("least_scale")) {}

  static Schema schema() {
    return coupling_schema(
               "Scales and shifts one half of its input by functions of the "
               "other; can be undone.")
        .number("least_scale", 0,
                "The scale is between this number and 1. With 0 the inverse "
                "may stretch without bound.",
                from_below(0, 1));
  }

 private:
  Tensor forwards(const Tensor& x, const Tensor& change) const override {
    const auto [s, t] = scale_and_shift(change);
    return s * x + t;
  }
  Tensor backwards(const Tensor& y, const Tensor& change) const override {
    const auto [s, t] = scale_and_shift(change);
    return (y - t) / s;
  }

  std::pair<Tensor, Tensor> scale_and_shift(const Tensor& change) const {
    const std::vector<Tensor> both = change.chunk(2, axis());
    return {least_scale_ + (1 - least_scale_) * (both[0] + 2).sigmoid(),
            both[1]};
  }

  double least_scale_;
};

NESTGRAD_REGISTER(LayerRegistry, "additive_coupling", AdditiveCoupling)
NESTGRAD_REGISTER(LayerRegistry, "affine_coupling", AffineCoupling)

}  // namespace
}  // namespace nestgrad
