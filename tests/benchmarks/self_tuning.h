#pragma once

namespace nestgrad {

/// Prints a table of the cost of a training step of self-tuning networks, and
/// of a whole turn (two training steps and an estimate), as multiples of the
/// same number of plain training steps of the same network.
void measure_self_tuning();

}  // namespace nestgrad
