#!/usr/bin/env python3
"""Particles that advance together, in JAX: the work of particles.cpp.

    python3 tests/benchmarks/particles_jax.py

Prints milliseconds per step of perceptrons 196-32-10 on the first device of JAX:
plain gradient descent in windows of ten steps from the start, a learning rate per
particle, common minibatches drawn from 1,000 examples. A window is one compiled
function. Products are in full float32.
"""

import statistics
import time

import jax
import jax.numpy as jnp

ROUNDS = 9
WINDOW = 10
EXAMPLES, INPUTS, HIDDEN, CLASSES = 1000, 196, 32, 10

jax.config.update("jax_default_matmul_precision", "highest")


def loss(weights, x, y):
    w0, b0, w1, b1 = weights
    outputs = jax.nn.relu(x @ w0 + b0) @ w1 + b1
    chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1)
    return -chosen.mean()


def window_of(x, y, batch):
    """The end of a window, as a function of weights, rates and a key."""
    def step(state, rows):
        weights, rates = state
        slopes = jax.vmap(jax.grad(loss), (0, None, None))(
            weights, x[rows], y[rows])
        moved = jax.tree.map(
            lambda w, g: w - rates.reshape((-1,) + (1,) * (w.ndim - 1)) * g,
            weights, slopes)
        return (moved, rates), None

    @jax.jit
    def window(weights, rates, key):
        order = jax.random.permutation(key, EXAMPLES)
        rows = order[:WINDOW * batch].reshape(WINDOW, batch)
        (weights, _), _ = jax.lax.scan(step, (weights, rates), rows)
        return weights
    return window


def measure(particles, batch):
    keys = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(keys[0], (EXAMPLES, INPUTS))
    y = jnp.arange(EXAMPLES) % CLASSES
    one = (jax.random.normal(keys[1], (INPUTS, HIDDEN)) / INPUTS ** 0.5,
           jnp.zeros(HIDDEN),
           jax.random.normal(keys[2], (HIDDEN, CLASSES)) / HIDDEN ** 0.5,
           jnp.zeros(CLASSES))
    weights = jax.tree.map(
        lambda w: jnp.broadcast_to(w, (particles,) + w.shape) + 0.0, one)
    rates = jnp.full(particles, 0.05)
    window = window_of(x, y, batch)
    jax.block_until_ready(window(weights, rates, keys[3]))
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        jax.block_until_ready(window(weights, rates, keys[3]))
        times.append(1e3 * (time.perf_counter() - start) / WINDOW)
    print(f"{particles:>10}{batch:>7}{statistics.median(times):>12.3f}",
          flush=True)


def main():
    print(jax.devices()[0].device_kind, "JAX", jax.__version__)
    print(f"{'particles':>10}{'batch':>7}{'JAX ms':>12}")
    for batch in (10, 32, 100):
        measure(100, batch)
    for particles in (10, 1000):
        measure(particles, 10)


if __name__ == "__main__":
    main()
