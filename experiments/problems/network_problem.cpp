#include "experiments/problems/network_problem.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "core/nn/bfloat16.h"
#include "core/nn/penalty.h"
#include "core/particles.h"
#include "core/tensor/autodiff.h"
#include "experiments/problems/evaluated_parts.h"
#include "experiments/problems/saved_network.h"

namespace nestgrad {
namespace {

constexpr const char* kDecay = "weight_decay";
constexpr const char* kDecayMeaning =
    "Factor d of the penalty d w^2 / 2 on the weights.";

/// The data that `config` describes. If its key "targets" says so, the inputs
/// are the targets as well, [examples, numbers].
Splits read_data(const Config& config, const ProblemContext& context) {
  const Config section = config.object("data");
  Splits data = load_splits(section, context.key.fold("data"), context.options);
  if (!config.has("targets") || config.text("targets") != "inputs") return data;
  if (data.train.stored || !data.train.inputs.is_floating_point()) {
    config.fail("targets",
                "cannot be \"inputs\" of tokens, nor of inputs that stay in "
                "their file");
  }
  if (section.boolean("standardize_targets")) {
    section.fail("standardize_targets",
                 "must be false where the targets are the inputs, which "
                 "\"standardize\" scales");
  }
  if (data.scaling.whitens()) {
    section.fail("whiten", "must be 0 where the targets are the inputs");
  }
  for (Dataset* part : {&data.train, &data.valid, &data.test}) {
    if (!part->inputs.defined()) continue;
    part->targets = part->inputs.flatten(1);
    part->classes = 0;
    part->target_names.clear();
  }
  data.corrupted = Tensor();
  if (!data.scaling.standardizes()) return data;
  const auto of_each_number = [&](const Tensor& t) {
    return t.expand_as(data.train.inputs.narrow(0, 0, 1))
        .flatten()
        .to(at::kDouble);
  };
  data.target_mean = of_each_number(data.scaling.mean);
  data.target_deviation = of_each_number(data.scaling.deviation);
  return data;
}

/// {outputs}, or {time, outputs} where the target is a sequence of classes.
Shape output_shape(const Dataset& data, const Loss& loss) {
  Shape shape;
  if (data.classes > 0) shape = data.targets.sizes().slice(1).vec();
  shape.push_back(loss.outputs(data));
  return shape;
}

/// What `config` says or, if it has no such key, cross entropy of classes.
Loss read_loss(const Config& config, const Splits& data, bool wants_classes) {
  const bool chooses = config.has("loss");
  if (data.train.classes == 0 && (wants_classes || !chooses)) {
    config.fail("data", "must have classes as targets, not numbers");
  }
  return chooses ? Loss(config, data) : Loss();
}

}  // namespace

NetworkProblem::NetworkProblem(const Config& config,
                               const ProblemContext& context,
                               const std::vector<std::string>& of_loss,
                               Targets targets)
    : data_(read_data(config, context)),
      loss_(read_loss(config, data_, targets == Targets::kClasses)),
      model_(make_model(config.object("model"), data_.shape(),
                        output_shape(data_.train, loss_), context.bfloat16)),
      // Expanded from one number, so the layout needs no memory.
      layout_(model_->initial_weights(Key()).map([&](const Tensor& t) {
        return at::empty({}, t.options()).to(context.options).expand(t.sizes());
      })) {
  std::vector<std::string> taken = of_loss;
  taken.emplace_back(kDecay);
  for (const Hyperparameter& named : model_->hyperparameters()) {
    for (const std::string& name : taken) {
      if (named.name != name) continue;
      config.fail("model", fmt::format("a layer cannot refer to \"${}\", "
                                       "which is a number of the loss",
                                       name));
    }
  }
}

Schema NetworkProblem::network_schema(std::string meaning) {
  return Schema(std::move(meaning))
      .object("data", DataRegistry::instance(), "fashion_mnist",
              "The examples.")
      .object("model", ModelRegistry::instance(), "mlp", "The network.")
      .tunes(kDecay, kDecayMeaning);
}

ParameterSet NetworkProblem::initial_weights(const ParameterSet&,
                                             const Key& key) const {
  return model_->initial_weights(key).to(layout_.tensors().front().options());
}

Json NetworkProblem::network(const ParameterSet& hyper) const {
  SavedNetwork out{Preparation::of(data_), loss_,
                   output_shape(data_.train, loss_)};
  for (const Hyperparameter& named : model_->hyperparameters()) {
    out.settings.insert(named.name, hyper.at(named.name).detach());
  }
  return out.to_json();
}

const Dataset& NetworkProblem::part(const std::string& name) const {
  if (name == "train") return data_.train;
  if (name == "valid") return data_.valid;
  require(name == "test", "there are no '{}' examples", name);
  return data_.test;
}

std::int64_t NetworkProblem::example_count(const std::string& part) const {
  const Dataset& data = this->part(part);
  return data.inputs.defined() ? data.size() : 0;
}

KnownExamples NetworkProblem::examples(const std::string& part,
                                       const Tensor& rows) const {
  const Dataset& data = this->part(part);
  const Tensor all = at::arange(data.size(), at::kLong);
  const Tensor which = rows.defined() ? rows.to(at::kCPU) : all;
  const Batch batch = data.rows(which.to(data.rows_device()));
  KnownExamples out{data_.in_source_units(batch.input),
                    data.classes > 0
                        ? batch.target
                        : data_.targets_in_source_units(batch.target),
                    data.target_names};
  const Tensor& source = part == "train"   ? data_.train_rows
                         : part == "valid" ? data_.valid_rows
                                           : data_.test_rows;
  const Tensor places =
      source.defined() ? source.index_select(0, which) : which;
  const std::int64_t* first = places.contiguous().data_ptr<std::int64_t>();
  out.rows.assign(first, first + places.numel());
  if (part == "train" && data_.corrupted.defined()) {
    out.corrupted = data_.corrupted.to(at::kCPU).index_select(0, which);
  }
  return out;
}

Tensor NetworkProblem::example_losses(const std::string& part,
                                      const Tensor& rows,
                                      const ParameterSet& weights,
                                      const ParameterSet& hyper) const {
  const Dataset& data = this->part(part);
  const Batch batch =
      data.rows(rows.defined() ? rows.to(data.rows_device()) : Tensor());
  return fit_of_examples(
      model_->forward(weights, batch.input, Pass::evaluation_as(Draw(), hyper)),
      batch.target, /*particles=*/0);
}

std::vector<Hyperparameter> NetworkProblem::with_those_of_the_network(
    std::vector<Hyperparameter> of_loss) const {
  Hyperparameter decay;
  decay.name = kDecay;
  decay.meaning = kDecayMeaning;
  decay.initial = at::scalar_tensor(1e-4, at::kDouble);
  decay.coordinates = Coordinates::log();
  decay.granularities = weight_granularities(layout_);
  decay.optional = true;
  of_loss.insert(of_loss.begin(), decay);
  for (Hyperparameter& named : model_->hyperparameters()) {
    of_loss.push_back(std::move(named));
  }
  return of_loss;
}

Tensor NetworkProblem::with_penalties(Tensor loss,
                                      const std::vector<Tensor>& of_layers,
                                      const ParameterSet& weights,
                                      const ParameterSet& hyper,
                                      const Draw& draw) const {
  for (const Tensor& penalty : of_layers) loss = loss + penalty;
  if (!hyper.contains(kDecay)) return loss;
  const Tensor& decay = hyper.at(kDecay);
  if (draw.response != nullptr) {
    return loss + l2_penalty(weights, *draw.response, decay);
  }
  if (draw.particles > 0) {
    return loss + l2_penalty(weights, decay, draw.particles);
  }
  return loss + l2_penalty(to_first_order(weights), decay);
}

Tensor NetworkProblem::fit_of_examples(const Tensor& outputs,
                                       const Tensor& targets,
                                       std::int64_t particles) const {
  if (particles == 0) {
    return loss_(outputs, targets, at::Reduction::None)
        .view({outputs.size(0), -1})
        .mean(1);
  }
  return loss_(outputs.flatten(0, 1),
               repeated(targets, particles).flatten(0, 1), at::Reduction::None)
      .view({outputs.size(0), outputs.size(1), -1})
      .mean(2);
}

void NetworkProblem::evaluate_on(const std::string& name, const Dataset& data,
                                 const ParameterSet& weights,
                                 const ParameterSet& hyper, Metrics& metrics,
                                 const Tensor& of_classes) const {
  if (!data.inputs.defined() || data.size() == 0) return;
  const at::NoGradGuard no_tape;
  double loss = 0, right = 0;
  std::vector<Tensor> predictions;
  const bool only_accuracy = scores_.only_accuracy();
  each_evaluated_part(data.size(), [&](std::int64_t first, std::int64_t n) {
    const Tensor outputs =
        model_->forward(weights, data.loaded(first, n).inputs,
                        Pass::evaluation_as(Draw(), hyper));
    const Tensor targets = data.targets.narrow(0, first, n);
    if (of_classes.defined()) {
      loss += at::dot(of_classes.index_select(0, targets),
                      loss_(outputs, targets, at::Reduction::None))
                  .item<double>();
    } else {
      loss += loss_(outputs, targets, at::Reduction::Sum).item<double>();
    }
    const Tensor predicted = loss_.predictions(outputs);
    // Logits of many time steps may be too large to keep.
    if (only_accuracy) {
      right += Scores::are_right(predicted, targets).sum().item<double>();
    } else if (!scores_.empty()) {
      predictions.push_back(data_.targets_in_source_units(predicted));
    }
  });
  const auto answers = static_cast<double>(data.targets.numel());
  Metrics found;
  if (only_accuracy) {
    found[name + "_accuracy"] = right / answers;
  } else if (!scores_.empty()) {
    found = scores_.of(at::cat(predictions),
                       data_.targets_in_source_units(data.targets), name + "_");
  }
  // Outputs that are NaN come first in every order, which is no merit.
  for (auto& score : found) {
    if (std::isnan(loss)) score.second = loss;
  }
  found[name + "_loss"] =
      loss / (data.classes > 0 ? answers : static_cast<double>(data.size()));
  metrics.merge(found);
}

}  // namespace nestgrad
