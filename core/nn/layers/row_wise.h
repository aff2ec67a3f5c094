#pragma once

#include "core/nn/model.h"

namespace nestgrad {

/// A layer y = A(weight) x + bias, A linear, where channel c of the output
/// depends on row c of the weight and number c of the bias alone. So an answer
/// of its weights to a displacement u, row by row, is one of its channels:
///
///   y_b + (G u_b) (*) A(R) x_b + (g u_b) (*) r
///
/// for slopes R and r and gates G and g of weight and bias.
class RowWise : public Layer {
 public:
  bool responds() const final { return true; }
  Tensor apply(at::ArrayRef<Tensor> weights, const Tensor& input,
               const Pass& pass) const final;
  Tensor respond(at::ArrayRef<Tensor> weights, const LayerResponse& response,
                 const Tensor& input, const Pass& pass) const final;
  Tensor score(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
               std::int64_t examples, const Key& signs) const final;

 protected:
  /// flip() for a map whose channels are a dimension of `input` and of the
  /// output, that along which signs differ: y + R (*) (A(dW) (S (*) x) + db).
  Tensor flipped(at::ArrayRef<Tensor> weights, at::ArrayRef<Tensor> noise,
                 const Tensor& input, std::int64_t channels,
                 const Key& signs) const;

  /// A(weight) x + bias; an undefined bias is none.
  virtual Tensor map(const Tensor& weight, const Tensor& bias,
                     const Tensor& input) const = 0;
};

}  // namespace nestgrad
