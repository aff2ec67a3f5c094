#pragma once

#include "benchmark.h"

namespace nestgrad {

/// Prints a table of the time and memory of a training step of many particles
/// that advance together, compared with a loop of single steps and with one
/// written by hand. particles_jax.py has the same work in JAX.
void measure_particles(const Place& place);

}  // namespace nestgrad
