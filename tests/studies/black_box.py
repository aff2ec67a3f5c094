#!/usr/bin/env python3
"""Hypergradients against Optuna: who wins with how many hyperparameters?

    python3 tests/studies/black_box.py PROGRAM FOLDER [--workers 2]

Tunes 1, 3, 10, 100 and about 10,000 hyperparameters of three problems, a
table, images and a text, in the same processor time and with several seeds
(`nestgrad compare --search`), and prints the table of docs/black_box.md. Needs
Optuna and the data of scikit-learn (Debian: apt-get install python3-optuna
python3-sklearn). Results are in FOLDER; started again, it goes on there.

The search draws learning rates and decays from intervals that have the start of
the hypergradients in the middle of their logarithms, momenta and weights of
examples from 0 to 1. No setting of either side was chosen by its results.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTS = ("1", "3", "10", "100", "10000")

# What is tuned, by problem and number of hyperparameters: all other settings
# stay at their start. "steps" is a learning rate for each training step.
LR, MOMENTUM, DECAY = (
    {"initial": 0.1, "coordinates": "log"},
    {"initial": 0.9, "coordinates": "logit"},
    {"initial": 1e-3},
)
ADAM_LR = {"initial": 0.01, "coordinates": "log"}


def fixed(*specs):
    return [dict(spec, tuned=False) for spec in specs]


def per(spec, part):
    return dict(spec, per=part)


def sgd(lr, momentum, decay, **more):
    return dict(lr=lr, momentum=momentum, weight_decay=decay, **more)


def adam(lr, beta1, decay):
    return dict(lr=lr, beta1=beta1, weight_decay=decay)


def cells():
    """The hyperparameters by problem and by their number."""
    m, d = fixed(MOMENTUM, DECAY)
    lr = fixed(LR)[0]
    steps = dict(LR, per="step", steps=100)
    ten = sgd(per(LR, "tensor"), per(MOMENTUM, "tensor"), per(DECAY, "layer"))
    weight = {"initial": 0.5, "per": "example"}
    adam_steps = dict(ADAM_LR, per="step", steps=100)
    return {
        "breast_cancer": {
            "1": sgd(LR, m, d),
            "3": sgd(LR, MOMENTUM, DECAY),
            "10": ten,
            "100": sgd(steps, m, d),
            "10000": sgd(lr, m, per(DECAY, "weight")),
        },
        "fashion_mnist": {
            "1": sgd(LR, m, d),
            "3": sgd(LR, MOMENTUM, DECAY),
            "10": ten,
            "100": sgd(steps, m, d),
            "10000": sgd(lr, m, d, example_weight=weight),
        },
        "text_lstm": {
            "1": adam(ADAM_LR, m, d),
            "3": adam(ADAM_LR, MOMENTUM, DECAY),
            "10": adam(per(ADAM_LR, "tensor"), m, per(DECAY, "layer")),
            "100": adam(adam_steps, m, d),
            "10000": adam(
                per(ADAM_LR, "weight"),
                per(MOMENTUM, "weight"),
                per(DECAY, "weight"),
            ),
        },
    }


def ranges(hyper):
    """Intervals for learning rates and decays, with the start in the middle."""
    out = []
    for name, spec in hyper.items():
        if spec.get("tuned", True) and name in ("lr", "weight_decay"):
            start = spec["initial"]
            reach = 1000 if name == "weight_decay" else 100
            out += ["--range", f"{name}={start / reach}:{start * reach}"]
    return out


def compare(arguments, problem, count, hyper):
    """The results of one comparison, which is run unless it is there."""
    folder = arguments.folder / f"{problem}_{count}"
    if not (folder / "results.json").exists():
        if (folder / "search.json").exists():
            command = ["resume", folder]
        else:
            optuna = {"type": "optuna", "python": sys.executable}
            config = ROOT / "configs" / f"{problem}_settings.json"
            command = ["compare", config, "--search", json.dumps(optuna),
                       "--search", "random", "--budget", str(arguments.budget),
                       "--seeds", str(arguments.seeds), "--out", folder,
                       "--set", "outer.steps=1000000",
                       "--set", "hyperparameters=" + json.dumps(hyper)]
            command += ranges(hyper)
        subprocess.run([arguments.program, *command, "-qq"], check=True)
    return json.loads((folder / "results.json").read_text())


WAYS = ("hypergradients", "optuna", "random")


def row(problem, result, metric):
    """A line of a table in docs/black_box.md."""
    def shown(entry):
        return f"{entry['mean']:.3g} ({entry['low']:.3g} to {entry['high']:.3g})"

    ways = {way["name"]: way for way in result["ways"]}
    cells = [problem, f"{result['numbers']:,}"]
    for name in WAYS:
        seeds = ways[name]["seeds"]
        count = sum(seed["networks"] for seed in seeds) / len(seeds)
        trials = "" if name == WAYS[0] else f", {count:.0f}"
        cells.append(shown(ways[name][metric]) + trials)
    for name in WAYS[1:]:
        entry = next(c for c in result["comparisons"]
                     if (c["with"], c["metric"]) == (name, metric))
        text = shown(entry)
        if entry["kind"] == "difference":
            text = f"difference {text}"
        cells.append(f"**{text}**" if entry["ahead"] == WAYS[0] else
                     f"*{text}*" if entry["ahead"] == name else text)
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, ROOT / "configs/tables/from_sklearn.py"],
                   check=True)
    table = cells()
    with concurrent.futures.ThreadPoolExecutor(arguments.workers) as pool:
        jobs = [(problem, pool.submit(compare, arguments, problem, count,
                                      table[problem][count]))
                for count in COUNTS for problem in table]
        results = [(problem, job.result()) for problem, job in jobs]
    for metric in ("valid_loss", "test_loss"):
        print(f"\n{metric}: means with 95 % intervals, the number of trials, "
              "and hypergradients divided by search (less search where a loss "
              "is 0):\nbold where hypergradients are ahead, italic where the "
              "search is\n")
        print("| problem | numbers | hypergradients | Optuna | random | "
              "ratio to Optuna | ratio to random |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name in table:
            for problem, result in results:
                if problem == name:
                    print(row(problem, result, metric))


if __name__ == "__main__":
    main()
