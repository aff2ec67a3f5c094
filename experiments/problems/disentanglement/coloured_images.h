#pragma once

#include "core/dataset.h"
#include "core/tensor/key.h"

namespace nestgrad {

/// Images with two factors: their kind and their colour.
struct ColouredImages {
  Tensor images;   ///< [n, 3, height, width]
  Tensor kinds;    ///< [n], int64
  Tensor colours;  ///< [n], int64, as many as there are kinds
};

/// Gives grey images, [n, 1, height, width], one of as many colours as there
/// are classes. With the probability |correlation| the colour has the number of
/// the class, or for a negative correlation any other number; otherwise any
/// colour is as likely as another. Colours are evenly spaced hues.
ColouredImages coloured(const Dataset& grey, double correlation,
                        const Key& key);

/// A permutation of the examples within groups of equal numbers, [n], int64:
/// the example at place i is exchanged for one of the same group.
Tensor shuffled_within(const Tensor& groups, const Key& key);

}  // namespace nestgrad
