#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/nn/model.h"
#include "experiments/problems/diffusion/reward.h"
#include "experiments/problems/diffusion/training.h"

namespace nestgrad {
namespace {

/// The logarithm of the probability of a class, by a perceptron that is trained
/// on the examples before:
///
///   r(x) = log softmax(f(x))_class.
class Classifier : public Reward {
 public:
  Classifier(const Config& config, const SampledData& data, const Key& key)
      : class_(config.integer("class")) {
    const Dataset& examples = data.examples;
    if (examples.classes == 0 || examples.targets.dim() != 1) {
      config.fail("type", "needs examples with a class each");
    }
    if (class_ >= examples.classes) {
      config.fail("class", fmt::format("must be below {}, the number of "
                                       "classes; is {}",
                                       examples.classes, class_));
    }
    model_ = ModelRegistry::instance().make(
        Json{{"type", "mlp"}}, {data.numbers()}, {examples.classes});
    const BatchSchedule batches(examples.size(), kBatch, key.fold("batches"),
                                examples.rows_device());
    weights_ =
        trained({config.integer("steps"), 1e-3},
                model_->initial_weights(key).to(examples.inputs.options()),
                [&](const ParameterSet& w, std::int64_t step) {
                  const Batch batch = examples.rows(batches.rows(step));
                  return at::cross_entropy_loss(
                      model_->forward(w, batch.input, Pass()), batch.target);
                });
  }

  static Schema schema() {
    return Schema(
               "Samples that a classifier takes for a class: the logarithm of "
               "its probability.")
        .integer("class", 0, "The class that is wanted.", at_least(0))
        .integer("steps", 1000,
                 "For how many steps the classifier, an mlp, is trained.",
                 at_least(1));
  }

  Tensor of(const Tensor& samples) const override {
    return model_->forward(weights_, samples, Pass())
        .log_softmax(-1)
        .select(-1, class_);
  }

 private:
  static constexpr std::int64_t kBatch = 128;

  std::int64_t class_;
  std::unique_ptr<const Model> model_;
  ParameterSet weights_;
};

NESTGRAD_REGISTER(RewardRegistry, "classifier", Classifier)

}  // namespace
}  // namespace nestgrad
