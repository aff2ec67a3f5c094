#pragma once

namespace nestgrad {

/// What a training step of many particles takes that advance together, beside a
/// loop of single steps and one written by hand, and its memory, as a table.
void measure_particles();

}  // namespace nestgrad
