#!/usr/bin/env python3
"""Tunes the weights of classes where one is rare, with several seeds.

    python3 tests/studies/rare_class.py PROGRAM [SEEDS]

For each seed, configs/tables/from_sklearn.py draws which tumours are in the
table, and configs/breast_cancer_rare.json is run with that seed. Printed are
means and standard deviations over the seeds, of networks trained from scratch
with the weights of the start and with those found; and scikit-learn's logistic
regression with the same decay on the same files, with and without
class_weight="balanced", where scikit-learn is installed.
"""

import csv
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = ("breast_cancer_rare.csv", "breast_cancer_rare_test.csv")
SCORES = ("test_balanced_accuracy", "test_recall.malignant",
          "test_recall.benign", "test_accuracy")
DECAY = 0.1


def run(program, folder, seed):
    subprocess.run([sys.executable, ROOT / "configs/tables/from_sklearn.py",
                    "--seed", str(seed), "--folder", folder], check=True)
    subprocess.run(
        [program, "run", ROOT / "configs/breast_cancer_rare.json", "--quiet",
         "--seed", str(seed), "--set", "threads=1", "--out", folder / "run",
         "--set", f"problem.data.file={folder / TABLES[0]}",
         "--set", f"problem.data.test_file={folder / TABLES[1]}"], check=True)
    return json.loads((folder / "run/summary.json").read_text())


def table(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))[1:]
    return ([[float(x) for x in row[:-1]] for row in rows],
            [row[-1] == "malignant" for row in rows])


def by_scikit_learn(folder, weights):
    """The scores of all examples that are not in the test file."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import (accuracy_score, balanced_accuracy_score,
                                 recall_score)
    from sklearn.preprocessing import StandardScaler
    x, t = table(folder / TABLES[0])
    scaler = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (DECAY * len(x)), class_weight=weights,
                               max_iter=10000).fit(scaler.transform(x), t)
    x, t = table(folder / TABLES[1])
    said = model.predict(scaler.transform(x))
    return {"test_balanced_accuracy": balanced_accuracy_score(t, said),
            "test_recall.malignant": recall_score(t, said),
            "test_recall.benign": recall_score(t, said, pos_label=False),
            "test_accuracy": accuracy_score(t, said)}


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    seeds = range(1, 1 + (int(sys.argv[2]) if len(sys.argv) > 2 else 5))
    rows = {"start": [], "found": []}
    found = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            summary = run(program, folder, seed)
            for name in ("start", "found"):
                rows[name].append(summary[f"retrained_{name}"])
            found.append({key: value["found"] for key, value in
                          summary["hyperparameters"].items()})
            try:
                for name, weights in (("scikit-learn", None),
                                      ("scikit-learn, balanced", "balanced")):
                    rows.setdefault(name, []).append(
                        by_scikit_learn(folder, weights))
            except ImportError:
                pass
    print(f"{len(seeds)} seeds" + "".join(f"  {s[5:]:>20}" for s in SCORES))
    for name, of_seeds in rows.items():
        cells = []
        for score in SCORES:
            values = [100 * scores[score] for scores in of_seeds]
            spread = statistics.stdev(values) if len(values) > 1 else 0
            cells.append(f"{statistics.mean(values):.1f} ± {spread:.1f} %")
        print(f"{name:22}" + "".join(f"  {cell:>20}" for cell in cells))
    for seed, weights in zip(seeds, found):
        print(f"seed {seed}: " + ", ".join(f"{key} {value:.3g}"
                                          for key, value in weights.items()))


if __name__ == "__main__":
    main()
