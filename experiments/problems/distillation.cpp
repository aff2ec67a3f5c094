#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/tensor/autodiff.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/problems/network_problem.h"

namespace nestgrad {
namespace {

/// Stands for the logarithm of the probability 0 in learned labels.
constexpr double kLeastLogit = -5;

/// A few training examples that replace a large set (Wang, Zhu, Torralba and
/// Efros 2018, "Dataset distillation"). A network is trained on examples x with
/// labels p, both of them hyperparameters, and validated on real examples.
///
///   train_loss = mean_i sum_c -p_ic log softmax(y(w, x_i))_c
///                + sum_j weight_decay_j w_j^2 / 2
///   valid_loss = the mean cross entropy of real training examples
///
/// The first mean runs over a minibatch of the learned examples, the second
/// over one of the real ones. The labels are the softmax of the hyperparameter
/// `labels`, if the configuration names it, and otherwise the classes in turn.
class Distillation : public NetworkProblem {
 public:
  Distillation(const Config& config, const ProblemContext& context)
      : NetworkProblem(config, context, {"inputs", "labels"}),
        examples_(config.integer("examples")),
        train_batches_(examples_, config.integer("batch"),
                       context.key.fold("train"), context.options.device()),
        real_batches_(data_.train.size(), config.integer("valid_batch"),
                      context.key.fold("valid"), data_.train.rows_device()),
        key_(context.key.fold("coreset")) {
    if (!at::isFloatingType(data_.train.inputs.scalar_type())) {
      config.fail("data",
                  "must have numbers as inputs: tokens have no derivative");
    }
    start_ = made(config, "start", config.object("start"));
    for (const Config& coreset : config.objects("baselines")) {
      baselines_.emplace_back(coreset.type(),
                              made(config, "baselines", coreset));
    }
  }

  static Schema schema() {
    return network_schema(
               "A few training examples, learned so that a network trained on "
               "them performs well on real ones.")
        .tunes("inputs", kInputsMeaning)
        .tunes("labels", kLabelsMeaning)
        .integer("examples", 10,
                 "Number of learned examples. Classes take turns, so ten times "
                 "the number of classes gives ten per class.",
                 at_least(1))
        .object("start", CoresetRegistry::instance(), "noise",
                "The initial examples.")
        .objects("baselines", CoresetRegistry::instance(), Json::array(),
                 "Sets of examples that are also trained on in the end, for "
                 "comparison.")
        .integer("batch", 0, "Learned examples per training step; 0: all.",
                 at_least(0))
        .integer("valid_batch", 512, "Real examples per estimate; 0: all.",
                 at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter inputs;
    inputs.name = "inputs";
    inputs.meaning = kInputsMeaning;
    inputs.initial = start_.inputs;

    Hyperparameter labels;
    labels.name = "labels";
    labels.meaning = kLabelsMeaning;
    labels.initial = logits(start_.labels);
    labels.optional = true;
    return with_those_of_the_network({inputs, labels});
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    std::vector<Tensor> penalties;
    const Tensor outputs = answers(weights, hyper, draw, &penalties);
    return with_penalties(output_loss(outputs, hyper, draw), penalties, weights,
                          hyper, draw);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Batch batch = data_.train.rows(real_batches_.valid_rows(draw));
    return fit(
        model_->forward(weights, batch.input, Pass::evaluation_as(draw, hyper)),
        batch.target);
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.outputs = true;
    if (model_->abilities().separates_examples) {
      out.divisible_examples = {train_batches_.batch_size(),
                                real_batches_.batch_size()};
    }
    return out;
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw) const override {
    return answers(weights, hyper, draw, nullptr);
  }

  Tensor output_loss(const Tensor& outputs, const ParameterSet& hyper,
                     const Draw& draw) const override {
    return cross_entropy_of(
        to_first_order(outputs),
        of_batch(probabilities(hyper), train_batches_.rows(draw)));
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics metrics;
    const Tensor p = probabilities(hyper);
    const Dataset learned{hyper.at("inputs"), p.argmax(1), data_.train.classes,
                          data_.train.target_names};
    evaluate_on("train", learned, weights, hyper, metrics);
    evaluate_on("valid", data_.valid, weights, hyper, metrics);
    evaluate_on("test", data_.test, weights, hyper, metrics);
    const at::NoGradGuard no_tape;
    metrics["train_loss"] =
        cross_entropy_of(model_->forward(weights, learned.inputs,
                                         Pass::evaluation_as(Draw(), hyper)),
                         p)
            .item<double>();
    return metrics;
  }

  SoftExamples learned_examples(const ParameterSet& hyper) const override {
    return {data_.in_source_units(hyper.at("inputs")), probabilities(hyper),
            data_.train.target_names};
  }

  std::vector<std::pair<std::string, ParameterSet>> baselines() const override {
    std::vector<std::pair<std::string, ParameterSet>> out;
    for (const auto& [name, examples] : baselines_) {
      out.emplace_back(name, ParameterSet{{"inputs", examples.inputs},
                                          {"labels", logits(examples.labels)}});
    }
    return out;
  }

 private:
  SoftExamples made(const Config& config, const char* key,
                    const Config& coreset) const {
    try {
      return CoresetRegistry::instance().make(coreset)->make(data_, examples_,
                                                             key_);
    } catch (const ConfigError&) {
      throw;
    } catch (const Error& error) {
      config.fail(key, error.what());
    }
  }

  static Tensor logits(const Tensor& p) {
    return at::where(p > 0, p.log(), at::full_like(p, kLeastLogit));
  }

  /// [examples, classes]
  Tensor probabilities(const ParameterSet& hyper) const {
    return hyper.contains("labels") ? hyper.at("labels").softmax(1)
                                    : start_.labels;
  }

  static Tensor cross_entropy_of(const Tensor& outputs, const Tensor& p) {
    return -(p * outputs.log_softmax(1)).sum(1).mean();
  }

  static Tensor of_batch(const Tensor& all, const Tensor& rows) {
    return rows.defined() ? all.index_select(0, rows.to(all.device())) : all;
  }

  Tensor answers(const ParameterSet& weights, const ParameterSet& hyper,
                 const Draw& draw, std::vector<Tensor>* penalties) const {
    return model_->forward(
        weights, of_batch(hyper.at("inputs"), train_batches_.rows(draw)),
        Pass::training_as(draw, hyper, penalties));
  }

  static constexpr const char* kInputsMeaning =
      "The learned examples, in the units of the real ones.";
  static constexpr const char* kLabelsMeaning = "Logits of their labels.";

  std::int64_t examples_;
  BatchSchedule train_batches_, real_batches_;
  Key key_;
  SoftExamples start_;
  std::vector<std::pair<std::string, SoftExamples>> baselines_;
};

NESTGRAD_REGISTER(ProblemRegistry, "distillation", Distillation)

}  // namespace
}  // namespace nestgrad
