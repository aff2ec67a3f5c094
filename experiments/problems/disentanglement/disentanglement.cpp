#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <array>
#include <optional>

#include "core/nn/bfloat16.h"
#include "core/tensor/part.h"
#include "experiments/data/data.h"
#include "experiments/problems/disentanglement/coloured_images.h"
#include "experiments/problems/games/game.h"

namespace nestgrad {
namespace {

/// Images whose kind and colour are correlated in training, and a code with a
/// part for each factor that is to work where they are not (Funke, Vicol, Wang,
/// Kuemmerer, Zemel and Bethge 2022, "Disentanglement and generalization under
/// correlation shifts").
///
/// Player 1 is an encoder, z = (z_1, z_2), and a linear head for each part. It
/// descends the cross entropies of both heads and `strength` times how well
/// player 2, discriminators, can tell codes from codes of which one part comes
/// from another example:
///
///   unconditional   D(z_1, z_2) against D(z_1, z_2 of any example)
///   conditional     D_k(z_k, z_j, y_k) against D_k(z_k, z_j of an example with
///                   the same y_k, y_k), for each factor k with the label y_k
///
/// Nobody can tell the first if the parts say nothing of each other,
/// I(z_1; z_2) = 0, nor the second if they do not given either factor,
/// I(z_1; z_2 | y_k) = 0. Player 2 descends the cross entropy of its answers.
class Disentanglement : public Game {
 public:
  Disentanglement(const Config& config, const ProblemContext& context)
      : options_(context.options),
        adversary_(config.text("adversary")),
        strength_(config.number("strength")),
        size_(config.integer("code")),
        batch_(config.integer("batch")),
        evaluation_(context.key.fold("evaluation")) {
    read_data(config, context);
    encoder_ = make_model(config.object("encoder"),
                          train_.images.sizes().slice(1).vec(), {2 * size_},
                          context.bfloat16);
    const std::int64_t inputs = 2 * size_ + (conditional() ? classes_ : 0);
    for (int k = 0; k < discriminator_count(); ++k) {
      discriminators_.push_back(make_model(config.object("discriminator"),
                                           {inputs}, {1}, context.bfloat16));
      first_.append(
          fmt::format("{}.", k),
          discriminators_.back()
              ->initial_weights(context.key.fold(kDiscriminators)
                                    .fold(static_cast<std::uint64_t>(k)))
              .to(options_));
    }
  }

  static Schema schema() {
    return Schema(
               "A code for images with a part for their kind and one for their "
               "colour, which are correlated in training.")
        .tunes(kDiscriminators, kDiscriminatorsMeaning)
        .object("data", DataRegistry::instance(), "fashion_mnist",
                "Grey images with classes, which become kinds.")
        .integer("shrink", 1,
                 "Images are averaged over squares of this many pixels a side.",
                 at_least(1))
        .number("correlation", 0.9,
                "The share of training and validation images with the colour "
                "that belongs to their kind.",
                from_to(-1, 1))
        .number("test_correlation", -0.9,
                "The same in the test; negative: the share with any other "
                "colour.",
                from_to(-1, 1))
        .object("encoder", ModelRegistry::instance(), "mlp",
                "Makes the code of an image.")
        .object("discriminator", ModelRegistry::instance(), "mlp",
                "Tells codes from those with a part of another example.")
        .integer("code", 10, "Numbers of each part of the code.", at_least(1))
        .choice("adversary", "conditional",
                "What the parts of the code may not say about each other: "
                "anything (unconditional), or anything that a factor does not "
                "say (conditional).",
                {"conditional", "unconditional", "none"})
        .number("strength", 1, "Factor of the adversary in the loss.",
                at_least(0))
        .integer("batch", 128, "Images per step; 0: all.", at_least(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    if (discriminators_.empty()) return {};
    Hyperparameter out;
    out.name = kDiscriminators;
    out.meaning = kDiscriminatorsMeaning;
    out.initial = first_.flatten();
    return {out};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    ParameterSet weights = encoder_->initial_weights(key).to(options_);
    for (int k = 0; k < 2; ++k) {
      const std::string name = fmt::format("head_{}", k + 1);
      const Tensor like = at::empty({classes_, size_}, options_);
      weights.insert(name, key.fold(name).normal(like) /
                               std::sqrt(static_cast<double>(size_)));
    }
    return weights;
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Rows rows = rows_of(batches_->rows(draw));
    const Tensor code = code_of(weights, rows.images);
    Tensor loss =
        0.5 * (fit(weights, code, rows, 0) + fit(weights, code, rows, 1));
    for (int k = 0; k < discriminator_count(); ++k) {
      // To be taken for each other.
      const auto [real, mixed] = scores(hyper, code, rows, k, draw.key);
      loss = loss - strength_ * (at::log_sigmoid(-real).mean() +
                                 at::log_sigmoid(mixed).mean());
    }
    return loss;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Rows rows = rows_of(batches_->rows(draw));
    const Tensor code = code_of(weights, rows.images);
    Tensor loss = at::zeros({}, options_);
    for (int k = 0; k < discriminator_count(); ++k) {
      const auto [real, mixed] = scores(hyper, code, rows, k, draw.key);
      loss =
          loss - at::log_sigmoid(real).mean() - at::log_sigmoid(-mixed).mean();
    }
    return loss;
  }

  /// The share of images whose kind and whose colour are recognized, with the
  /// correlation of training (valid) and with that of the test.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    const at::NoGradGuard no_tape;
    Metrics out = {
        {"valid_loss",
         valid_loss(weights, hyper, Draw{0, evaluation_}).item<double>()}};
    for (const auto& [name, images] :
         {std::pair("valid", &valid_), {"test", &test_}}) {
      if (!images->images.defined()) continue;
      const Tensor code = code_of(weights, images->images);
      const double kind = accuracy(weights, code, images->kinds, 0),
                   colour = accuracy(weights, code, images->colours, 1);
      out[fmt::format("{}_kind_accuracy", name)] = kind;
      out[fmt::format("{}_colour_accuracy", name)] = colour;
      out[fmt::format("{}_accuracy", name)] = 0.5 * (kind + colour);
    }
    return out;
  }

  std::string metric() const override { return "valid_accuracy"; }

 private:
  static constexpr const char* kDiscriminators = "discriminators";
  static constexpr const char* kDiscriminatorsMeaning =
      "The weights of all discriminators, player 2.";

  struct Rows {
    Tensor images;
    std::array<Tensor, 2> labels;  // kinds, colours
    std::array<Tensor, 2> groups;  // the same on the CPU, to be shuffled there
  };

  bool conditional() const { return adversary_ == "conditional"; }

  int discriminator_count() const {
    return conditional() ? 2 : adversary_ == "none" ? 0 : 1;
  }

  void read_data(const Config& config, const ProblemContext& context) {
    const Splits splits = load_splits(
        config.object("data"), context.key.fold("data"), context.options);
    classes_ = splits.train.classes;
    if (classes_ < 2 || splits.train.targets.dim() != 1 ||
        splits.shape().size() != 3 || splits.shape()[0] != 1) {
      config.fail("data", "must be grey images with a class each");
    }
    const std::int64_t side = config.integer("shrink");
    const auto made = [&](const Dataset& grey, const char* correlation,
                          const char* name) {
      if (!grey.inputs.defined()) return ColouredImages{};
      Dataset images = grey.loaded();
      if (side > 1) images.inputs = at::avg_pool2d(images.inputs, {side, side});
      return coloured(images, config.number(correlation),
                      context.key.fold("colours").fold(name));
    };
    train_ = made(splits.train, "correlation", "train");
    valid_ = made(splits.valid, "correlation", "valid");
    test_ = made(splits.test, "test_correlation", "test");
    groups_ = {train_.kinds.cpu(), train_.colours.cpu()};
    identity_ = at::eye(classes_, options_);
    batches_.emplace(train_.images.size(0), batch_,
                     context.key.fold("batches"));
  }

  /// `rows` are on the CPU.
  Rows rows_of(const Tensor& rows) const {
    if (!rows.defined()) {
      return {train_.images, {train_.kinds, train_.colours}, groups_};
    }
    const Tensor there = rows.to(train_.images.device());
    return {
        train_.images.index_select(0, there),
        {train_.kinds.index_select(0, there),
         train_.colours.index_select(0, there)},
        {groups_[0].index_select(0, rows), groups_[1].index_select(0, rows)}};
  }

  /// [n, 2 size].
  Tensor code_of(const ParameterSet& weights, const Tensor& images) const {
    return encoder_->forward(part(weights, 0, weights.size() - 2), images,
                             Pass());
  }

  Tensor part_of(const Tensor& code, int k) const {
    return code.narrow(1, k * size_, size_);
  }

  Tensor logits(const ParameterSet& weights, const Tensor& code, int k) const {
    const auto head = weights.size() - 2 + static_cast<std::size_t>(k);
    return at::mm(part_of(code, k), weights.tensors()[head].t());
  }

  Tensor fit(const ParameterSet& weights, const Tensor& code, const Rows& rows,
             int k) const {
    return at::cross_entropy_loss(logits(weights, code, k),
                                  rows.labels[static_cast<std::size_t>(k)]);
  }

  double accuracy(const ParameterSet& weights, const Tensor& code,
                  const Tensor& labels, int k) const {
    return logits(weights, code, k)
        .argmax(1)
        .eq(labels)
        .to(at::kDouble)
        .mean()
        .item<double>();
  }

  /// What discriminator k says of codes, and of codes of which the other part
  /// comes from another example.
  std::pair<Tensor, Tensor> scores(const ParameterSet& hyper,
                                   const Tensor& code, const Rows& rows, int k,
                                   const Key& key) const {
    const auto number = static_cast<std::size_t>(k);
    const Tensor& group = rows.groups[number];
    const Tensor others =
        shuffled_within(conditional() ? group : at::zeros_like(group),
                        key.fold(static_cast<std::uint64_t>(k)))
            .to(code.device());
    std::vector<Tensor> real = {part_of(code, k), part_of(code, 1 - k)};
    std::vector<Tensor> mixed = {real[0], real[1].index_select(0, others)};
    if (conditional()) {
      const Tensor given = identity_.index_select(0, rows.labels[number]);
      real.push_back(given);
      mixed.push_back(given);
    }
    const ParameterSet all = first_.unflatten(hyper.at(kDiscriminators));
    const std::size_t each = all.size() / discriminators_.size();
    const ParameterSet own = part(all, number * each, each);
    const Model& model = *discriminators_[number];
    return {model.forward(own, at::cat(real, 1), Pass()),
            model.forward(own, at::cat(mixed, 1), Pass())};
  }

  at::TensorOptions options_;
  std::string adversary_;
  double strength_;
  std::int64_t size_, batch_, classes_ = 0;
  Key evaluation_;
  ColouredImages train_, valid_, test_;
  std::array<Tensor, 2> groups_;  // kinds and colours of train_, on the CPU
  Tensor identity_;               // [classes, classes]
  std::optional<BatchSchedule> batches_;  // rows are on the CPU
  std::unique_ptr<const Model> encoder_;
  std::vector<std::unique_ptr<const Model>> discriminators_;
  ParameterSet first_;  // of all discriminators
};

NESTGRAD_REGISTER(ProblemRegistry, "disentanglement", Disentanglement)

}  // namespace
}  // namespace nestgrad
