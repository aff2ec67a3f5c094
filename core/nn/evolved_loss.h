#pragma once

#include <cstdint>
#include <functional>

#include "core/draw.h"
#include "core/nn/weights.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// The mean loss over the examples n of a minibatch, with a gradient by the
/// weights that needs no derivative of the loss: evolution strategies with
/// flipout (Wen, Vicol, Ba, Tran and Grosse 2018). With M = `perturbations`
/// matrices dW_m ~ N(0, deviation^2) and random signs r, s of rows and columns
///
///   value = 1 / (2 M N) sum_mn (F_mn^+ + F_mn^-),
///   gradient = 1 / (2 M N deviation^2)
///              sum_mn (F_mn^+ - F_mn^-) dW_m (*) r_mn s_mn',
///
/// where F_mn^+ and F_mn^- are the losses of example n at the weights
/// W + dW_m (*) r_mn s_mn' and W - dW_m (*) r_mn s_mn'. Each m takes two passes
/// through the model, and the noise of different examples is uncorrelated. The
/// gradient is an unbiased estimate of that of the loss smoothed by the noise,
/// so F need not have derivatives; it may count errors.
///
/// `losses(weights, key)` gives the F of all N = `examples`, [N], for a model
/// that is run with these weights and this key. The examples are those of
/// `part`. The result is a scalar. A gradient of it that is itself to be
/// differentiated throws Unsupported.
Tensor evolved_loss(
    const ParameterSet& weights, std::int64_t examples, double deviation,
    std::int64_t perturbations, const Key& key,
    const std::function<Tensor(const Weights&, const Key&)>& losses,
    const BatchPart& part = {});

}  // namespace nestgrad
