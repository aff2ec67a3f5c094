#pragma once

#include <ATen/core/Reduction.h>

#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "experiments/data/data.h"

namespace nestgrad {

/// What the outputs of a network are compared with.
enum class TargetKind {
  kClasses,  ///< int64, one class for each example or time step
  kNumbers,  ///< floating point, [examples, numbers]
  kLabels    ///< 0 or 1, [examples, labels]: several may hold at once
};

/// How far the outputs y of a network are from the targets t of an example. The
/// losses of a problem are means over examples; a loss of several numbers is
/// the sum over them.
///
///   cross_entropy         -log softmax(y)_t
///   squared_error         |y - t|^2 / 2
///   huber                 r^2 / 2 if |r| <= d, otherwise d (|r| - d / 2)
///   absolute              |y - t|
///   poisson               exp(y) - t y
///   binary_cross_entropy  log(1 + exp(y)) - t y
///
/// with r = y - t and d = huber_threshold. The squared error of a class is that
/// of 1 for it and 0 for the others; of poisson, y is the logarithm of a rate.
/// All are twice differentiable, huber but for |r| = d, absolute but for r = 0.
class Loss {
 public:
  /// Cross entropy of classes.
  Loss() = default;

  /// The keys "loss" and "huber_threshold".
  static Schema keys();

  /// Reads these keys. Throws ConfigError at one of them if the loss does not
  /// suit the targets of `data`.
  Loss(const Config& config, const Splits& data);

  TargetKind target() const { return target_; }

  /// How many outputs it wants for an example of `data`, or for a time step: as
  /// many as there are classes or numbers. Binary cross entropy of two classes
  /// wants one, the logit of the second.
  std::int64_t outputs(const Dataset& data) const;

  /// False for a loss whose second derivative is zero wherever there is one.
  bool is_curved() const { return form_ != Form::kAbsolute; }

  /// Of outputs [..., outputs] and targets, [...] classes or [..., outputs]
  /// numbers: [n] for n examples or time steps, or their mean or sum.
  Tensor operator()(const Tensor& outputs, const Tensor& targets,
                    at::Reduction::Reduction reduction) const;

  /// What outputs say of the targets: of classes, one logit for each; of
  /// labels, their logits; of numbers, these numbers. Squared errors of classes
  /// give numbers that are near 1 for the class and near 0 for the others.
  Tensor predictions(const Tensor& outputs) const;

  /// Whether predictions() are logits, so that there are probabilities.
  bool gives_logits() const;

  /// What predictions() depend on.
  Json to_json() const;
  static Loss from_json(const Json& json);

 private:
  enum class Form {
    kCrossEntropy,
    kSquaredError,
    kHuber,
    kAbsolute,
    kPoisson,
    kBinaryCrossEntropy
  };
  struct Entry;
  static const Entry kTable[];

  /// What is wrong with these targets; "" if nothing is.
  std::string complaint(const Entry& entry, const Splits& data) const;

  /// One number for each of the outputs.
  Tensor of_each_output(const Tensor& y, const Tensor& t) const;

  Form form_ = Form::kCrossEntropy;
  TargetKind target_ = TargetKind::kClasses;
  double threshold_ = 1;  // of huber
};

}  // namespace nestgrad
