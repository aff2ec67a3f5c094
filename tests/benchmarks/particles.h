#pragma once

namespace nestgrad {

/// Prints a table of the time and memory of a training step of many particles
/// that advance together, compared with a loop of single steps and with one
/// written by hand.
void measure_particles();

}  // namespace nestgrad
