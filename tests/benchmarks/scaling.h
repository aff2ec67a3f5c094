#pragma once

#include <string>

namespace nestgrad {

/// Time and memory of every form of unrolling against the length of the window,
/// as a table and as a PNG file: a quadratic of two weights (W5Q), trained by
/// gradient descent with momentum, for its decay, learning rate and momentum.
///
/// Each point is a process of its own. Memory is resident memory at the peak
/// beyond that after a window of one step.
void measure_scaling(const std::string& picture);

}  // namespace nestgrad
