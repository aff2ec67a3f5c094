#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <optional>

#include "core/nn/bfloat16.h"
#include "core/tensor/sum.h"
#include "experiments/problems/games/game.h"
#include "experiments/problems/games/gan_loss.h"
#include "experiments/problems/games/sample_store.h"
#include "experiments/problems/learned_network.h"
#include "experiments/problems/sampled/sampled_data.h"

namespace nestgrad {
namespace {

/// A generator that learns the posterior of a network's weights (Wang, Vicol,
/// Lucas, Gu, Grosse and Zemel 2018, "Adversarial distillation of Bayesian
/// neural network posteriors"). A chain of training steps with noise leaves
/// samples of the weights behind. The generator, player 2, makes weights of
/// noise, and a discriminator, player 1, tells them from the samples, by the
/// losses of GanLoss. Afterwards the generator makes as many networks as one
/// likes, and the samples need not be kept.
///
/// What a network does not know shows where many are asked: the entropy of
/// their mean answer p(y | x) = E_w softmax f(x; w),
///
///   H(x) = -sum_y p(y | x) log p(y | x),
///
/// is to be high for inputs of classes that none of them has met.
class PosteriorDistillation : public Game {
 public:
  PosteriorDistillation(const Config& config, const ProblemContext& context)
      : options_(context.options),
        batch_(config.integer("batch")),
        noise_(config.integer("noise")),
        networks_(config.integer("networks")),
        loss_(config),
        gradient_penalty_(config.number("gradient_penalty")),
        evaluation_(context.key.fold("evaluation")) {
    const SampledData data = read_data(config, context);
    model_ = make_model(config.object("model"), {data.numbers()},
                        {data.examples.classes}, context.bfloat16);
    store_.emplace(sampled(config.object("chain"), context.key));
    generator_.emplace(config.object("generator"), Shape{noise_},
                       Shape{store_->numbers()}, kGenerator,
                       context.key.fold(kGenerator), context);
    discriminator_ = make_model(config.object("discriminator"),
                                {store_->numbers()}, {1}, context.bfloat16);
    batches_.emplace(store_->size(), batch_, context.key.fold("batches"),
                     options_.device());
    const Tensor& all = store_->standardized();
    const std::int64_t every =
        std::max<std::int64_t>(1, all.size(0) / networks_);
    judge("chain", all.slice(0, every - 1, all.size(0), every), of_chain_);
    judge("network", all.slice(0, all.size(0) - 1), of_chain_);
  }

  static Schema schema() {
    return GanLoss::with_key(
        SampledData::with_keys(
            Schema("A generator of a network's weights that imitates samples "
                   "of their posterior.")
                .tunes(kGenerator, kGeneratorMeaning))
            .integer("known_classes", 0,
                     "How many classes the networks are trained on, the first "
                     "ones; examples of the others are what they do not know. "
                     "0: all.",
                     at_least(0))
            .object("model", ModelRegistry::instance(),
                    Json{{"type", "mlp"}, {"hidden", {10}}},
                    "The network whose posterior it is; inputs are vectors.")
            .section("chain", chain_schema(), kRequired,
                     "How samples of its weights are drawn, before tuning.")
            .object("generator", ModelRegistry::instance(), "mlp",
                    "Makes weights of a vector of noise.")
            .object("discriminator", ModelRegistry::instance(), "mlp",
                    "Tells made weights from samples.")
            .integer("noise", 32, "Numbers of noise for each set of weights.",
                     at_least(1))
            .integer("batch", 100, "Samples per step, and made weights.",
                     at_least(1))
            .integer("networks", 100,
                     "How many networks are asked together in evaluation.",
                     at_least(1))
            .number("gradient_penalty", 0,
                    "Half of it times the mean square of the slope of the "
                    "discriminator at samples is added to its loss.",
                    at_least(0)));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    return {generator_->hyperparameter(kGeneratorMeaning)};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return discriminator_->initial_weights(key).to(options_);
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor rows = batches_->rows(draw);
    const Tensor& all = store_->standardized();
    const Tensor real = rows.defined() ? all.index_select(0, rows) : all;
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

  /// Accuracy and mean entropy of "chain" (the samples), "generator" (as many
  /// made networks) and "network" (the last sample alone) on validation
  /// examples of known classes; "other_entropy" on those of the others; and
  /// "entropy_gap", how far the entropies of generator and chain are apart, the
  /// sum over both kinds of examples.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    const at::NoGradGuard no_tape;
    Metrics out = of_chain_;
    judge("generator", made(hyper, networks_, evaluation_), out);
    out["entropy_gap"] = 0;
    for (const char* which : {"entropy", "other_entropy"}) {
      const auto chain = out.find(std::string("chain_") + which);
      if (chain == out.end()) continue;
      out["entropy_gap"] +=
          std::abs(chain->second - out.at(std::string("generator_") + which));
    }
    out["valid_loss"] =
        valid_loss(weights, hyper, Draw{0, evaluation_}).item<double>();
    return out;
  }

  std::string metric() const override { return "entropy_gap"; }

 private:
  static constexpr const char* kGenerator = "generator";
  static constexpr const char* kGeneratorMeaning =
      "The weights of the generator, player 2.";

  static Schema chain_schema() {
    return Schema("Training steps with noise, of which samples are kept.")
        .object("rule", OptimizerRegistry::instance(), kRequired,
                "The rule, sgld for example.")
        .integer("batch", 100, "Examples per step; 0: all.", at_least(0))
        .integer("burn_in", 500, "Steps before the first sample.", at_least(0))
        .integer("thin", 20, "Steps from one sample to the next.", at_least(1))
        .integer("samples", 1000, "How many are kept.", at_least(2));
  }

  /// Sets train_, valid_ and other_.
  SampledData read_data(const Config& config, const ProblemContext& context) {
    SampledData data = SampledData::read(config, context);
    const Dataset& all = data.examples;
    if (all.classes < 2 || all.targets.dim() != 1) {
      config.fail("data", "must have a class for every example");
    }
    const std::int64_t known = config.integer("known_classes");
    if (known == 1 || known > all.classes) {
      config.fail("known_classes",
                  fmt::format("must be 0 or from 2 to {}, the number of "
                              "classes; is {}",
                              all.classes, known));
    }
    const Tensor is_known = known == 0 ? at::ones_like(all.targets, at::kBool)
                                       : all.targets < known;
    const auto rows = [](const Tensor& which) {
      return which.nonzero().squeeze(1);
    };
    const Dataset examples = all.selected(rows(is_known));
    const std::int64_t n =
        examples.size() -
        std::min<std::int64_t>(kEvaluated, examples.size() / 5);
    if (n < 1) config.fail("data", "has too few examples of known classes");
    std::tie(train_, valid_) = examples.split(n);
    const Tensor others = rows(is_known.logical_not());
    if (others.numel() > 0) {
      other_ = all.inputs.index_select(0, others.slice(0, 0, kEvaluated));
    }
    return data;
  }

  SampleStore sampled(const Config& chain, const Key& key) const {
    const BatchSchedule batches(train_.size(), chain.integer("batch"),
                                key.fold("chain_batches"), options_.device());
    return {{chain.integer("burn_in"), chain.integer("thin"),
             chain.integer("samples")},
            *OptimizerRegistry::instance().make(chain.object("rule")),
            model_->initial_weights(key.fold("network")).to(options_),
            [&](const ParameterSet& w, std::int64_t step) {
              const Batch batch = train_.rows(batches.rows(step));
              return at::cross_entropy_loss(
                  model_->forward(w, batch.input, Pass()), batch.target);
            },
            key.fold("chain")};
  }

  /// `count` sets of weights, standardized, [count, numbers].
  Tensor made(const ParameterSet& hyper, std::int64_t count,
              const Key& key) const {
    return (*generator_)(
        hyper, key.fold("noise").normal(at::empty({count, noise_}, options_)));
  }

  Tensor scores(const ParameterSet& weights, const Tensor& samples) const {
    return discriminator_->forward(weights, samples, Pass());
  }

  /// The mean answer of networks, [examples, classes].
  Tensor answer(const Tensor& networks, const Tensor& inputs) const {
    Tensor sum;
    for (const Tensor& network : networks.unbind(0)) {
      add_to(sum, model_->forward(store_->weights(network), inputs, Pass())
                      .softmax(-1));
    }
    return sum / static_cast<double>(networks.size(0));
  }

  void judge(const std::string& name, const Tensor& networks,
             Metrics& metrics) const {
    const at::NoGradGuard no_tape;
    const auto entropy = [](const Tensor& p) {
      return -at::xlogy(p, p).sum(1).mean().item<double>();
    };
    const Tensor p = answer(networks, valid_.inputs);
    metrics[name + "_accuracy"] =
        p.argmax(1).eq(valid_.targets).to(at::kDouble).mean().item<double>();
    metrics[name + "_entropy"] = entropy(p);
    if (other_.defined()) {
      metrics[name + "_other_entropy"] = entropy(answer(networks, other_));
    }
  }

  static constexpr std::int64_t kEvaluated = 1000;  // examples of each kind

  at::TensorOptions options_;
  std::int64_t batch_, noise_, networks_;
  GanLoss loss_;
  double gradient_penalty_;
  Key evaluation_;
  Dataset train_, valid_;
  Tensor other_;  // inputs of unknown classes; may be undefined
  std::unique_ptr<const Model> model_;
  std::optional<SampleStore> store_;
  std::optional<LearnedNetwork> generator_;
  std::unique_ptr<const Model> discriminator_;
  std::optional<BatchSchedule> batches_;
  Metrics of_chain_;  // of the chain and of its last network
};

NESTGRAD_REGISTER(ProblemRegistry, "posterior_distillation",
                  PosteriorDistillation)

}  // namespace
}  // namespace nestgrad
