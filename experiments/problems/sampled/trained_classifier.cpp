#include "experiments/problems/sampled/trained_classifier.h"

#include <ATen/ATen.h>

#include "experiments/problems/sampled/short_training.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kClassifierBatch = 128;

}  // namespace

TrainedClassifier::TrainedClassifier(const Config& config,
                                     const SampledData& data,
                                     std::int64_t steps, const Key& key) {
  const Dataset& examples = data.examples;
  if (examples.classes == 0 || examples.targets.dim() != 1) {
    config.fail("type", "needs examples with a class each");
  }
  model_ = ModelRegistry::instance().make(Json{{"type", "mlp"}},
                                          {data.numbers()}, {examples.classes});
  const BatchSchedule batches(examples.size(), kClassifierBatch,
                              key.fold("batches"), examples.rows_device());
  weights_ = trained(
      {steps, 1e-3}, model_->initial_weights(key).to(examples.inputs.options()),
      [&](const ParameterSet& w, std::int64_t step) {
        const Batch batch = examples.rows(batches.rows(step));
        return at::cross_entropy_loss(model_->forward(w, batch.input, Pass()),
                                      batch.target);
      });
}

Tensor TrainedClassifier::log_probabilities(const Tensor& samples) const {
  return model_->forward(weights_, samples, Pass()).log_softmax(-1);
}

}  // namespace nestgrad
