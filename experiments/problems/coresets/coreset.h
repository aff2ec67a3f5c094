#pragma once

#include "experiments/data/data.h"

namespace nestgrad {

/// A small training set that replaces a large one: selected or computed from
/// it, or from elsewhere. Distillation starts from it and must beat it.
class Coreset {
 public:
  static constexpr const char* kKind = "coresets";

  virtual ~Coreset() = default;

  /// Returns `examples` examples; number i has class i mod classes, but in
  /// `all` and `file`. Inputs and `data` have the same units. Throws Error if
  /// there are too few examples to choose from.
  virtual SoftExamples make(const Splits& data, std::int64_t examples,
                            const Key& key) const = 0;
};

using CoresetRegistry = Registry<Coreset>;

/// Whether labels [examples, classes] are probabilities.
bool are_probabilities(const Tensor& labels);

/// The classes of `examples` examples, int64: 0, 1, ..., classes - 1, 0, 1, ...
Tensor classes_in_turn(std::int64_t examples, std::int64_t classes);

/// Base of coresets that treat each class separately and give one-hot labels.
class CoresetByClass : public Coreset {
 public:
  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key& key) const final;

 protected:
  /// Makes [count, features] from the examples x [examples, features] of one
  /// class. REQUIRES at least `count` examples.
  virtual Tensor of_class(const Tensor& x, std::int64_t count,
                          const Key& key) const = 0;
};

}  // namespace nestgrad
