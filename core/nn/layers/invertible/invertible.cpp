#include <ATen/ATen.h>

#include <functional>
#include <numeric>

#include "core/nn/layers/invertible/undone.h"
#include "core/nn/layers/layer_setting.h"
#include "core/nn/layers/shapes.h"
#include "core/nn/operators.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

/// Invertible layers F as one (Behrmann, Vicol, Wang, Grosse and Jacobsen 2021,
/// "Understanding and mitigating exploding inverses in invertible neural
/// networks"). It can keep F and its inverse from stretching, by penalties of
/// the training loss, the means over the examples of
///
///   forward_penalty |F(x + e v) - F(x)|^2 / e^2
///   inverse_penalty |F^-1(y + e v) - F^-1(y)|^2 / e^2,   y = F(x)
///
/// with a random direction v, |v| = 1, for each example and e = difference.
/// (The paper divides by e, which changes what the factors mean.) Penalties at
/// the examples say nothing of other inputs, for which the inverse may explode
/// all the same; with `reach`, normal noise is added to x before. And the layer
/// can save memory; see apply_and_forget().
class Invertible : public InvertibleLayer {
 public:
  Invertible(const Config& config, const Shape& input)
      : axes_(static_cast<std::int64_t>(input.size())),
        saves_memory_(config.boolean("memory_saving")),
        tolerance_(config.number("tolerance")),
        forward_penalty_(config, kForwardPenalty,
                         strength(kForward, Coordinates::softplus())),
        inverse_penalty_(config, kInversePenalty,
                         strength(kInverse, Coordinates::softplus())),
        difference_(config.number("difference")),
        reach_(config.number("reach")) {
    auto layers = std::make_shared<Chain>(input);
    for (const Config& layer : config.objects("layers")) {
      layers->add(layer);
      if (layers->is_invertible()) continue;
      layer.fail("type", "is no layer that can be undone");
    }
    if (saves_memory_ && !layers->hyperparameters().empty()) {
      config.fail("memory_saving",
                  "must be false: its layers name hyperparameters");
    }
    layers_ = std::move(layers);
  }

  static Schema schema() {
    return Schema(
               "Invertible layers as one, kept from stretching and, if wanted, "
               "without memory for what is between them.")
        .objects("layers", LayerRegistry::instance(), kRequired,
                 "Layers that can be undone, from input to output.")
        .boolean("memory_saving", false,
                 "Whether derivatives compute the inputs of the layers again, "
                 "by their inverses, so that they need not be kept.")
        .number("tolerance", 1e-3,
                "How far off, relatively, the input may be that is found in "
                "this way; derivatives are refused where it is more.",
                above(0))
        .setting(kForwardPenalty, 0, kForward, at_least(0))
        .setting(kInversePenalty, 0, kInverse, at_least(0))
        .number("difference", 0.1, "The distance e of both points.", above(0))
        .number("reach", 0,
                "Standard deviation of normal noise that is added to the "
                "examples at which the penalties are taken.",
                at_least(0));
  }

  Shape output_shape() const override { return layers_->shape(); }
  ParameterSet initial_weights(const Key& key) const override {
    return layers_->initial_weights(key);
  }

  Tensor apply(const Weights& weights, const Tensor& x,
               const Pass& pass) const override {
    const Tensor y =
        saves_memory_ && can_forget(weights, x)
            ? apply_and_forget(layers_, weights, x, pass, tolerance_)
            : layers_->apply(weights, x, pass);
    if (pass.training && pass.penalties != nullptr) {
      penalize(weights, x, y, pass);
    }
    return y;
  }

  Tensor inverse(const Weights& weights, const Tensor& y,
                 const Pass& pass) const override {
    return layers_->inverse(weights, y, pass);
  }

  bool separates_examples() const override {
    return layers_->separates_examples();
  }
  bool rounds() const override { return layers_->rounds(); }
  std::int64_t convolved() const override { return layers_->convolved(); }

  std::vector<Hyperparameter> hyperparameters() const override {
    std::vector<Hyperparameter> all =
        named_by({forward_penalty_, inverse_penalty_});
    for (Hyperparameter& named : layers_->hyperparameters()) {
      all.push_back(std::move(named));
    }
    return all;
  }

 private:
  using Map = std::function<Tensor(const Tensor&)>;

  static constexpr const char* kForwardPenalty = "forward_penalty";
  static constexpr const char* kInversePenalty = "inverse_penalty";
  static constexpr const char* kForward =
      "Factor of the penalty on how much the layers stretch.";
  static constexpr const char* kInverse =
      "Factor of the penalty on how much their inverse stretches.";

  static bool can_forget(const Weights& weights, const Tensor& x) {
    if (!weights.shared() || is_dual(x) || !at::GradMode::is_enabled()) {
      return false;
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (is_dual(weights.tensor(i))) return false;
    }
    return true;
  }

  void penalize(const Weights& weights, const Tensor& given, const Tensor& of,
                const Pass& pass) const {
    const Map forwards = [&](const Tensor& at) {
      return layers_->apply(weights, at, without_penalties(pass));
    };
    const Map backwards = [&](const Tensor& at) {
      return layers_->inverse(weights, at, without_penalties(pass));
    };
    Tensor x = to_first_order(given), y = of;
    if (reach_ > 0) {
      x = x + reach_ * with_key(pass, "reach").normal(x);
      y = forwards(x);
    }
    if (!forward_penalty_.is(0)) {
      add(forward_penalty_,
          stretch(forwards, x, with_key(pass, kForwardPenalty)), pass);
    }
    if (!inverse_penalty_.is(0)) {
      add(inverse_penalty_,
          stretch(backwards, to_first_order(y),
                  with_key(pass, kInversePenalty)),
          pass);
    }
  }

  /// For evaluations besides the first, which has added those of the layers.
  static Pass without_penalties(Pass pass) {
    pass.penalties = nullptr;
    return pass;
  }

  static Pass with_key(Pass pass, const char* name) {
    pass.key = pass.key.fold(name);
    return pass;
  }

  static void add(const LayerSetting& factor, const Tensor& squares,
                  const Pass& pass) {
    pass.penalize(factor.value(squares, pass) * squares);
  }

  /// |f(x + e v) - f(x)|^2 / e^2, [batch...].
  Tensor stretch(const Map& f, const Tensor& x, const Pass& noise) const {
    const Tensor random = noise.normal(x);
    std::vector<std::int64_t> of_example(static_cast<std::size_t>(axes_));
    std::iota(of_example.begin(), of_example.end(), -axes_);
    const Tensor v =
        random / random.square().sum(of_example, /*keepdim=*/true).sqrt();
    return ((f(x + difference_ * v) - f(x)) / difference_)
        .square()
        .flatten(-axes_)
        .sum(-1);
  }

  std::int64_t axes_;
  bool saves_memory_;
  double tolerance_;
  LayerSetting forward_penalty_, inverse_penalty_;
  double difference_, reach_;
  std::shared_ptr<const Chain> layers_;  // a tape may outlive the layer
};

NESTGRAD_REGISTER(LayerRegistry, "invertible", Invertible)

}  // namespace
}  // namespace nestgrad
