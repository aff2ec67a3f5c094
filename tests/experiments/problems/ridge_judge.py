"""Judges a run of configs/diabetes_regression.json by the closed form of ridge
regression on the same three files.

    python3 ridge_judge.py RUN [--tables FOLDER]

Prints what closed forms say, as JSON: the validation and test losses and errors
with the decay that the run found, with the best decay of a fine grid, judged by
the validation examples, and without a decay.
"""

import argparse
import csv
import json
import pathlib

import numpy

ROOT = pathlib.Path(__file__).resolve().parents[3]


def table(path):
    with open(path, newline="") as file:
        numbers = numpy.array([[float(x) for x in row]
                               for row in list(csv.reader(file))[1:]])
    return numbers[:, :-1], numbers[:, -1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--tables", type=pathlib.Path,
                        default=ROOT / "configs" / "tables")
    options = parser.parse_args()
    parts = {name: table(options.tables / f"diabetes_{name}.csv")
             for name in ("train", "valid", "test")}
    x, t = parts["train"]
    x_mean, x_scale, t_mean, t_scale = x.mean(0), x.std(0), t.mean(), t.std()
    x, t = (x - x_mean) / x_scale, (t - t_mean) / t_scale
    n, features = x.shape

    def judged(decay):
        # argmin_w mean (x w - t)^2 / 2 + decay |w|^2 / 2; both are centred.
        w = numpy.linalg.solve(x.T @ x / n + decay * numpy.eye(features),
                               x.T @ t / n)
        out = {"decay": decay}
        for name in ("valid", "test"):
            inputs, targets = parts[name]
            error = (inputs - x_mean) / x_scale @ w * t_scale + t_mean - targets
            out[f"{name}_loss"] = float((error ** 2).mean() / t_scale ** 2 / 2)
            out[f"{name}_rmse"] = float((error ** 2).mean() ** 0.5)
            out[f"{name}_r2"] = float(
                1 - (error ** 2).sum()
                / ((targets - targets.mean()) ** 2).sum())
        return out

    found = json.loads((options.run / "hyperparameters.json").read_text())
    decay = numpy.ravel(found["weight_decay"])
    assert decay.size == 1, "one decay for all weights"
    grid = [judged(10 ** power) for power in numpy.arange(-6, 1, 0.01)]
    print(json.dumps({
        "found": judged(float(decay[0])),
        "best": min(grid, key=lambda at: at["valid_loss"]),
        "none": judged(0.0)}, indent=2))


if __name__ == "__main__":
    main()
