#pragma once

#include <cstdint>
#include <functional>
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
  Tensor target;  ///< those of a Dataset; undefined if it has none
  Tensor rows;  ///< [batch], int64 positions in the data set; undefined for the
                ///< whole data set in order
};

/// Inputs that stay in a file, for sets larger than memory: rows are read and
/// converted when they are used.
struct StoredInputs {
  /// The inputs in these rows of the file, as the examples have them. Rows are
  /// int64 on the CPU. Thread-safe; throws Error if the file cannot be read.
  std::function<Tensor(const Tensor& rows)> read;

  Tensor order;  ///< the rows of the examples, int64 on the CPU, [examples]
  bool finite = false;  ///< whether the file can hold finite numbers only
};

/// Labelled examples, on one device. Targets are in memory; inputs are, too,
/// unless they are stored in a file.
struct Dataset {
  /// [examples, shape of an example...]. Of stored inputs this is NaN (0 if
  /// they are whole numbers), one number that is repeated, in their shape and
  /// type and on their device: take rows() or loaded().
  Tensor inputs;

  /// Classes, int64, [examples] or [examples, time]; or numbers, floating
  /// point, [examples, numbers]. Several labels per example are the numbers 0
  /// and 1, [examples, labels]. Undefined if they are not known.
  Tensor targets = {};
  std::int64_t classes = 0;  ///< 0 where the targets are numbers

  /// One name per class or, where the targets are numbers, per number of an
  /// example; or none at all.
  std::vector<std::string> target_names = {};

  /// Inputs that are read from a file; null if they are in memory.
  std::shared_ptr<const StoredInputs> stored = {};

  /// Inputs without targets that stay in a file, all of its rows. `sizes` and
  /// `type` are those of what `read` gives.
  static Dataset in_file(std::function<Tensor(const Tensor& rows)> read,
                         at::IntArrayRef sizes, at::ScalarType type,
                         bool finite);

  std::int64_t size() const { return inputs.size(0); }

  /// Where rows() takes its argument from without a transfer: the device of the
  /// inputs, the CPU for inputs in a file.
  at::Device rows_device() const {
    return stored ? at::Device(at::kCPU) : inputs.device();
  }

  /// Copies these rows. An undefined `rows` stands for all rows in order and
  /// copies nothing that is in memory.
  Batch rows(const Tensor& rows) const;

  /// The `n` examples from number `first` on, in memory; a view if they are in
  /// memory already.
  Dataset loaded(std::int64_t first, std::int64_t n) const;
  Dataset loaded() const { return loaded(0, size()); }

  /// The data set of these rows; undefined: all. Stored inputs stay stored.
  Dataset selected(const Tensor& rows) const;

  /// The same examples with the inputs f(inputs), now or when they are read.
  /// REQUIRES that f maps each example by itself. Thread-safe if f is.
  Dataset converted(const std::function<Tensor(const Tensor&)>& f) const;

  /// The first `n` examples, and the others.
  std::pair<Dataset, Dataset> split(std::int64_t n) const;

  /// The same examples in a random order.
  Dataset shuffled(const Key& key) const;

  /// Converts inputs and targets to this type and device. Inputs that are whole
  /// numbers (tokens) and targets that are classes keep their type.
  Dataset to(const at::TensorOptions& options) const;
};

/// Examples as people know them.
struct KnownExamples {
  Tensor inputs;   ///< [examples, shape of an example...], in source units
  Tensor targets;  ///< as those of a Dataset, in source units
  std::vector<std::string> target_names = {};  ///< those of the Dataset
  std::vector<std::int64_t> rows = {};  ///< where they stand in the source,
                                        ///< counted from 0
  Tensor corrupted = {};  ///< bool, [examples]: whether the target was made
                          ///< wrong on purpose; undefined if none was
};

/// Examples whose labels are a number for each class: its probability or, where
/// the loss is a squared error, what the output is to be.
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
  /// data set. `device` is where rows are wanted; each epoch is sent there
  /// once.
  BatchSchedule(std::int64_t examples, std::int64_t batch_size, Key key,
                at::Device device = at::kCPU);

  /// The rows of batch number `step`, or of a part of it, int64; undefined for
  /// the whole data set in order. Thread-safe.
  Tensor rows(std::int64_t step, std::uint64_t order = 0,
              const BatchPart& part = {}) const;

  /// The rows for a draw of training.
  Tensor rows(const Draw& draw) const {
    if (draw.all_examples) return Tensor();
    return rows(draw.step, draw.order, draw.part);
  }

  /// The rows for a draw of validation, which has one order only.
  Tensor valid_rows(const Draw& draw) const {
    return rows(draw.step, 0, draw.part);
  }

  std::int64_t batch_size() const { return batch_size_; }

 private:
  Tensor permutation(std::int64_t epoch, std::uint64_t order) const;

  std::int64_t examples_, batch_size_;
  Key key_;
  at::Device device_;

  // The permutation that was asked for last, and what it belongs to.
  mutable std::mutex mutex_;
  mutable std::int64_t epoch_ = -1;
  mutable std::uint64_t order_ = 0;
  mutable Tensor permutation_;
};

}  // namespace nestgrad
