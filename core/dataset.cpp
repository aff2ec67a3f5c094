#include "core/dataset.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"

namespace nestgrad {

Batch Dataset::rows(const Tensor& rows) const {
  if (!rows.defined()) return {inputs, targets, rows};
  const Tensor here = rows.to(inputs.device());
  return {inputs.index_select(0, here), targets.index_select(0, here), here};
}

std::pair<Dataset, Dataset> Dataset::split(std::int64_t n) const {
  require(n >= 0 && n <= size(), "cannot take {} of {} examples", n, size());
  return {
      {inputs.slice(0, 0, n), targets.slice(0, 0, n), classes, target_names},
      {inputs.slice(0, n), targets.slice(0, n), classes, target_names}};
}

Dataset Dataset::shuffled(const Key& key) const {
  const Batch all = rows(key.permutation(size()));
  return {all.input, all.target, classes, target_names};
}

Dataset Dataset::to(const at::TensorOptions& options) const {
  // Tokens and classes stay whole numbers.
  const auto moved = [&](const Tensor& t) {
    return at::isFloatingType(t.scalar_type()) ? t.to(options)
                                               : t.to(options.device());
  };
  return {moved(inputs), moved(targets), classes, target_names};
}

BatchSchedule::BatchSchedule(std::int64_t examples, std::int64_t batch_size,
                             Key key)
    : examples_(examples),
      batch_size_(batch_size == 0 || batch_size > examples ? examples
                                                           : batch_size),
      key_(key) {
  require(examples > 0, "a batch schedule needs at least 1 example, has {}",
          examples);
  require(batch_size >= 0, "a batch size must be at least 0, is {}",
          batch_size);
}

Tensor BatchSchedule::rows(std::int64_t step, std::uint64_t order) const {
  require(step >= 0, "a step must be at least 0, is {}", step);
  if (batch_size_ == examples_) return {};
  const std::int64_t batches = examples_ / batch_size_;
  const std::int64_t epoch = step / batches;
  const std::int64_t first = step % batches * batch_size_;

  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_ || order != order_) {
    const Key key = order == 0 ? key_ : key_.fold("order").fold(order);
    permutation_ =
        key.fold(static_cast<std::uint64_t>(epoch)).permutation(examples_);
    epoch_ = epoch;
    order_ = order;
  }
  return permutation_.slice(0, first, first + batch_size_);
}

}  // namespace nestgrad
