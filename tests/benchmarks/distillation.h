#pragma once

#include <string>

namespace nestgrad {

/// Prints the cost of an outer step of a configuration, divided by the training
/// steps of its window, as a multiple of a plain training step under constant
/// hyperparameters; and the peak of resident memory of the process.
void measure_outer_step(const std::string& config);

}  // namespace nestgrad
