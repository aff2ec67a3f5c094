#include <ATen/ATen.h>

#include <optional>

#include "core/nn/evolved_loss.h"
#include "core/tensor/autodiff.h"
#include "experiments/problems/class_weights.h"
#include "experiments/problems/learned_network.h"
#include "experiments/problems/network_problem.h"

namespace nestgrad {
namespace {

/// A network that learns from examples with targets: classes, numbers (the
/// inputs themselves, for an autoencoder), or labels of 0 and 1. With a loss
/// L_i of an example (see Loss) and, as far as the configuration mentions them,
/// two hyperparameters:
///
///   train_loss = mean_i example_weight_i L_i + sum_j weight_decay_j w_j^2 / 2
///   valid_loss = mean_i L_i, or the mean over the classes of the mean L_i of
///                each ("valid_weights": "balanced")
///
/// All sums run over a minibatch; biases decay like other weights. Layers of
/// the model may name further hyperparameters ("rate": "$dropout"). Where the
/// target is a sequence of classes, L_i is the mean over it (a language model).
/// Weights of examples learned on a clean validation set find corrupted labels
/// (Franceschi et al. 2017, "data hyper-cleaning"); weights of classes learned
/// on a balanced validation loss let a rare class count.
///
/// Two networks may take part in training whose weights are hyperparameters
/// themselves (Lorraine, Vicol and Duvenaud 2020): `augmentation` changes
/// inputs, x + a(x, noise), and `weighting` says how much an example counts
/// beside the others of its minibatch, n softmax_i(sigmoid(v(x_i) / 10)).
///
/// With `evolution`, training takes no derivatives: see core/nn/evolved_loss.h.
class Supervised : public NetworkProblem {
 public:
  Supervised(const Config& config, const ProblemContext& context)
      : NetworkProblem(config, context, {kWeight, kAugmentation, kWeighting}),
        balanced_(config.text("valid_weights") == "balanced"),
        weights_of_classes_(context.granularity_of(kWeight) == "class"),
        train_batches_(data_.train.size(), config.integer("batch"),
                       context.key.fold("train"), data_.train.rows_device()),
        valid_batches_(data_.valid.size(), config.integer("valid_batch"),
                       context.key.fold("valid"), data_.valid.rows_device()) {
    if (balanced_) {
      require_every_class(config, "valid_weights", data_.valid);
      valid_weights_ = balanced_weights(data_.valid, context.options);
    }
    scores_ = Scores(config, loss_, data_.train, usual_scores());
    read_networks(config, context);
    if (config.has("evolution")) read_evolution(config);
  }

  static Schema schema() {
    return network_schema(
               "A network that learns classes, numbers or labels from "
               "examples; tunes weight decay and weights of examples.")
        .tunes(kWeight, kWeightMeaning)
        .tunes(kAugmentation, kAugmentationMeaning)
        .tunes(kWeighting, kWeightingMeaning)
        .object("augmentation", ModelRegistry::instance(), kAbsent,
                "A network that changes the inputs in training, unet for "
                "example; its weights are the hyperparameter `augmentation`.")
        .object("weighting", ModelRegistry::instance(), kAbsent,
                "A network that says how much each training example counts, "
                "mlp for example; its weights are the hyperparameter "
                "`weighting`.")
        .choice("targets", "data",
                "What the network is to give: the targets of the data, or the "
                "inputs again, as numbers (an autoencoder). With noise in the "
                "model's \"augment\" it learns to remove that.",
                {"data", "inputs"})
        .also(Loss::keys())
        .section("evolution", evolution_schema(), kAbsent,
                 "Trains by evolution strategies with flipout, without "
                 "derivatives.")
        .integer("batch", 128, "Training examples per step; 0: all.",
                 at_least(0))
        .integer("valid_batch", 0, "Validation examples per estimate; 0: all.",
                 at_least(0))
        .choice(
            "valid_weights", "natural",
            "How much examples count in the validation loss: all the same, "
            "or so that each class counts the same (n / (K n_c) for each of "
            "the n_c examples of one of K classes). The metrics valid_loss "
            "and test_loss are weighted in the same way.",
            {"natural", "balanced"})
        .also(Scores::keys());
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter weight;
    weight.name = kWeight;
    weight.meaning = kWeightMeaning;
    weight.initial = at::scalar_tensor(0.5, at::kDouble);
    weight.coordinates = Coordinates::logit();
    weight.granularities = {{"example", data_.train.size()}};
    if (data_.train.classes > 0 && !is_sequence()) {
      weight.granularities.emplace_back("class", data_.train.classes);
      weight.number_names["class"] = data_.train.target_names;
    }
    weight.optional = true;

    std::vector<Hyperparameter> of_loss{weight};
    if (augmentation_) {
      of_loss.push_back(augmentation_->hyperparameter(kAugmentationMeaning));
    }
    if (weighting_) {
      of_loss.push_back(weighting_->hyperparameter(kWeightingMeaning));
    }
    return with_those_of_the_network(std::move(of_loss));
  }

  std::string example_weight() const override { return kWeight; }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw));
    std::vector<Tensor> penalties;
    if (evolution_) {
      return with_penalties(evolved(weights, batch, hyper, draw), {}, weights,
                            hyper, draw);
    }
    const Tensor loss = weighted_loss(
        model_->forward(weights, augmented(batch.input, hyper, draw),
                        Pass::training_as(draw, hyper, &penalties), draw),
        batch, hyper, draw);
    return with_penalties(loss, penalties, weights, hyper, draw);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Batch batch = data_.valid.rows(valid_batches_.valid_rows(draw));
    const Tensor outputs = model_->forward(
        weights, batch.input, Pass::evaluation_as(draw, hyper), draw);
    if (draw.particles == 0 && !balanced_) return fit(outputs, batch.target);
    const Tensor each = fit_of_examples(outputs, batch.target, draw.particles);
    if (!balanced_) return each.mean(-1);
    return (valid_weights_.index_select(0, batch.target) * each).mean(-1);
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw));
    return model_->forward(weights, augmented(batch.input, hyper, draw),
                           Pass::training_as(draw, hyper), draw);
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override {
    return weighted_loss(outputs, data_.train.rows(train_batches_.rows(draw)),
                         hyper, draw);
  }

  ProblemAbilities abilities() const override {
    const bool plain = !augmentation_ && !weighting_ && !evolution_;
    ProblemAbilities out;
    out.particles = plain;
    out.second_derivatives = !evolution_;
    out.outputs = true;
    out.curved = loss_.is_curved();
    out.rounds = model_->abilities().rounds ||
                 (augmentation_ && augmentation_->rounds()) ||
                 (weighting_ && weighting_->rounds());
    const BatchSizes examples{train_batches_.batch_size(),
                              valid_batches_.batch_size()};
    if (plain && model_->abilities().weights_per_example) {
      out.responding_examples = examples;
    }
    if (!weighting_ && model_->abilities().separates_examples &&
        (!augmentation_ || augmentation_->separates_examples())) {
      out.divisible_examples = examples;
    }
    return out;
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics metrics;
    evaluate_on("train", data_.train, weights, hyper, metrics);
    evaluate_on("valid", data_.valid, weights, hyper, metrics, valid_weights_);
    evaluate_on("test", data_.test, weights, hyper, metrics,
                weights_for(data_.test));
    if (data_.corrupted.defined() && hyper.contains(kWeight) &&
        !weights_of_classes_) {
      judge_weights(hyper.at(kWeight), metrics);
    }
    return metrics;
  }

 private:
  static constexpr const char* kAugmentation = "augmentation";
  static constexpr const char* kWeighting = "weighting";
  static constexpr const char* kWeight = "example_weight";
  static constexpr const char* kWeightMeaning =
      "Factor of an example's loss, between 0 and 1.";
  static constexpr const char* kAugmentationMeaning =
      "Weights of the network that changes inputs.";
  static constexpr const char* kWeightingMeaning =
      "Weights of the network that weighs examples.";

  void read_networks(const Config& config, const ProblemContext& context) {
    const Shape input = data_.shape();
    if (config.has("augmentation")) {
      const Config model = config.object("augmentation");
      if (input.size() != 3) {
        model.fail("type", "is for images [channels, height, width]");
      }
      augmentation_.emplace(model, Shape{input[0] + 1, input[1], input[2]},
                            input, kAugmentation,
                            context.key.fold(kAugmentation), context);
    }
    if (config.has("weighting")) {
      const Config model = config.object("weighting");
      if (is_sequence()) {
        model.fail("type", "cannot be used where the target is a sequence");
      }
      weighting_.emplace(model, input, Shape{1}, kWeighting,
                         context.key.fold(kWeighting), context);
    }
  }

  void read_evolution(const Config& config) {
    const Config section = config.object("evolution");
    if (!model_->abilities().weights_per_example) {
      config.fail("evolution",
                  "needs a model whose examples may have weights of their "
                  "own, one made of layers");
    }
    if (weighting_) {
      config.fail("evolution", "cannot be combined with \"weighting\"");
    }
    evolution_ = {section.number("deviation"), section.integer("perturbations"),
                  section.text("objective") == "errors"};
    if (evolution_->errors && loss_.target() == TargetKind::kNumbers) {
      section.fail("objective",
                   "must be \"loss\" where the targets are numbers, which are "
                   "neither right nor wrong");
    }
  }

  /// Whether an example has a class for each time step.
  bool is_sequence() const {
    return data_.train.classes > 0 && data_.train.targets.dim() > 1;
  }

  /// What is evaluated where "metrics" is left out.
  std::vector<std::string> usual_scores() const {
    std::vector<std::string> out = Scores::usual(loss_.target());
    if (balanced_) out.emplace_back("balanced_accuracy");
    if (balanced_ && data_.train.classes <= Scores::kFewParts) {
      out.emplace_back("recall");
    }
    return out;
  }

  /// The factors of classes with which a part is evaluated. Training counts as
  /// it is.
  Tensor weights_for(const Dataset& data) const {
    const bool some = data.inputs.defined() && data.size() > 0;
    return balanced_ && some
               ? balanced_weights(data, layout_.tensors().front().options())
               : Tensor();
  }

  Tensor augmented(const Tensor& x, const ParameterSet& hyper,
                   const Draw& draw) const {
    if (!augmentation_) return x;
    const Tensor like = x.narrow(1, 0, 1);
    const Tensor noise =
        draw.key.fold(kAugmentation)
            .normal(like, draw.part.first_number(like.numel()));
    return x + (*augmentation_)(hyper, at::cat({x, noise}, 1));
  }

  static Schema evolution_schema() {
    return Schema("Evolution strategies in training.")
        .number("deviation", 0.02, "Standard deviation of the weights' noise.",
                above(0))
        .integer("perturbations", 1,
                 "Perturbations per step; each takes two passes and is flipped "
                 "for every example.",
                 at_least(1))
        .choice("objective", "loss", "What is made small: the loss, or errors.",
                {"loss", "errors"});
  }

  Tensor evolved(const ParameterSet& weights, const Batch& batch,
                 const ParameterSet& hyper, const Draw& draw) const {
    const Tensor input = augmented(batch.input, hyper, draw);
    return evolved_loss(
        weights, input.size(0), evolution_->deviation,
        evolution_->perturbations, draw.key,
        [&](const Weights& noisy, const Key& key) {
          std::vector<Tensor> penalties;
          Pass pass = Pass::training_as(draw, hyper, &penalties);
          pass.key = key;
          const Tensor outputs = model_->apply(noisy, input, pass);
          Tensor each =
              evolution_->errors
                  ? Scores::are_right(loss_.predictions(outputs), batch.target)
                        .logical_not()
                        .to(outputs.scalar_type())
                        .reshape({outputs.size(0), -1})
                        .mean(1)
                  : fit_of_examples(outputs, batch.target, /*particles=*/0);
          if (hyper.contains(kWeight)) {
            each = of_batch(hyper.at(kWeight), batch, draw) * each;
          }
          for (const Tensor& penalty : penalties) each = each + penalty;
          return each;
        },
        draw.part);
  }

  Tensor weighted_loss(const Tensor& dual_outputs, const Batch& batch,
                       const ParameterSet& hyper, const Draw& draw) const {
    const Tensor outputs = to_first_order(dual_outputs);
    const bool weighted = hyper.contains(kWeight) || weighting_;
    if (!weighted && draw.particles == 0) return fit(outputs, batch.target);
    Tensor each = fit_of_examples(outputs, batch.target, draw.particles);
    if (hyper.contains(kWeight)) {
      each = of_batch(hyper.at(kWeight), batch, draw) * each;
    }
    if (!weighting_) return each.mean(-1);
    // Shares of the minibatch, so the sum takes the place of the mean.
    const Tensor share =
        (0.1 * (*weighting_)(hyper, batch.input)).sigmoid().softmax(0);
    return at::dot(share.flatten(), each);
  }

  /// The factor of each example of a batch, from one per class or per example.
  Tensor of_batch(const Tensor& weight, const Batch& batch,
                  const Draw& draw) const {
    Tensor which = batch.target;
    if (!weights_of_classes_) {
      which = batch.rows.defined()
                  ? batch.rows.to(weight.device())
                  : at::arange(data_.train.size(),
                               weight.options().dtype(at::kLong));
    }
    if (draw.response == nullptr) return weight.index_select(-1, which);
    return weight.gather(1, which.unsqueeze(1)).squeeze(1);
  }

  /// How well the weights tell clean examples from corrupted ones: their means,
  /// and the share of pairs that are in the right order (area under the curve).
  void judge_weights(const Tensor& weight, Metrics& metrics) const {
    const Tensor corrupted = data_.corrupted.to(weight.device());
    const Tensor bad = weight.masked_select(corrupted);
    const Tensor good = weight.masked_select(corrupted.logical_not());
    metrics["clean_weight"] = good.mean().item<double>();
    metrics["corrupted_weight"] = bad.mean().item<double>();
    metrics["detection_auc"] = area_under_curve(good, bad);
  }

  struct Evolution {
    double deviation;
    std::int64_t perturbations;
    bool errors;
  };

  bool balanced_;
  bool weights_of_classes_;  // example_weight has one number per class
  std::optional<Evolution> evolution_;
  BatchSchedule train_batches_, valid_batches_;
  Tensor valid_weights_;  // of classes; undefined if they are natural
  std::optional<LearnedNetwork> augmentation_, weighting_;
};

NESTGRAD_REGISTER(ProblemRegistry, "supervised", Supervised)

/// The name under which many configurations know it.
using Classification = Supervised;
NESTGRAD_REGISTER(ProblemRegistry, "classification", Classification)

}  // namespace
}  // namespace nestgrad
