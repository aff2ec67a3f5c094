#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/draw.h"
#include "core/tensor/key.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

struct Batch {
  Tensor input;   ///< [batch, shape of an example...]
  Tensor target;  ///< those of a Dataset
  Tensor rows;  ///< [batch], int64 positions in the data set; undefined for the
                ///< whole data set in order
};

/// Labelled examples that fit in memory, on one device.
struct Dataset {
  Tensor inputs;  ///< [examples, shape of an example...]

  /// Classes, int64, [examples] or [examples, time]; or numbers, floating
  /// point, [examples, numbers]. Several labels per example are the numbers 0
  /// and 1, [examples, labels].
  Tensor targets;
  std::int64_t classes = 0;  ///< 0 where the targets are numbers

  /// One name per class or, where the targets are numbers, per number of an
  /// example; or none at all.
  std::vector<std::string> target_names = {};

  std::int64_t size() const { return inputs.size(0); }

  /// Copies these rows. An undefined `rows` stands for all rows in order and
  /// copies nothing.
  Batch rows(const Tensor& rows) const;

  /// The first `n` examples, and the others.
  std::pair<Dataset, Dataset> split(std::int64_t n) const;

  /// The same examples in a random order.
  Dataset shuffled(const Key& key) const;

  /// Converts inputs and targets to this type and device. Inputs that are whole
  /// numbers (tokens) and targets that are classes keep their type.
  Dataset to(const at::TensorOptions& options) const;
};

/// Examples whose labels are probabilities of classes.
struct SoftExamples {
  Tensor inputs;  ///< [examples, shape of an example...]
  Tensor labels;  ///< [examples, classes]
  std::vector<std::string> target_names = {};  ///< one per class, or none
};

/// Minibatches by number: batch `step` is the same at every call. Each epoch is
/// one pass over the data in its own random order. Examples that do not fill a
/// last batch are left out of that epoch. There is any number of such schedules
/// of the same data, told apart by `order`; see Draw::order.
class BatchSchedule {
 public:
  /// `batch_size` 0, or one of at least the number of examples, means the whole
  /// data set.
  BatchSchedule(std::int64_t examples, std::int64_t batch_size, Key key);

  /// The rows of batch number `step`, int64 on the CPU; undefined for the whole
  /// data set in order. Thread-safe.
  Tensor rows(std::int64_t step, std::uint64_t order = 0) const;

  /// The rows for a draw of training.
  Tensor rows(const Draw& draw) const { return rows(draw.step, draw.order); }

  std::int64_t batch_size() const { return batch_size_; }

 private:
  std::int64_t examples_, batch_size_;
  Key key_;

  // The permutation that was asked for last, and what it belongs to.
  mutable std::mutex mutex_;
  mutable std::int64_t epoch_ = -1;
  mutable std::uint64_t order_ = 0;
  mutable Tensor permutation_;
};

}  // namespace nestgrad
