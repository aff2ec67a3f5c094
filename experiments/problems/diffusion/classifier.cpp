#include <ATen/ATen.h>
#include <fmt/format.h>

#include "experiments/problems/diffusion/reward.h"
#include "experiments/problems/sampled/trained_classifier.h"

namespace nestgrad {
namespace {

/// The logarithm of the probability of a class, by a perceptron that is trained
/// on the examples before:
///
///   r(x) = log softmax(f(x))_class.
class Classifier : public Reward {
 public:
  Classifier(const Config& config, const SampledData& data, const Key& key)
      : class_(config.integer("class")),
        classifier_(config, data, config.integer("steps"), key) {
    if (class_ >= data.examples.classes) {
      config.fail("class", fmt::format("must be below {}, the number of "
                                       "classes; is {}",
                                       data.examples.classes, class_));
    }
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
    return classifier_.log_probabilities(samples).select(-1, class_);
  }

 private:
  std::int64_t class_;
  TrainedClassifier classifier_;
};

NESTGRAD_REGISTER(RewardRegistry, "classifier", Classifier)

}  // namespace
}  // namespace nestgrad
