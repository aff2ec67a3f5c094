#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nestgrad {

using at::Tensor;

/// An ordered list of named tensors: the weights of a model, its
/// hyperparameters, a gradient, a direction, the memory of an optimizer.
///
/// A set is a value. Copying one copies handles, not numbers. Nothing here
/// writes into a tensor, so a set on a tape stays valid.
///
/// Two sets are *alike* if they have the same names and shapes in the same
/// order. Every operation on two sets REQUIRES that they are alike (Error
/// otherwise), and its result is alike to both.
class ParameterSet {
 public:
  ParameterSet() = default;
  ParameterSet(std::initializer_list<std::pair<std::string, Tensor>> entries);

  /// Appends a tensor. Throws Error if an entry has this name already.
  void insert(std::string name, Tensor value);

  std::size_t size() const { return tensors_.size(); }
  bool empty() const { return tensors_.empty(); }
  std::int64_t numel() const;
  const std::string& name(std::size_t i) const { return (*names_)[i]; }
  bool contains(std::string_view name) const;

  /// The tensor of this name. Throws Error, with the list of names, if there is
  /// none.
  const Tensor& at(std::string_view name) const&;
  Tensor at(std::string_view name) &&;

  /// The tensors in order, as LibTorch's functions take them.
  const std::vector<Tensor>& tensors() const& { return tensors_; }
  std::vector<Tensor> tensors() && { return std::move(tensors_); }

  /// A set alike to this one that holds these tensors.
  ParameterSet with(std::vector<Tensor> tensors) const;

  /// f of every tensor.
  template <class F>
  ParameterSet map(F&& f) const {
    std::vector<Tensor> out;
    out.reserve(size());
    for (const Tensor& t : tensors_) out.push_back(f(t));
    return with(std::move(out));
  }

  /// f of every pair of tensors: this set's and `other`'s.
  template <class F>
  ParameterSet zip(const ParameterSet& other, F&& f) const {
    require_alike(other);
    std::vector<Tensor> out;
    out.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) {
      out.push_back(f(tensors_[i], other.tensors_[i]));
    }
    return with(std::move(out));
  }

  /// The entries whose names begin with `prefix`. The prefix is removed from
  /// the names.
  ParameterSet subset(std::string_view prefix) const;

  /// Appends every entry of `other`, with `prefix` before its name. The inverse
  /// of subset().
  void append(std::string_view prefix, const ParameterSet& other);

  /// The same values, off every tape.
  ParameterSet detach() const;

  /// The same values as new leaves that require gradients: the start of a tape.
  /// The numbers are shared, not copied.
  ParameterSet leaves() const;

  /// A copy in memory of its own.
  ParameterSet clone() const;

  ParameterSet zeros() const;
  ParameterSet to(const at::TensorOptions& options) const;

  /// All numbers as one vector, in order. Stays on the tape.
  Tensor flatten() const;

  /// The same for sets side by side, which the first axis of each tensor
  /// counts: [sets, numbers of one].
  Tensor flatten_each() const;

  /// The inverse of both: cuts `flat`, [numbers] or [sets, numbers], into a set
  /// alike to this one, or one with an axis more before those of each tensor.
  /// The tensors are views of `flat`.
  ParameterSet unflatten(const Tensor& flat) const;

  /// The vector that unflatten() cut this set from; undefined for other sets.
  /// One operation on it replaces one operation per tensor.
  const Tensor& whole() const { return whole_; }

  /// Throws Error, naming the first difference, if the sets are not alike.
  void require_alike(const ParameterSet& other) const;

 private:
  using Names = std::vector<std::string>;
  std::shared_ptr<const Names> names_ = std::make_shared<Names>();
  std::vector<Tensor> tensors_;
  Tensor whole_;
};

bool alike(const ParameterSet& a, const ParameterSet& b);

ParameterSet operator+(const ParameterSet& a, const ParameterSet& b);
ParameterSet operator-(const ParameterSet& a, const ParameterSet& b);
ParameterSet operator*(const ParameterSet& a, const ParameterSet& b);
ParameterSet operator*(double s, const ParameterSet& a);

/// `s` is a scalar tensor (a learning rate, say) and may be on a tape.
ParameterSet operator*(const Tensor& s, const ParameterSet& a);

/// a + s b, in one pass over the numbers.
ParameterSet add(const ParameterSet& a, double s, const ParameterSet& b);

/// a + s b. `s` is a scalar tensor and may be on a tape.
ParameterSet add(const ParameterSet& a, const Tensor& s, const ParameterSet& b);

/// The inner product, a scalar tensor on the tape and device of its operands.
Tensor dot(const ParameterSet& a, const ParameterSet& b);

/// The Euclidean norm, as a scalar tensor.
Tensor norm(const ParameterSet& a);
/// The same as a number.
double length(const ParameterSet& a);

bool all_finite(const ParameterSet& a);

}  // namespace nestgrad
