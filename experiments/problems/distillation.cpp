#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/problems/evaluated_parts.h"
#include "experiments/problems/kernel_ridge.h"
#include "experiments/problems/network_problem.h"

namespace nestgrad {
namespace {

/// What the labels of learned examples are.
enum class Labels {
  kProbabilities,  ///< the softmax of the hyperparameter
  kWeights,        ///< positive numbers, the hyperparameter
  kTargets         ///< any numbers, which outputs are to be
};

/// Stands for the logarithm of the probability or the weight 0 in labels that
/// are learned, and in those that are only judged.
constexpr double kLeastLogit = -5, kLeastJudged = -50;

/// A few training examples that replace a large set (Wang, Zhu, Torralba and
/// Efros 2018, "Dataset distillation"). A network is trained on examples x with
/// labels, both of them hyperparameters, and validated on real examples.
///
///   train_loss = mean_i l_i + sum_j weight_decay_j w_j^2 / 2
///   valid_loss = the mean loss of real training examples
///
/// The first mean runs over a minibatch of the learned examples, the second
/// over one of the real ones. With the loss `cross_entropy`,
///
///   l_i = sum_c -p_ic log softmax(y(w, x_i))_c
///
/// where p is the softmax of the hyperparameter `labels`, if the configuration
/// names it, and otherwise the classes in turn; with the soft labels `weights`,
/// p are positive numbers that need not add up to 1, so that examples have
/// weights (RaT-BPTT: Feng, Vedantam and Kempe 2024, "Embarrassingly simple
/// dataset distillation"). With `squared_error`, the
/// labels Y are the numbers that outputs are to be, 1 for the class and 0 for
/// the others at first:
///
///   l_i = |y(w, x_i) - Y_i|^2 / 2
///
/// With the head `kernel_ridge` (FRePo: Zhou, Nezhadarya and Ba 2022, "Dataset
/// distillation using neural feature regression"), real examples are not judged
/// by the last layer of w but by the one that the learned examples lead to in
/// closed form: kernel_ridge() of the features that w computes, for labels less
/// their mean 1/C over C classes,
///
///   y(x) = 1/C + kernel_ridge(phi(w, x), phi(w, x_s), Y - 1/C)
///   valid_loss = mean_t |y(x_t) - Y_t|^2 / 2 - mean_i min(top_i, 1/C)
///
/// top_i is how far the largest number of the label Y_i is above the second.
/// With a `temperature` tau, the first term is the cross entropy of softmax(y /
/// tau) instead, which asks that the right class is ahead, not that y is 1
/// there (Platt scaling, in RFAD: Loo, Hasani, Amini and Rus 2022, "Efficient
/// dataset distillation using random feature approximation").
class Distillation : public NetworkProblem {
 public:
  Distillation(const Config& config, const ProblemContext& context)
      : NetworkProblem(config, context, {"inputs", "labels"},
                       Targets::kClasses),
        kind_(config.text("loss") == "squared_error" ? Labels::kTargets
              : config.text("soft_labels") == "weights"
                  ? Labels::kWeights
                  : Labels::kProbabilities),
        by_ridge_(config.text("head") == "kernel_ridge"),
        ridge_(config.number("ridge")),
        temperature_(config.number_or("temperature", 0)),
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
    if (config.text("soft_labels") == "weights" && kind_ != Labels::kWeights) {
      config.fail("soft_labels",
                  "\"weights\" are for the loss \"cross_entropy\"");
    }
    if (by_ridge_ && kind_ != Labels::kTargets) {
      config.fail("head", "\"kernel_ridge\" needs the loss \"squared_error\"");
    }
    if (config.has("temperature") && !by_ridge_) {
      config.fail("temperature", "is a key of the head \"kernel_ridge\"");
    }
    if (by_ridge_ && !model_->abilities().features) {
      config.fail("head",
                  "\"kernel_ridge\" needs a model made of layers, which tells "
                  "what the last of them gets");
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
                 at_least(0))
        .choice("loss", "cross_entropy",
                "How labels are learned from: cross_entropy, where they are "
                "probabilities, or squared_error, where they are numbers that "
                "the outputs are to be.",
                {"cross_entropy", "squared_error"})
        .choice("soft_labels", "probabilities",
                "What labels are learned as where the loss is the cross "
                "entropy: probabilities, or weights: positive numbers that "
                "need not add up to 1.",
                {"probabilities", "weights"})
        .choice("head", "network",
                "What judges real examples: the network, or kernel_ridge "
                "(FRePo), its features with the last layer that the learned "
                "examples lead to in closed form.",
                {"network", "kernel_ridge"})
        .number("ridge", 1e-6,
                "Of kernel_ridge: lambda, in units of the mean squared length "
                "of the features.",
                above(0))
        .number("temperature", kAbsent,
                "Of kernel_ridge: what its answers are divided by for the "
                "cross entropy of real examples (RFAD). Default: they are "
                "judged by the squared error.",
                above(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter inputs;
    inputs.name = "inputs";
    inputs.meaning = kInputsMeaning;
    inputs.initial = start_.inputs;

    Hyperparameter labels;
    labels.name = "labels";
    labels.meaning = kLabelsMeaning;
    labels.initial = as_hyper(start_.labels);
    if (kind_ == Labels::kWeights) labels.coordinates = Coordinates::softplus();
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
    const Pass pass = Pass::evaluation_as(draw, hyper);
    if (!by_ridge_) {
      return fit(model_->forward(weights, batch.input, pass), batch.target);
    }
    const Tensor labels = this->labels(hyper);
    const double mean = 1 / static_cast<double>(labels.size(1));
    const SharedWeights w(weights);
    const Tensor answers =
        mean + kernel_ridge(model_->features(w, batch.input, pass),
                            model_->features(w, hyper.at("inputs"),
                                             Pass::training_as(draw, hyper)),
                            labels - mean, ridge_);
    const Tensor two = std::get<0>(labels.topk(2, 1));
    const Tensor top = two.select(1, 0) - two.select(1, 1);
    const Tensor loss =
        temperature_ > 0
            ? Loss()(answers / temperature_, batch.target, at::Reduction::Mean)
            : fit(answers, batch.target);
    return loss - top.clamp_max(mean).mean();
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.outputs = true;
    out.rounds = model_->abilities().rounds;
    // The closed form looks at all learned examples.
    if (!by_ridge_ && model_->abilities().separates_examples) {
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
    return fit_to_labels(to_first_order(outputs),
                         of_batch(labels(hyper), train_batches_.rows(draw)));
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics metrics;
    const Tensor p = labels(hyper);
    const Dataset learned{hyper.at("inputs"), p.argmax(1), data_.train.classes,
                          data_.train.target_names};
    evaluate_on("train", learned, weights, hyper, metrics);
    evaluate_on("valid", data_.valid, weights, hyper, metrics);
    evaluate_on("test", data_.test, weights, hyper, metrics);
    const at::NoGradGuard no_tape;
    double loss = 0;
    each_evaluated_part(p.size(0), [&](std::int64_t first, std::int64_t n) {
      const Tensor outputs =
          model_->forward(weights, learned.inputs.narrow(0, first, n),
                          Pass::evaluation_as(Draw(), hyper));
      loss += static_cast<double>(n) / static_cast<double>(p.size(0)) *
              fit_to_labels(outputs, p.narrow(0, first, n)).item<double>();
    });
    metrics["train_loss"] = loss;
    return metrics;
  }

  /// With a temperature labels may be of any size, and with them the outputs of
  /// networks that learn from them: their squared errors say little.
  std::string metric() const override {
    return temperature_ > 0 ? "valid_accuracy" : NetworkProblem::metric();
  }

  SoftExamples learned_examples(const ParameterSet& hyper) const override {
    return {data_.in_source_units(hyper.at("inputs")), labels(hyper),
            data_.train.target_names};
  }

  /// Where the cross entropy wants probabilities, labels that are not negative
  /// count in proportion, and others as their largest class.
  ParameterSet hyper_of(const SoftExamples& examples) const override {
    Tensor labels = examples.labels;
    if (kind_ == Labels::kProbabilities && !are_probabilities(labels)) {
      const Tensor sum = labels.sum(1, /*keepdim=*/true);
      const bool has_shares =
          (labels >= 0).all().item<bool>() && (sum > 0).all().item<bool>();
      labels = has_shares ? labels / sum
                          : at::one_hot(labels.argmax(1), labels.size(1))
                                .to(labels.scalar_type());
    }
    return {{"inputs", data_.prepared(examples.inputs)},
            {"labels", as_hyper(labels, kLeastJudged)}};
  }

  std::vector<std::pair<std::string, ParameterSet>> baselines() const override {
    std::vector<std::pair<std::string, ParameterSet>> out;
    for (const auto& [name, examples] : baselines_) {
      out.emplace_back(name,
                       ParameterSet{{"inputs", examples.inputs},
                                    {"labels", as_hyper(examples.labels)}});
    }
    return out;
  }

 private:
  SoftExamples made(const Config& config, const char* key,
                    const Config& coreset) const {
    try {
      SoftExamples out = CoresetRegistry::instance().make(coreset)->make(
          data_, examples_, key_);
      require(kind_ != Labels::kProbabilities || are_probabilities(out.labels),
              "the labels are not probabilities, which the loss "
              "\"cross_entropy\" needs");
      require(kind_ != Labels::kWeights || (out.labels >= 0).all().item<bool>(),
              "a number of a label is negative, which no weight can be");
      return out;
    } catch (const ConfigError&) {
      throw;
    } catch (const Error& error) {
      config.fail(key, error.what());
    }
  }

  /// The hyperparameter that stands for labels p, [examples, classes].
  Tensor as_hyper(const Tensor& p, double least = kLeastLogit) const {
    switch (kind_) {
      case Labels::kProbabilities:
        return at::where(p > 0, p.log(), at::full_like(p, least));
      case Labels::kWeights:
        return at::where(p > 0, p, at::full_like(p, std::exp(least)));
      case Labels::kTargets:
        break;
    }
    return p;
  }

  /// [examples, classes]
  Tensor labels(const ParameterSet& hyper) const {
    if (!hyper.contains("labels")) return start_.labels;
    const Tensor& given = hyper.at("labels");
    return kind_ == Labels::kProbabilities ? given.softmax(1) : given;
  }

  Tensor fit_to_labels(const Tensor& outputs, const Tensor& labels) const {
    return kind_ == Labels::kTargets
               ? 0.5 * (outputs - labels).square().sum(1).mean()
               : -(labels * outputs.log_softmax(1)).sum(1).mean();
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
  static constexpr const char* kLabelsMeaning =
      "Their labels: logits, weights or, with squared_error, numbers.";

  Labels kind_;
  bool by_ridge_;  // the head, not that of the network
  double ridge_;
  double temperature_;  // 0: the squared error
  std::int64_t examples_;
  BatchSchedule train_batches_, real_batches_;
  Key key_;
  SoftExamples start_;
  std::vector<std::pair<std::string, SoftExamples>> baselines_;
};

NESTGRAD_REGISTER(ProblemRegistry, "distillation", Distillation)

}  // namespace
}  // namespace nestgrad
