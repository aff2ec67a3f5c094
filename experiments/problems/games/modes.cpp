#include "experiments/problems/games/modes.h"

#include <ATen/ATen.h>

namespace nestgrad {
namespace {

constexpr double kDeviations = 3;
constexpr double kSure = 0.9;
constexpr double kLeast = 0.25;

}  // namespace

Modes::Modes(const Config& config, const SampledData& data, std::int64_t steps,
             const Key& key)
    : classes_(data.examples.classes) {
  const Dataset& examples = data.examples;
  if (classes_ == 0 || examples.targets.dim() != 1) {
    config.fail("data",
                "must have a class for every example: they are the "
                "modes that are counted");
  }
  share_ = at::bincount(examples.targets, {}, classes_).to(at::kDouble) /
           static_cast<double>(examples.size());
  if (steps > 0) {
    classifier_ = std::make_unique<TrainedClassifier>(config, data, steps, key);
    return;
  }
  const Tensor is = at::one_hot(examples.targets, classes_)
                        .to(examples.inputs.options());  // [examples, classes]
  const Tensor counts = is.sum(0).clamp_min(1);
  means_ = at::mm(is.t(), examples.inputs) / counts.unsqueeze(1);
  const Tensor off =
      (examples.inputs - means_.index_select(0, examples.targets))
          .square()
          .mean(1);
  deviation_ = (at::mv(is.t(), off) / counts).sqrt();
}

Tensor Modes::classes_of(const Tensor& samples) const {
  if (classifier_) {
    const auto [sure, best] =
        classifier_->log_probabilities(samples).exp().max(1);
    return best.masked_fill(sure <= kSure, classes_);
  }
  const auto [nearest, best] = at::cdist(samples, means_).min(1);
  return best.masked_fill(
      nearest > kDeviations * deviation_.index_select(0, best), classes_);
}

Metrics Modes::of(const Tensor& samples) const {
  const Tensor shares =
      at::bincount(classes_of(samples), {}, classes_ + 1).to(at::kDouble) /
      static_cast<double>(samples.size(0));
  const Tensor known = shares.slice(0, 0, classes_);
  const Tensor lost = (known - share_).abs().sum() + shares[classes_];
  return {{"modes", at::logical_and(share_ > 0, known >= kLeast * share_)
                        .sum()
                        .item<double>()},
          {"quality", known.sum().item<double>()},
          {"mode_distance", 0.5 * lost.item<double>()}};
}

}  // namespace nestgrad
