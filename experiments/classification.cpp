#include <ATen/ATen.h>

#include "core/dataset.h"
#include "core/model.h"
#include "core/penalty.h"
#include "core/problem.h"
#include "experiments/data.h"

namespace nestgrad {
namespace {

/// How many examples are evaluated at a time: bounds the memory that it takes.
constexpr std::int64_t kEvaluationBatch = 1000;

/// A network that classifies, with cross entropy L and, as far as the
/// configuration mentions them, two hyperparameters:
///
///   train_loss = mean_i example_weight_i L_i + sum_j weight_decay_j w_j^2 / 2
///   valid_loss = mean_i L_i
///
/// Both sums run over a minibatch; biases decay like other weights. Weights of
/// examples learned on a clean validation set find corrupted labels (Franceschi
/// et al. 2017, "data hyper-cleaning").
class Classification : public BilevelProblem {
 public:
  Classification(const Config& config, const ProblemContext& context)
      : data_(load_splits(config.object("data"), context.key.fold("data"),
                          context.options)),
        model_(ModelRegistry::instance().make(
            config.object("model"), data_.shape(), data_.train.classes)),
        layout_(model_->initial_weights(Key()).to(context.options)),
        train_batches_(data_.train.size(), config.integer("batch"),
                       context.key.fold("train")),
        valid_batches_(data_.valid.size(), config.integer("valid_batch"),
                       context.key.fold("valid")) {}

  static Schema schema() {
    return Schema(
               "A network that classifies; tunes weight decay and weights "
               "of examples.")
        .object("data", DataRegistry::instance(), "fashion_mnist",
                "The examples.")
        .object("model", ModelRegistry::instance(), "mlp", "The network.")
        .integer("batch", 128, "Training examples per step; 0: all.",
                 at_least(0))
        .integer("valid_batch", 0, "Validation examples per estimate; 0: all.",
                 at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "weight_decay";
    decay.meaning = "Factor d of the penalty d w^2 / 2 on the weights.";
    decay.initial = at::scalar_tensor(1e-4, at::kDouble);
    decay.coordinates = Coordinates::log();
    decay.granularities = weight_granularities(layout_);
    decay.optional = true;

    Hyperparameter weight;
    weight.name = "example_weight";
    weight.meaning = "Factor of an example's loss, between 0 and 1.";
    weight.initial = at::scalar_tensor(0.5, at::kDouble);
    weight.coordinates = Coordinates::logit();
    weight.granularities = {{"example", data_.train.size()}};
    // The number of elements says which of the two it is, so it must tell.
    if (data_.train.classes != data_.train.size()) {
      weight.granularities.emplace_back("class", data_.train.classes);
    }
    weight.optional = true;
    return {decay, weight};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return model_->initial_weights(key).to(layout_.tensors().front().options());
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw.step));
    const Tensor loss = weighted_loss(
        model_->forward(weights, batch.input, {/*training=*/true, draw.key}),
        batch, hyper);
    return hyper.contains("weight_decay")
               ? loss + l2_penalty(weights, hyper.at("weight_decay"))
               : loss;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw& draw) const override {
    const Batch batch = data_.valid.rows(valid_batches_.rows(draw.step));
    return at::cross_entropy_loss(model_->forward(weights, batch.input, Pass()),
                                  batch.target);
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet&,
                 const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw.step));
    return model_->forward(weights, batch.input, {/*training=*/true, draw.key});
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override {
    return weighted_loss(
        outputs, data_.train.rows(train_batches_.rows(draw.step)), hyper);
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    const at::NoGradGuard no_tape;
    Metrics metrics;
    evaluate_on("train", data_.train, weights, metrics);
    evaluate_on("valid", data_.valid, weights, metrics);
    evaluate_on("test", data_.test, weights, metrics);
    if (data_.corrupted.defined() && hyper.contains("example_weight") &&
        hyper.at("example_weight").numel() == data_.train.size()) {
      judge_weights(hyper.at("example_weight"), metrics);
    }
    return metrics;
  }

 private:
  Tensor weighted_loss(const Tensor& outputs, const Batch& batch,
                       const ParameterSet& hyper) const {
    if (!hyper.contains("example_weight")) {
      return at::cross_entropy_loss(outputs, batch.target);
    }
    const Tensor each =
        at::cross_entropy_loss(outputs, batch.target, {}, at::Reduction::None);
    return (of_batch(hyper.at("example_weight"), batch) * each).mean();
  }

  /// The factor of each example of a batch, from one per class or per example.
  Tensor of_batch(const Tensor& weight, const Batch& batch) const {
    if (weight.numel() != data_.train.size()) {
      return weight.index_select(0, batch.target);
    }
    return batch.rows.defined()
               ? weight.index_select(0, batch.rows.to(weight.device()))
               : weight;
  }

  void evaluate_on(const std::string& name, const Dataset& data,
                   const ParameterSet& weights, Metrics& metrics) const {
    if (!data.inputs.defined() || data.size() == 0) return;
    double loss = 0, right = 0;
    for (std::int64_t i = 0; i < data.size(); i += kEvaluationBatch) {
      const std::int64_t n = std::min(kEvaluationBatch, data.size() - i);
      const Tensor outputs =
          model_->forward(weights, data.inputs.narrow(0, i, n), Pass());
      const Tensor targets = data.targets.narrow(0, i, n);
      loss += at::cross_entropy_loss(outputs, targets, {}, at::Reduction::Sum)
                  .item<double>();
      right += outputs.argmax(1).eq(targets).sum().item<double>();
    }
    const auto n = static_cast<double>(data.size());
    metrics[name + "_loss"] = loss / n;
    metrics[name + "_accuracy"] = right / n;
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

  Splits data_;
  std::unique_ptr<Model> model_;
  ParameterSet layout_;  // names, shapes and type of the weights
  BatchSchedule train_batches_, valid_batches_;
};

NESTGRAD_REGISTER(ProblemRegistry, "classification", Classification)

}  // namespace
}  // namespace nestgrad
