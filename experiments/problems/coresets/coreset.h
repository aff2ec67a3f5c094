#pragma once

#include "experiments/data/data.h"

namespace nestgrad {

/// A small training set in the place of a large one: chosen from it, made of
/// it, or from elsewhere. Where distillation starts, and what it must beat.
class Coreset {
 public:
  static constexpr const char* kKind = "coresets";

  virtual ~Coreset() = default;

  /// So many examples, the classes taking turns: number i is of class
  /// i mod classes. Inputs and `data` are in the same units. Throws Error if
  /// there are not enough examples to choose from.
  virtual SoftExamples make(const Splits& data, std::int64_t examples,
                            const Key& key) const = 0;
};

using CoresetRegistry = Registry<Coreset>;

/// The class of each of so many examples, int64: they take turns.
Tensor classes_in_turn(std::int64_t examples, std::int64_t classes);

/// Base of those that treat one class after another and give certain labels.
class CoresetByClass : public Coreset {
 public:
  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key& key) const final;

 protected:
  /// [count, features] for the examples x [examples, features] of one class, at
  /// least `count` of them.
  virtual Tensor of_class(const Tensor& x, std::int64_t count,
                          const Key& key) const = 0;
};

}  // namespace nestgrad
