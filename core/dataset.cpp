#include "core/dataset.h"

#include <ATen/ATen.h>

#include <limits>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "core/tensor/replay.h"

namespace nestgrad {
namespace {

/// A tensor that takes no memory, in the place of stored inputs. If somebody
/// computes with it, results are NaN.
Tensor stand_in(at::IntArrayRef sizes, const at::TensorOptions& options) {
  const bool floating =
      at::isFloatingType(at::typeMetaToScalarType(options.dtype()));
  return at::full({}, floating ? std::numeric_limits<double>::quiet_NaN() : 0,
                  options)
      .expand(sizes);
}

/// So many bytes of stored inputs may be used at once without a warning.
constexpr std::int64_t kMuch = std::int64_t{1} << 30;

void warn_of_whole(const Dataset& data) {
  const std::int64_t bytes =
      data.inputs.numel() *
      static_cast<std::int64_t>(data.inputs.element_size());
  if (bytes < kMuch) return;
  add_warning(fmt::format(
      "all {} examples of a part whose inputs stay in a file are used at once, "
      "which takes {:.1f} GiB for the inputs alone; give \"batch\" and "
      "\"valid_batch\" a number of examples, or make the part smaller",
      data.size(), static_cast<double>(bytes) / (1 << 30)));
}

}  // namespace

Dataset Dataset::in_file(std::function<Tensor(const Tensor& rows)> read,
                         at::IntArrayRef sizes, at::ScalarType type,
                         bool finite) {
  Dataset out;
  out.inputs = stand_in(sizes, type);
  out.stored = std::make_shared<const StoredInputs>(
      StoredInputs{std::move(read), at::arange(sizes[0], at::kLong), finite});
  return out;
}

Batch Dataset::rows(const Tensor& rows) const {
  if (!rows.defined()) {
    if (!stored) return {inputs, targets, rows};
    warn_of_whole(*this);
    return {stored->read(stored->order), targets, rows};
  }
  const Tensor here = rows.to(inputs.device());
  return {stored ? stored->read(stored->order.index_select(0, rows.cpu()))
                 : inputs.index_select(0, here),
          targets.defined() ? targets.index_select(0, here) : Tensor(), here};
}

Dataset Dataset::loaded(std::int64_t first, std::int64_t n) const {
  Dataset out = *this;
  out.inputs = stored ? stored->read(stored->order.narrow(0, first, n))
                      : inputs.narrow(0, first, n);
  if (targets.defined()) out.targets = targets.narrow(0, first, n);
  out.stored = nullptr;
  return out;
}

Dataset Dataset::selected(const Tensor& rows) const {
  if (!rows.defined()) return *this;
  Dataset out = *this;
  if (targets.defined()) {
    out.targets = targets.index_select(0, rows.to(targets.device()));
  }
  if (!stored) {
    out.inputs = inputs.index_select(0, rows.to(inputs.device()));
    return out;
  }
  std::vector<std::int64_t> sizes = inputs.sizes().vec();
  sizes[0] = rows.numel();
  out.inputs = stand_in(sizes, inputs.options());
  out.stored = std::make_shared<const StoredInputs>(StoredInputs{
      stored->read, stored->order.index_select(0, rows.cpu()), stored->finite});
  return out;
}

Dataset Dataset::converted(
    const std::function<Tensor(const Tensor&)>& f) const {
  Dataset out = *this;
  if (!stored) {
    out.inputs = f(inputs);
    return out;
  }
  std::vector<std::int64_t> sizes = inputs.sizes().vec();
  sizes[0] = 1;
  const Tensor example = f(at::zeros(sizes, inputs.options()));
  sizes = example.sizes().vec();
  sizes[0] = size();
  out.inputs = stand_in(sizes, example.options());
  out.stored = std::make_shared<const StoredInputs>(StoredInputs{
      [read = stored->read, f](const Tensor& rows) { return f(read(rows)); },
      stored->order, stored->finite});
  return out;
}

std::pair<Dataset, Dataset> Dataset::split(std::int64_t n) const {
  require(n >= 0 && n <= size(), "cannot take {} of {} examples", n, size());
  if (stored) {
    const Tensor all = at::arange(size(), at::kLong);
    return {selected(all.slice(0, 0, n)), selected(all.slice(0, n))};
  }
  return {loaded(0, n), loaded(n, size() - n)};
}

Dataset Dataset::shuffled(const Key& key) const {
  return selected(key.permutation(size()));
}

Dataset Dataset::to(const at::TensorOptions& options) const {
  // Tokens and classes stay whole numbers.
  const auto moved = [options](const Tensor& t) {
    return at::isFloatingType(t.scalar_type()) ? t.to(options)
                                               : t.to(options.device());
  };
  Dataset out = converted(moved);
  if (targets.defined()) out.targets = moved(targets);
  return out;
}

BatchSchedule::BatchSchedule(std::int64_t examples, std::int64_t batch_size,
                             Key key, at::Device device)
    : examples_(examples),
      batch_size_(batch_size == 0 || batch_size > examples ? examples
                                                           : batch_size),
      key_(key),
      device_(device) {
  require(examples > 0, "a batch schedule needs at least 1 example, has {}",
          examples);
  require(batch_size >= 0, "a batch size must be at least 0, is {}",
          batch_size);
}

Tensor BatchSchedule::rows(std::int64_t step, std::uint64_t order,
                           const BatchPart& part) const {
  require(step >= 0, "a step must be at least 0, is {}", step);
  require(part.first >= 0 && part.first + part.count <= batch_size_,
          "a batch of {} examples has no part of {} from number {} on",
          batch_size_, part.count, part.first);
  if (batch_size_ == examples_) {
    if (part.is_whole()) return {};
    return at::arange(part.first, part.first + part.count,
                      at::TensorOptions(at::kLong).device(device_));
  }
  const std::int64_t batches = examples_ / batch_size_;
  const std::int64_t epoch = step / batches;
  const std::int64_t first = step % batches * batch_size_ + part.first;
  const std::int64_t count = part.is_whole() ? batch_size_ : part.count;
  return host_constant([&] { return permutation(epoch, order); })
      .slice(0, first, first + count);
}

Tensor BatchSchedule::permutation(std::int64_t epoch,
                                  std::uint64_t order) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (epoch != epoch_ || order != order_) {
    const Key key = order == 0 ? key_ : key_.fold("order").fold(order);
    permutation_ = key.fold(static_cast<std::uint64_t>(epoch))
                       .permutation(examples_)
                       .to(device_);
    epoch_ = epoch;
    order_ = order;
  }
  return permutation_;
}

}  // namespace nestgrad
