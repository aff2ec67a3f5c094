#include "core/nn/row_wise_weights.h"

#include <ATen/ATen.h>

#include "core/nn/batch.h"
#include "core/platform/error.h"
#include "core/tensor/autodiff.h"
#include "core/tensor/sum.h"

namespace nestgrad {
namespace {

using Sizes = std::vector<std::int64_t>;

/// The channels of a convolution come before the axes along which it moves.
std::int64_t channel_axis(const Tensor& kernels) { return 1 - kernels.dim(); }

}  // namespace

// --- row-wise ----------------------------------------------------------------

const Tensor& RowWiseWeights::rows(std::size_t w) const {
  if (!rows_[w].defined()) rows_[w] = row_factors(w);
  return rows_[w];
}

const Tensor& RowWiseWeights::columns(std::size_t w) const {
  if (!columns_[w].defined()) columns_[w] = column_factors(w);
  return columns_[w];
}

Tensor RowWiseWeights::row_factors_of(std::size_t w,
                                      const Tensor& tokens) const {
  const Tensor which = tokens.flatten(base_.batch_axes());
  Sizes sizes = which.sizes().vec();
  sizes.back() = rows(w).size(-1);
  return rows(w).expand(sizes).gather(-1, which).view_as(tokens);
}

Tensor RowWiseWeights::sum(const Tensor& y, const Tensor& more) const {
  return first_order_
             ? with_tangent(primal(y), (tangent(y) + more).to(y.scalar_type()))
             : y + more;
}

/// y = W x + b, plus r (*) product(s (*) x) for a product with the D of W, plus
/// the difference of b. `axis` is that of the channels in x and y.
template <class Product>
Tensor RowWiseWeights::with_difference(const Tensor& y, const Tensor& x,
                                       std::int64_t axis, std::size_t w,
                                       std::size_t b, Product&& product) const {
  const auto aligned = [&](const Tensor& factors, const Tensor& with) {
    return along_channels(factors, with, axis, base_.batch_axes());
  };
  // D times the tangent of x would be of second order.
  const Tensor in = first_order_ ? primal(x) : x;
  const Tensor& s = columns(w);
  const Tensor p = product(s.defined() ? aligned(s, in) * in : in);
  Tensor out = first_order_ ? tangent(y) : y;
  if (b != kNone) out = out + aligned(rows(b) * difference(b), y);
  out = at::addcmul(out, aligned(rows(w), y), p);
  return first_order_ ? with_tangent(primal(y), out.to(y.scalar_type())) : out;
}

Tensor RowWiseWeights::linear(const Tensor& x, std::size_t w,
                              std::size_t b) const {
  return with_difference(
      base_.linear(x, w, b), x, -1, w, b,
      [&](const Tensor& in) { return differences_.linear(in, w, kNone); });
}

Tensor RowWiseWeights::convolution(const Tensor& x,
                                   const ConvolutionOptions& options,
                                   std::size_t w, std::size_t b) const {
  return with_difference(
      base_.convolution(x, options, w, b), x, channel_axis(difference(w)), w, b,
      [&](const Tensor& in) {
        return differences_.convolution(in, options, w, kNone);
      });
}

Tensor RowWiseWeights::lookup(const Tensor& tokens, std::size_t w) const {
  Tensor more =
      row_factors_of(w, tokens).unsqueeze(-1) * differences_.lookup(tokens, w);
  const Tensor& s = columns(w);
  if (s.defined())
    more = along_channels(s, more, -1, base_.batch_axes()) * more;
  return sum(base_.lookup(tokens, w), more);
}

Tensor RowWiseWeights::tensor(std::size_t w) const {
  const Tensor d = difference(w);
  Sizes sizes = rows(w).sizes().vec();
  sizes.resize(sizes.size() + static_cast<std::size_t>(d.dim()) - 1, 1);
  Tensor more = rows(w).view(sizes) * d;
  const Tensor& s = columns(w);
  if (s.defined()) {
    Sizes across(static_cast<std::size_t>(d.dim()) + 1, 1);
    across[0] = s.size(0);
    across[2] = s.size(1);
    more = more * s.view(across);
  }
  const Tensor one = base_.tensor(w);
  // The value of a dual number must have memory for each of its elements.
  return sum(first_order_ ? one.expand_as(more).contiguous() : one, more);
}

Tensor RowWiseWeights::inner_products(
    const std::vector<Tensor>& weights) const {
  Tensor total;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    Tensor product = weights[w] * difference(w);
    if (product.dim() > 2) product = product.flatten(2).sum(2);
    const Tensor of_tensor =
        product.dim() == 1 ? at::mv(rows(w), product)
                           : (rows(w) * at::mm(columns(w), product.t())).sum(1);
    add_to(total, of_tensor);
  }
  return total;
}

// --- self-tuning networks ----------------------------------------------------

RespondingWeights::RespondingWeights(const Weights& base,
                                     const RowResponse& response)
    : RowWiseWeights(base, response.slopes, response.first_order),
      response_(response) {
  require(response.slopes.size() == base.size() &&
              response.gates.size() == base.size(),
          "the response does not belong to the {} weight tensors of the model",
          base.size());
}

Tensor RespondingWeights::row_factors(std::size_t w) const {
  return at::mm(response_.displacement, response_.gates[w].t());
}

/// Computes G u_n only for the rows that the tokens name.
Tensor RespondingWeights::row_factors_of(std::size_t w,
                                         const Tensor& tokens) const {
  const Tensor which = tokens.flatten(base().batch_axes());
  return at::matmul(at::embedding(response_.gates[w], which),
                    response_.displacement.unsqueeze(-1))
      .view_as(tokens);
}

// --- flipout -----------------------------------------------------------------

namespace {

std::vector<Tensor> noise_for(const Weights& weights, const Key& key) {
  std::vector<Tensor> noise;
  for (std::size_t w = 0; w < weights.size(); ++w) {
    noise.push_back(key.fold(w).normal(weights.like(w)));
  }
  return noise;
}

}  // namespace

FlippedWeights::FlippedWeights(const Weights& base, std::int64_t examples,
                               Tensor deviation, const Key& key,
                               const BatchPart& part)
    : RowWiseWeights(base, noise_for(base, key.fold("noise")),
                     /*first_order=*/false),
      examples_(examples),
      deviation_(std::move(deviation)),
      key_(key.fold("signs")),
      part_(part) {}

Tensor FlippedWeights::signs(const char* of, std::size_t w,
                             std::int64_t axis) const {
  const Tensor like = difference(w);
  const std::int64_t numbers = examples_ * like.size(axis);
  return key_.fold(w).fold(of).signs(
      at::empty({examples_, like.size(axis)}, like.options()),
      part_.first_number(numbers));
}

Tensor FlippedWeights::row_factors(std::size_t w) const {
  return deviation_ * signs("rows", w, 0);
}

Tensor FlippedWeights::column_factors(std::size_t w) const {
  return difference(w).dim() > 1 ? signs("columns", w, 1) : Tensor();
}

}  // namespace nestgrad
