#!/usr/bin/env python3
"""Writes the tables that configs/diabetes_regression.json and
configs/breast_cancer_rare.json read, from the data sets of scikit-learn
(Debian: apt-get install python3-sklearn).

    python3 configs/tables/from_sklearn.py [--seed N] [--folder FOLDER]

FOLDER is the folder of this script if it is left out. The seed, 1 if it is left
out, says which examples go into which file.

diabetes_train.csv, diabetes_valid.csv, diabetes_test.csv: 442 patients, ten
measurements, and the progression of diabetes a year later (Efron, Hastie,
Johnstone and Tibshirani 2004, "Least angle regression"). Sixty are for training,
so that regularization matters; the others are halved.

breast_cancer.csv: 569 tumours, thirty measurements of their cell nuclei, and
whether they are malignant (Street, Wolberg and Mangasarian 1993).

breast_cancer_rare.csv: 60 % of the benign tumours, and so few malignant ones
that they are 5 % of the table. breast_cancer_rare_test.csv: all other tumours.
"""

import argparse
import csv
import gzip
import importlib.util
import os
import pathlib
import random
import tempfile

TRAINING = 60  # patients in diabetes_train.csv
RARE = 0.05  # share of the malignant tumours in breast_cancer_rare.csv


def source():
    """The folder of scikit-learn's data: of this Python or of Debian's."""
    found = importlib.util.find_spec("sklearn")
    package = (pathlib.Path(found.origin).parent if found else
               pathlib.Path("/usr/lib/python3/dist-packages/sklearn"))
    if not package.is_dir():
        raise SystemExit("scikit-learn is missing: "
                         "apt-get install python3-sklearn")
    return package / "datasets" / "data"


def write(path, names, rows):
    """Whole or not at all, as several processes may write the same file."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False,
                                     newline="") as file:
        csv.writer(file).writerows([names, *rows])
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def shuffled(rows, seed):
    rng = random.Random(seed)
    return [row for _, row in sorted((rng.random(), row) for row in rows)]


def diabetes(data, folder, seed):
    with gzip.open(data / "diabetes_data_raw.csv.gz", "rt") as file:
        inputs = [line.split() for line in file]
    with gzip.open(data / "diabetes_target.csv.gz", "rt") as file:
        targets = [str(float(line)) for line in file]
    names = ["age", "sex", "bmi", "blood_pressure", *(f"s{i}" for i in
                                                      range(1, 7)),
             "progression"]
    rows = shuffled([[*x, y] for x, y in zip(inputs, targets)], seed)
    others = (len(rows) - TRAINING) // 2
    write(folder / "diabetes_train.csv", names, rows[2 * others:])
    write(folder / "diabetes_valid.csv", names, rows[:others])
    write(folder / "diabetes_test.csv", names, rows[others:2 * others])


def breast_cancer(data, folder, seed):
    with open(data / "breast_cancer.csv", newline="") as file:
        _, _, *classes = next(csv.reader(file))
        rows = [[*row[:-1], classes[int(row[-1])]] for row in csv.reader(file)]
    measured = ["radius", "texture", "perimeter", "area", "smoothness",
                "compactness", "concavity", "concave_points", "symmetry",
                "fractal_dimension"]
    names = [f"{kind}_{name}" for kind in ("mean", "error", "worst")
             for name in measured] + ["tumour"]
    write(folder / "breast_cancer.csv", names, rows)
    malignant = shuffled([r for r in rows if r[-1] == "malignant"], seed)
    benign = shuffled([r for r in rows if r[-1] == "benign"], seed)
    common = round(0.6 * len(benign))
    rare = round(common * RARE / (1 - RARE))
    write(folder / "breast_cancer_rare.csv", names,
          shuffled(benign[:common] + malignant[:rare], seed))
    write(folder / "breast_cancer_rare_test.csv", names,
          shuffled(benign[common:] + malignant[rare:], seed))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    diabetes(source(), options.folder, options.seed)
    breast_cancer(source(), options.folder, options.seed)


if __name__ == "__main__":
    main()
