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
    if (data.class_count == 0) {
      config.fail("type", "needs examples with classes");
    }
    if (class_ >= data.class_count) {
      config.fail("class", fmt::format("must be below {}, the number of "
                                       "classes; is {}",
                                       data.class_count, class_));
    }
    model_ = ModelRegistry::instance().make(
        Json{{"type", "mlp"}}, {data.examples.size(1)}, {data.class_count});
    const BatchSchedule batches(data.examples.size(0), kBatch,
                                key.fold("batches"), data.examples.device());
    weights_ = trained(
        {config.integer("steps"), 1e-3},
        model_->initial_weights(key).to(data.examples.options()),
        [&](const ParameterSet& w, std::int64_t step) {
          const Tensor rows = batches.rows(step);
          const auto of = [&](const Tensor& all) {
            return rows.defined() ? all.index_select(0, rows) : all;
          };
          return at::cross_entropy_loss(
              model_->forward(w, of(data.examples), Pass()), of(data.classes));
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
