#pragma once

#include <vector>

#include "core/draw.h"
#include "core/nn/weight_forms.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// Weights of its own for each example n. They differ from W by one matrix D
/// for all examples, with factors for its rows and columns for each example:
///
///   W_n = W + diag(r_n) D diag(s_n)
///
/// A row is an index of the first axis of W, a column an index of the second.
/// Then W_n x = W x + r_n (*) D (s_n (*) x), which takes a second product but
/// no weights for each example. W may have any form. Subclasses give the
/// factors.
class RowWiseWeights : public Weights {
 public:
  std::size_t size() const override { return base_.size(); }
  std::int64_t particles() const override { return base_.particles(); }
  bool per_example() const override { return true; }
  Tensor linear(const Tensor& x, std::size_t w, std::size_t b) const override;
  Tensor convolution(const Tensor& x, const ConvolutionOptions& options,
                     std::size_t w, std::size_t b) const override;
  Tensor lookup(const Tensor& tokens, std::size_t w) const override;
  Tensor tensor(std::size_t w) const override;
  Tensor like(std::size_t w) const override { return base_.like(w); }

  /// For each example n the inner product of W_n - W with `weights`, summed
  /// over all weight tensors, [examples]. Linear in `weights`, which have the
  /// shapes of the W.
  Tensor inner_products(const std::vector<Tensor>& weights) const;

 protected:
  /// `base`, the W, must outlive the object. `differences` are the D. With
  /// `first_order` the results are dual numbers, and what D contributes is
  /// added to their tangents.
  RowWiseWeights(const Weights& base, std::vector<Tensor> differences,
                 bool first_order)
      : base_(base),
        differences_(std::move(differences)),
        first_order_(first_order),
        rows_(base.size()),
        columns_(base.size()) {}

  /// The r of all examples, [examples, rows], or with an axis of particles
  /// before. Called at most once for each w.
  virtual Tensor row_factors(std::size_t w) const = 0;

  /// The s of all examples, [examples, columns]; undefined if all of them are
  /// 1, as for a D of one axis. Called at most once for each w.
  virtual Tensor column_factors(std::size_t w) const = 0;

  /// The r of the rows `tokens`, [batch..., any...], of the same shape.
  virtual Tensor row_factors_of(std::size_t w, const Tensor& tokens) const;

  const Weights& base() const { return base_; }
  Tensor difference(std::size_t w) const { return differences_.tensor(w); }

 private:
  const Tensor& rows(std::size_t w) const;
  const Tensor& columns(std::size_t w) const;
  template <class Product>
  Tensor with_difference(const Tensor& y, const Tensor& x, std::int64_t axis,
                         std::size_t w, std::size_t b, Product&& product) const;
  Tensor sum(const Tensor& y, const Tensor& more) const;

  const Weights& base_;
  SharedWeights differences_;
  bool first_order_;
  // Computed when first used: an LSTM uses a tensor in every step.
  mutable std::vector<Tensor> rows_, columns_;
};

/// The weights of self-tuning networks, r_n = G u_n; see RowResponse.
class RespondingWeights final : public RowWiseWeights {
 public:
  /// `base` and `response` must outlive the object.
  RespondingWeights(const Weights& base, const RowResponse& response);

 private:
  Tensor row_factors(std::size_t w) const override;
  Tensor column_factors(std::size_t) const override { return {}; }
  Tensor row_factors_of(std::size_t w, const Tensor& tokens) const override;

  const RowResponse& response_;
};

/// Weights with normal noise that is uncorrelated between examples (Wen, Vicol,
/// Ba, Tran and Grosse 2018, "Flipout: efficient pseudo-independent weight
/// perturbations on mini-batches"). D is standard normal, s_n are random signs,
/// and r_n are random signs times the standard deviation of the noise.
class FlippedWeights final : public RowWiseWeights {
 public:
  /// `base` must outlive the object. `deviation`: a scalar, or [batch..., 1].
  /// The negative of a deviation gives the negative of the noise. `examples`:
  /// so many, those of `part`.
  FlippedWeights(const Weights& base, std::int64_t examples, Tensor deviation,
                 const Key& key, const BatchPart& part = {});

 private:
  Tensor row_factors(std::size_t w) const override;
  Tensor column_factors(std::size_t w) const override;
  Tensor signs(const char* of, std::size_t w, std::int64_t axis) const;

  std::int64_t examples_;
  Tensor deviation_;
  Key key_;
  BatchPart part_;
};

}  // namespace nestgrad
