#pragma once

namespace nestgrad {

/// What a training step of self-tuning networks costs, and what a whole turn of
/// two training steps and an estimate, as multiples of as many plain training
/// steps of the same network, as a table.
void measure_self_tuning();

}  // namespace nestgrad
