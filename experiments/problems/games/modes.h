#pragma once

#include <memory>

#include "core/problem.h"
#include "experiments/problems/sampled/trained_classifier.h"

namespace nestgrad {

/// Tells which of the classes of the data samples belong to: a generator that
/// makes examples of some classes only has lost modes.
///
/// Points belong to the class with the nearest mean if they are within three
/// standard deviations of it, and otherwise to none. Images belong to the class
/// that a TrainedClassifier gives a probability above 0.9, or to none.
class Modes {
 public:
  /// `steps`: how long the classifier is trained; 0: there is none, nearest
  /// means tell. Throws ConfigError unless every example has a class.
  Modes(const Config& config, const SampledData& data, std::int64_t steps,
        const Key& key);

  /// For samples [n, numbers]:
  ///
  ///   modes           classes with at least a quarter of the samples that they
  ///                   would have if they had the same share as in the data
  ///   quality         the share of the samples that belong to a class
  ///   mode_distance   sum |share in the samples - share in the data| / 2 over
  ///                   all classes and "none", 0 to 1
  Metrics of(const Tensor& samples) const;

 private:
  /// The class of each sample, int64, `classes` for none.
  Tensor classes_of(const Tensor& samples) const;

  std::int64_t classes_;
  Tensor share_;              // of each class in the data, [classes]
  Tensor means_, deviation_;  // [classes, numbers], [classes]
  std::unique_ptr<const TrainedClassifier> classifier_;  // or null
};

}  // namespace nestgrad
