#pragma once

#include <memory>

#include "core/nn/chain.h"

namespace nestgrad {

/// The output of invertible layers for a batch x, whose derivative keeps
/// nothing of what is between: from the output back it computes the input of
/// each layer again by Layer::inverse(), and the derivative there. So it takes
/// memory for one layer, and about twice the time of layers that keep
/// everything.
///
/// Only for weights that the whole batch shares, without dual numbers, and for
/// layers that name no hyperparameters and add no penalties. Second derivatives
/// take the memory that other layers take. The derivative throws Error, with
/// the number, where what it finds for x is off by more than `tolerance`,
/// relative to the largest number in x: the inverse is then not accurate
/// enough, and so would be the derivative.
Tensor apply_and_forget(std::shared_ptr<const Chain> layers,
                        const Weights& weights, const Tensor& x,
                        const Pass& pass, double tolerance);

}  // namespace nestgrad
