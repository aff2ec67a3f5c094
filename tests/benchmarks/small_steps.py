#!/usr/bin/env python3
"""Training steps of a few microseconds: the program against NumPy.

    python3 tests/benchmarks/small_steps.py PROGRAM

Prints two comparisons, each the median of several pairs of runs, one after the
other and on one thread.

1. configs/toy_regression_pes.json for 20,000 outer steps, against the same
   estimator in NumPy with the slopes of the problem derived by hand: particles
   and the run without perturbation are the rows of one array.
2. configs/lorenz_pes.json with 20 staggered groups of 100 particles, against
   one group of 2,000.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAIRS = 3
OUTER_STEPS = 20000


def seconds_of_program(program, config, *settings):
    """The seconds of tuning, without the start of the process."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        command = [program, "run", ROOT / "configs" / config, "--quiet",
                   "--out", out]
        for setting in ("threads=1", "record.retrain=0", *settings):
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((out / "summary.json").read_text())
        return summary["seconds"]["tuning"]


def loss(x, y):
    return (np.sqrt(x * x + 5) - np.sqrt(5.0)
            + np.sin(y) ** 2 * np.exp(-5 * x * x) + 0.25 * np.abs(y - 100))


def slopes(x, y):
    square = x * x
    bell = np.exp(-5 * square)
    by_x = x * (1 / np.sqrt(square + 5) - 10 * np.sin(y) ** 2 * bell)
    return by_x, np.sin(2 * y) * bell + 0.25 * np.sign(y - 100)


def toy_regression_by_hand():
    """Persistent evolution strategies with Adam, seconds."""
    pairs, sigma, window, horizon = 50, 1.0, 10, 100
    random = np.random.default_rng(0)
    start = time.perf_counter()
    h = np.log(np.full(2, 0.01))
    first, second = np.zeros(2), np.zeros(2)
    step = horizon
    for k in range(1, OUTER_STEPS + 1):
        if step >= horizon:
            x, y = np.ones(2 * pairs + 1), np.ones(2 * pairs + 1)
            score, step = np.zeros((pairs, 2)), 0
        noise = sigma * random.standard_normal((pairs, 2))
        score = score + noise
        rates = np.exp(np.concatenate([h + noise, h - noise, h[None]]))
        for t in range(step, step + window):
            share = min(1.0, t / 100)
            rate = (1 - share) * rates[:, 0] + share * rates[:, 1]
            by_x, by_y = slopes(x, y)
            x, y = x - rate * by_x, y - rate * by_y
        step += window
        losses = loss(x, y)
        g = (losses[:pairs] - losses[pairs:-1]) @ score / (
            2 * pairs * sigma ** 2)
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g * g
        h = h - 0.01 * (first / (1 - 0.9 ** k)) / (
            np.sqrt(second / (1 - 0.999 ** k)) + 1e-8)
    return time.perf_counter() - start


def compare(name, ours, other_name, other):
    ratios, times = [], []
    for _ in range(PAIRS):
        a, b = ours(), other()
        times.append((a, b))
        ratios.append(a / b)
    print(f"{name}: {statistics.median(a for a, _ in times):.2f} s, "
          f"{other_name}: {statistics.median(b for _, b in times):.2f} s, "
          f"ratio {statistics.median(ratios):.2f}", flush=True)


def main(program):
    compare("toy regression", lambda: seconds_of_program(
        program, "toy_regression_pes.json", f"outer.steps={OUTER_STEPS}",
        f"record.every={OUTER_STEPS}"),
            "NumPy", toy_regression_by_hand)

    def lorenz(groups, particles):
        return lambda: seconds_of_program(
            program, "lorenz_pes.json", "outer.steps=500", "record.every=500",
            f"estimator.groups={groups}", f"estimator.particles={particles}",
            f"estimator.staggered={json.dumps(groups > 1)}",
            "estimator.window=25")
    compare("20 groups of 100 Lorenz particles", lorenz(20, 100),
            "one of 2,000", lorenz(1, 2000))


if __name__ == "__main__":
    main(sys.argv[1])
