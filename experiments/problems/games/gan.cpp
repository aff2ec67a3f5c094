#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>

#include "experiments/problems/games/game.h"
#include "experiments/problems/games/gan_loss.h"
#include "experiments/problems/games/modes.h"
#include "experiments/problems/learned_network.h"

namespace nestgrad {
namespace {

/// A generative adversarial network (Goodfellow et al. 2014, "Generative
/// adversarial nets"). The generator makes examples G(z; y) of noise
/// z ~ N(0, 1) and is player 2; the discriminator D(.; x) scores examples and
/// is player 1. Their losses are those of GanLoss; with gradient_penalty that
/// of the discriminator has gradient_penalty / 2 mean |dD/dx|^2 over real
/// examples besides (Mescheder, Geiger and Nowozin 2018). Steps of the
/// discriminator for each of the generator are the estimator's window.
class Gan : public Game {
 public:
  Gan(const Config& config, const ProblemContext& context)
      : options_(context.options),
        batch_(config.integer("batch")),
        noise_(config.integer("noise")),
        data_(SampledData::read(config, context)),
        batches_(data_.examples.size(), batch_, context.key.fold("batches"),
                 data_.examples.rows_device()),
        generator_(config.object("generator"), {noise_}, {data_.numbers()},
                   kGenerator, context.key.fold("generator"), context),
        discriminator_(make_model(config.object("discriminator"), data_.shape,
                                  {1}, context.bfloat16)),
        loss_(config),
        gradient_penalty_(config.number("gradient_penalty")),
        modes_(config, data_, config.integer("classifier_steps"),
               context.key.fold("modes")),
        evaluation_(context.key.fold("evaluation")) {}

  static Schema schema() {
    return GanLoss::with_key(
        SampledData::with_keys(
            Schema("A generator of examples against a discriminator.")
                .tunes(kGenerator, kGeneratorMeaning))
            .object("generator", ModelRegistry::instance(), "mlp",
                    "Makes an example of a vector of noise.")
            .object("discriminator", ModelRegistry::instance(), "mlp",
                    "Scores an example.")
            .integer("noise", 16, "Numbers of noise for each example.",
                     at_least(1))
            .integer("batch", 128,
                     "Examples per step, real ones and made ones.", at_least(1))
            .number("gradient_penalty", 0,
                    "Half of it times the mean square of the slope of the "
                    "discriminator at real examples is added to its loss.",
                    at_least(0))
            .integer("classifier_steps", 0,
                     "For how many steps a classifier is trained that counts "
                     "modes; 0: the nearest mean of a class counts them.",
                     at_least(0)));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return {generator_.hyperparameter(kGeneratorMeaning)};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return discriminator_->initial_weights(key).to(options_);
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor real = data_.examples.rows(batches_.rows(draw)).input;
    const auto score = [&](const Tensor& x) { return scores(weights, x); };
    const Tensor loss = loss_.of_discriminator(
        score(real), score(made(hyper, batch_, draw.key)));
    if (gradient_penalty_ == 0) return loss;
    return loss + 0.5 * gradient_penalty_ * squared_slope(score, real);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return loss_.of_generator(scores(weights, made(hyper, batch_, draw.key)));
  }

  /// Both losses and what Modes says of the generator.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    const at::NoGradGuard no_tape;
    const Tensor samples = made(hyper, kEvaluated, evaluation_);
    Metrics out = modes_.of(samples);
    const Tensor scored = scores(weights, samples);
    const Tensor real = scores(
        weights,
        data_.examples.loaded(0, std::min(kEvaluated, data_.examples.size()))
            .inputs);
    out["train_loss"] = loss_.of_discriminator(real, scored).item<double>();
    out["valid_loss"] = loss_.of_generator(scored).item<double>();
    return out;
  }

  std::string metric() const override { return "mode_distance"; }

  Tensor samples(const ParameterSet& hyper, std::int64_t count) const override {
    const at::NoGradGuard no_tape;
    return data_.in_source_units(made(hyper, count, evaluation_));
  }

 private:
  static constexpr const char* kGenerator = "generator";
  static constexpr const char* kGeneratorMeaning =
      "The weights of the generator, player 2.";
  static constexpr std::int64_t kEvaluated = 1024;  // samples and examples

  /// `count` samples of the generator, [count, numbers].
  Tensor made(const ParameterSet& hyper, std::int64_t count,
              const Key& key) const {
    const Tensor z =
        key.fold("noise").normal(at::empty({count, noise_}, options_));
    return generator_(hyper, z);
  }

  Tensor scores(const ParameterSet& weights, const Tensor& examples) const {
    std::vector<std::int64_t> sizes = {examples.size(0)};
    sizes.insert(sizes.end(), data_.shape.begin(), data_.shape.end());
    return discriminator_->forward(weights, examples.view(sizes), Pass());
  }

  at::TensorOptions options_;
  std::int64_t batch_, noise_;
  SampledData data_;
  BatchSchedule batches_;
  LearnedNetwork generator_;
  std::unique_ptr<const Model> discriminator_;
  GanLoss loss_;
  double gradient_penalty_;
  Modes modes_;
  Key evaluation_;
};

NESTGRAD_REGISTER(ProblemRegistry, "gan", Gan)

}  // namespace
}  // namespace nestgrad
