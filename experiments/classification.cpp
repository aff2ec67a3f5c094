#include <ATen/ATen.h>

#include "core/autodiff.h"
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
/// Both sums run over a minibatch; biases decay like other weights. Layers of
/// the model may name further ones ("rate": "$dropout"). Where the target is a
/// sequence of classes, L_i is the mean over it (a language model). Weights of
/// examples learned on a clean validation set find corrupted labels (Franceschi
/// et al. 2017, "data hyper-cleaning").
class Classification : public BilevelProblem {
 public:
  Classification(const Config& config, const ProblemContext& context)
      : data_(load_splits(config.object("data"), context.key.fold("data"),
                          context.options)),
        model_(ModelRegistry::instance().make(
            config.object("model"), data_.shape(), output_shape(data_.train))),
        layout_(model_->initial_weights(Key()).to(context.options)),
        train_batches_(data_.train.size(), config.integer("batch"),
                       context.key.fold("train")),
        valid_batches_(data_.valid.size(), config.integer("valid_batch"),
                       context.key.fold("valid")) {
    for (const Hyperparameter& named : model_->hyperparameters()) {
      for (const char* own : {"weight_decay", "example_weight"}) {
        if (named.name != own) continue;
        config.fail("model", fmt::format("a layer cannot refer to \"${}\", "
                                         "which is a number of the loss",
                                         own));
      }
    }
  }

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
    if (data_.train.classes != data_.train.size() &&
        data_.train.targets.dim() == 1) {
      weight.granularities.emplace_back("class", data_.train.classes);
    }
    weight.optional = true;

    std::vector<Hyperparameter> all = model_->hyperparameters();
    all.insert(all.begin(), {decay, weight});
    return all;
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return model_->initial_weights(key).to(layout_.tensors().front().options());
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw.step));
    std::vector<Tensor> penalties;
    Tensor loss = weighted_loss(
        model_->forward(weights, batch.input,
                        Pass::training_as(draw, hyper, &penalties)),
        batch, hyper, draw);
    for (const Tensor& penalty : penalties) loss = loss + penalty;
    if (!hyper.contains("weight_decay")) return loss;
    const Tensor& decay = hyper.at("weight_decay");
    if (draw.response != nullptr) {
      return loss + l2_penalty(weights, *draw.response, decay);
    }
    return loss +
           l2_penalty(draw.linear ? weights.map(to_first_order) : weights,
                      decay);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw& draw) const override {
    const Batch batch = data_.valid.rows(valid_batches_.rows(draw.step));
    return cross_entropy(
        model_->forward(weights, batch.input, Pass::evaluation_as(draw)),
        batch.target);
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override {
    const Batch batch = data_.train.rows(train_batches_.rows(draw.step));
    return model_->forward(weights, batch.input,
                           Pass::training_as(draw, hyper));
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override {
    return weighted_loss(
        outputs, data_.train.rows(train_batches_.rows(draw.step)), hyper, draw);
  }

  BatchSizes batch_sizes() const override {
    if (!model_->responds()) return {};
    return {train_batches_.batch_size(), valid_batches_.batch_size()};
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
  /// {classes}, or {time, classes} where the target is a sequence.
  static Shape output_shape(const Dataset& data) {
    Shape shape = data.targets.sizes().slice(1).vec();
    shape.push_back(data.classes);
    return shape;
  }

  /// Of outputs [..., classes] and targets [...].
  static Tensor cross_entropy(
      const Tensor& outputs, const Tensor& targets,
      at::Reduction::Reduction reduction = at::Reduction::Mean) {
    return at::cross_entropy_loss(outputs.reshape({-1, outputs.size(-1)}),
                                  targets.reshape(-1), {}, reduction);
  }

  Tensor weighted_loss(const Tensor& dual_outputs, const Batch& batch,
                       const ParameterSet& hyper, const Draw& draw) const {
    const Tensor outputs =
        draw.linear ? to_first_order(dual_outputs) : dual_outputs;
    if (!hyper.contains("example_weight")) {
      return cross_entropy(outputs, batch.target);
    }
    const Tensor each =
        cross_entropy(outputs, batch.target, at::Reduction::None)
            .view({outputs.size(0), -1})
            .mean(1);
    return (of_batch(hyper.at("example_weight"), batch, draw) * each).mean();
  }

  /// The factor of each example of a batch, from one per class or per example.
  Tensor of_batch(const Tensor& weight, const Batch& batch,
                  const Draw& draw) const {
    Tensor which = batch.target;
    if (weight.size(-1) == data_.train.size()) {
      which = batch.rows.defined()
                  ? batch.rows.to(weight.device())
                  : at::arange(data_.train.size(),
                               weight.options().dtype(at::kLong));
    }
    if (draw.response == nullptr) return weight.index_select(0, which);
    return weight.gather(1, which.unsqueeze(1)).squeeze(1);
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
      loss +=
          cross_entropy(outputs, targets, at::Reduction::Sum).item<double>();
      right += outputs.argmax(-1).eq(targets).sum().item<double>();
    }
    const auto n = static_cast<double>(data.targets.numel());
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
