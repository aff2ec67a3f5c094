#pragma once

#include <string>

namespace nestgrad {

/// Measures time and memory of every form of unrolling against the length of
/// the window, as a table and as a PNG file. The problem is a quadratic of two
/// weights (W5Q), trained by gradient descent with momentum, with
/// hyperparameters decay, learning rate and momentum.
///
/// Each point is measured in its own process. Memory is the peak of resident
/// memory, minus that for a window of one step.
void measure_scaling(const std::string& picture);

}  // namespace nestgrad
