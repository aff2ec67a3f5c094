#pragma once

#include <functional>

#include "core/nn/model.h"

namespace nestgrad {

/// A loss over examples n of a minibatch whose derivative by the weights needs
/// none of its own: evolution strategies with flipout (Wen, Vicol, Ba, Tran and
/// Grosse 2018). With M base perturbations dW_m ~ N(0, deviation^2) and random
/// signs r, s of outputs and inputs,
///
///   value = 1 / (2 M N) sum_mn (F_mn^+ + F_mn^-),
///   g = 1 / (2 M N deviation^2) sum_mn (F_mn^+ - F_mn^-) dW_m (*) r_mn s_mn',
///
/// where F_mn^+- is the loss of example n at the weights W +- dW_m (*) r_mn
/// s_mn'. Every example has noise of its own, uncorrelated with that of others,
/// in two passes through the model for each m. It is an unbiased estimate of
/// the gradient of the loss smoothed by the noise; F may be a count of errors.
///
/// `losses(flips, key)` are the F of all examples, [N], of a model run with
/// these Flips and this key. The result is a scalar. Asked for a derivative
/// that may itself be differentiated, it throws Unsupported.
Tensor evolved_loss(
    double deviation, std::int64_t perturbations, const Key& key,
    const std::function<Tensor(const Flips&, const Key&)>& losses);

}  // namespace nestgrad
