#include <ATen/ATen.h>

#include <optional>

#include "core/nn/evolved_loss.h"
#include "core/tensor/autodiff.h"
#include "experiments/problems/learned_network.h"
#include "experiments/problems/network_problem.h"

namespace nestgrad {
namespace {

/// A network that classifies, with cross entropy L (or squared errors) and, as
/// far as the configuration mentions them, two hyperparameters:
///
///   train_loss = mean_i example_weight_i L_i + sum_j weight_decay_j w_j^2 / 2
///   valid_loss = mean_i L_i
///
/// Both sums run over a minibatch; biases decay like other weights. Layers of
/// the model may name further ones ("rate": "$dropout"). Where the target is a
/// sequence of classes, L_i is the mean over it (a language model). Weights of
/// examples learned on a clean validation set find corrupted labels (Franceschi
/// et al. 2017, "data hyper-cleaning").
///
/// Two networks may take part in training whose weights are hyperparameters
/// themselves (Lorraine, Vicol and Duvenaud 2020): `augmentation` changes
/// inputs, x + a(x, noise), and `weighting` says how much an example counts
/// beside the others of its minibatch, n softmax_i(sigmoid(v(x_i) / 10)).
///
/// With `evolution`, training takes no derivatives: see core/nn/evolved_loss.h.
class Classification : public NetworkProblem {
 public:
  Classification(const Config& config, const ProblemContext& context)
      : NetworkProblem(config, context,
                       {"example_weight", kAugmentation, kWeighting}),
        squared_(config.text("loss") == "squared_error"),
        weights_of_classes_(context.granularity_of("example_weight") ==
                            "class"),
        train_batches_(data_.train.size(), config.integer("batch"),
                       context.key.fold("train")),
        valid_batches_(data_.valid.size(), config.integer("valid_batch"),
                       context.key.fold("valid")) {
    const Shape input = data_.shape();
    if (config.has("augmentation")) {
      const Config model = config.object("augmentation");
      if (input.size() != 3) {
        model.fail("type", "is for images [channels, height, width]");
      }
      augmentation_.emplace(model, Shape{input[0] + 1, input[1], input[2]},
                            input, kAugmentation,
                            context.key.fold(kAugmentation), context.options);
    }
    if (config.has("weighting")) {
      const Config model = config.object("weighting");
      if (data_.train.targets.dim() != 1) {
        model.fail("type", "is for examples that have one class each");
      }
      weighting_.emplace(model, input, Shape{1}, kWeighting,
                         context.key.fold(kWeighting), context.options);
    }
    if (config.has("evolution")) {
      const Config section = config.object("evolution");
      if (!model_->abilities().weights_per_example) {
        config.fail("evolution",
                    "needs a model whose examples may have weights of their "
                    "own, one made of layers");
      }
      if (weighting_) {
        config.fail("evolution", "cannot be combined with \"weighting\"");
      }
      evolution_ = {section.number("deviation"),
                    section.integer("perturbations"),
                    section.text("objective") == "errors"};
    }
  }

  static Schema schema() {
    return network_schema(
               "A network that classifies; tunes weight decay and weights "
               "of examples.")
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
        .choice("loss", "cross_entropy",
                "What both losses are means of: cross entropy of the outputs "
                "as logits, or half the squared distance of the outputs from "
                "1 for the class and 0 for the others.",
                {"cross_entropy", "squared_error"})
        .section("evolution", evolution_schema(), kAbsent,
                 "Trains by evolution strategies with flipout, without "
                 "derivatives.")
        .integer("batch", 128, "Training examples per step; 0: all.",
                 at_least(0))
        .integer("valid_batch", 0, "Validation examples per estimate; 0: all.",
                 at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter weight;
    weight.name = kWeight;
    weight.meaning = kWeightMeaning;
    weight.initial = at::scalar_tensor(0.5, at::kDouble);
    weight.coordinates = Coordinates::logit();
    weight.granularities = {{"example", data_.train.size()}};
    if (data_.train.targets.dim() == 1) {
      weight.granularities.emplace_back("class", data_.train.classes);
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
    const Batch batch = data_.valid.rows(valid_batches_.rows(draw.step));
    const Tensor outputs = model_->forward(
        weights, batch.input, Pass::evaluation_as(draw, hyper), draw);
    if (draw.particles == 0) return fit(outputs, batch.target);
    return fit_of_examples(outputs, batch.target, draw.particles).mean(1);
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
    if (plain && model_->abilities().weights_per_example) {
      out.responding_examples = {train_batches_.batch_size(),
                                 valid_batches_.batch_size()};
    }
    return out;
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics metrics;
    evaluate_on("train", data_.train, weights, hyper, metrics);
    evaluate_on("valid", data_.valid, weights, hyper, metrics);
    evaluate_on("test", data_.test, weights, hyper, metrics);
    if (data_.corrupted.defined() && hyper.contains("example_weight") &&
        !weights_of_classes_) {
      judge_weights(hyper.at("example_weight"), metrics);
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

  using NetworkProblem::fit;

  Tensor fit(const Tensor& outputs, const Tensor& targets,
             at::Reduction::Reduction reduction) const override {
    if (!squared_) return cross_entropy(outputs, targets, reduction);
    const Tensor wanted =
        at::one_hot(targets, outputs.size(-1)).to(outputs.scalar_type());
    const Tensor each = 0.5 * (outputs - wanted).square().sum(-1).reshape(-1);
    if (reduction == at::Reduction::None) return each;
    return reduction == at::Reduction::Sum ? each.sum() : each.mean();
  }

  Tensor augmented(const Tensor& x, const ParameterSet& hyper,
                   const Draw& draw) const {
    if (!augmentation_) return x;
    const Tensor noise = draw.key.fold(kAugmentation).normal(x.narrow(1, 0, 1));
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
                  ? outputs.argmax(-1)
                        .ne(batch.target)
                        .to(outputs.scalar_type())
                        .reshape({outputs.size(0), -1})
                        .mean(1)
                  : fit_of_examples(outputs, batch.target, /*particles=*/0);
          if (hyper.contains("example_weight")) {
            each = of_batch(hyper.at("example_weight"), batch, draw) * each;
          }
          for (const Tensor& penalty : penalties) each = each + penalty;
          return each;
        });
  }

  Tensor weighted_loss(const Tensor& dual_outputs, const Batch& batch,
                       const ParameterSet& hyper, const Draw& draw) const {
    const Tensor outputs = to_first_order(dual_outputs);
    const bool weighted = hyper.contains("example_weight") || weighting_;
    if (!weighted && draw.particles == 0) return fit(outputs, batch.target);
    Tensor each = fit_of_examples(outputs, batch.target, draw.particles);
    if (hyper.contains("example_weight")) {
      each = of_batch(hyper.at("example_weight"), batch, draw) * each;
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
    const Tensor sorted = std::get<0>(bad.sort());
    const Tensor below = at::searchsorted(sorted, good).to(at::kDouble) +
                         at::searchsorted(sorted, good, /*out_int32=*/false,
                                          /*right=*/true)
                             .to(at::kDouble);
    metrics["detection_auc"] =
        (below.mean() / (2.0 * static_cast<double>(bad.numel())))
            .item<double>();
  }

  struct Evolution {
    double deviation;
    std::int64_t perturbations;
    bool errors;
  };

  bool squared_;
  bool weights_of_classes_;  // example_weight has one number per class
  std::optional<Evolution> evolution_;
  BatchSchedule train_batches_, valid_batches_;
  std::optional<LearnedNetwork> augmentation_, weighting_;
};

NESTGRAD_REGISTER(ProblemRegistry, "classification", Classification)

}  // namespace
}  // namespace nestgrad
