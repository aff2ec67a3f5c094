#pragma once

#include <functional>
#include <string>

#include "core/config/config.h"
#include "core/config/schema.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// The losses of the two players of a generative adversarial network, of the
/// scores that the discriminator gives real and made examples:
///
///   discriminator   -mean f(real) - mean f(-made)
///   generator        mean f(-made)   minimax (Goodfellow et al. 2014)
///                   -mean f(made)    non_saturating (ibid.)
///
/// with f(t) = -log(1 + exp(-t)); wasserstein is minimax with f(t) = t
/// (Arjovsky, Chintala and Bottou 2017).
class GanLoss {
 public:
  /// Adds the key "loss".
  static Schema with_key(Schema schema);

  explicit GanLoss(const Config& config) : form_(config.text("loss")) {}

  Tensor of_discriminator(const Tensor& real, const Tensor& made) const;
  Tensor of_generator(const Tensor& made) const;

 private:
  Tensor f(const Tensor& t) const;

  std::string form_;
};

/// The mean of |df/dx|^2 over examples x, [n, numbers], of which f gives a
/// number each. On the tape of what f is made of.
Tensor squared_slope(const std::function<Tensor(const Tensor&)>& f,
                     const Tensor& x);

}  // namespace nestgrad
