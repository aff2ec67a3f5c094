#pragma once

#include <string>
#include <vector>

#include "core/problem.h"
#include "experiments/problems/loss.h"

namespace nestgrad {

/// What predictions for some examples are judged by, beside the loss.
///
/// Classes, predicted by logits [n, classes] or [n, time, classes]:
///   accuracy           share of right answers
///   balanced_accuracy  mean of the recalls of all classes that have examples
///   recall.CLASS       share of the examples of a class that are recognised
///   f1                 2 tp / (2 tp + fp + fn): of two classes that of the
///                      second, of more the mean over the classes
///   roc_auc            share of the pairs of an example of a class and one of
///                      another that the probability of the class puts in the
///                      right order, ties counted half; of more than two
///                      classes, the mean over them, each against the rest
/// Numbers [n, numbers], with their differences from the targets in `units`:
///   rmse, mae          root of the mean square, mean of the absolute value
///   r2                 1 - sum of squares / that of the targets around their
///                      mean
/// Of several numbers, the mean over them and, up to kFewParts, each by its
/// name, rmse.NAME.
/// Labels of 0 and 1, predicted by logits [n, labels]:
///   accuracy           share of right labels
///   recall.LABEL       as for classes
///   f1, roc_auc        the mean over the labels
///
/// A score that these examples do not determine is left out: r2 of constant
/// targets, recall of a class without examples, f1 of a class that is neither
/// there nor predicted, roc_auc of a single class. F1 of a label is 0 then.
class Scores {
 public:
  /// The number of parts (classes, numbers) up to which each has a score by its
  /// name.
  static constexpr std::int64_t kFewParts = 20;

  /// The key "metrics".
  static Schema keys();

  /// Accuracy of classes.
  Scores() = default;

  /// Those that the key lists or, if it is left out, `otherwise`. Throws
  /// ConfigError at the key if one does not suit the targets of `data`, which
  /// the loss compares outputs with.
  Scores(const Config& config, const Loss& loss, const Dataset& data,
         const std::vector<std::string>& otherwise);

  /// What is shown where nothing is chosen.
  static std::vector<std::string> usual(TargetKind target);

  /// Whether nothing is chosen.
  bool empty() const { return chosen_.empty(); }

  /// Whether they are all a matter of right and wrong answers, so that
  /// of_right_answers() tells them.
  bool only_accuracy() const;

  /// The scores of all these examples, with `prefix` before their names.
  /// `targets`: classes, numbers or labels; numbers in the units of the scores.
  Metrics of(const Tensor& predictions, const Tensor& targets,
             const std::string& prefix) const;

  /// Whether answers are right: of classes, those with the largest logit; of
  /// labels, the positive logits.
  static Tensor are_right(const Tensor& logits, const Tensor& targets);

 private:
  bool asks(const char* name) const;
  std::string name_of(std::int64_t part) const;

  Metrics of_classes(const Tensor& logits, const Tensor& targets) const;
  Metrics of_numbers(const Tensor& predicted, const Tensor& targets) const;
  Metrics of_labels(const Tensor& logits, const Tensor& targets) const;

  std::vector<std::string> chosen_ = {"accuracy"};
  TargetKind target_ = TargetKind::kClasses;
  bool logits_ = true;  // of classes: predictions are logits
  std::vector<std::string> part_names_;
};

/// The share of pairs (a positive, a negative one) in which the positive one is
/// larger, ties counted half: the area under the receiver operating
/// characteristic. [n] and [m], neither empty.
double area_under_curve(const Tensor& positive, const Tensor& negative);

}  // namespace nestgrad
