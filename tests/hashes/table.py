#!/usr/bin/env python3
"""Writes a table of hashes of the results of every configuration.

    python3 tests/hashes/table.py build/release/nestgrad > before.txt
    ... change something that must not change a number, build ...
    python3 tests/hashes/table.py build/release/nestgrad > after.txt
    diff before.txt after.txt

Every file of configs/ that needs no GPU is shortened, run, checked and compared
with the estimators of configs/estimators/implicit.json. A row has a
configuration, a part of its results and a hash. Times and memory are left out.
Numbers depend on the processor and on the versions of LibTorch and OpenBLAS, so
compare only tables from one machine.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEASURED = ("second", "seconds", "mib", "time", "speed", "memory")


def shortened(config):
    """The same configuration with little work: few steps, few examples."""
    estimator = config.setdefault("estimator", {"type": "ift"})
    if isinstance(estimator, str):
        estimator = config["estimator"] = {"type": estimator}
    window = estimator.get("window", 10)
    estimator["window"] = 2
    estimator["horizon"] = 2 * (estimator.get("horizon", 0) // window)
    for key in ("shortest", "last"):
        if key in estimator:
            estimator[key] = 1
    config.setdefault("outer", {"type": "adam", "lr": 0.05})["steps"] = 4
    config.setdefault("record", {}).update(
        retrain=3, every=2, networks=1, checkpoint={"keep": 0})
    problem = config["problem"]
    if isinstance(problem, dict) and "data" in problem:
        if isinstance(problem["data"], str):
            problem["data"] = {"type": problem["data"]}
        problem["data"].update(train=100, valid=50, test=50)
        problem["examples"] = min(problem.get("examples", 0), 20)
        if problem["examples"] == 0:
            del problem["examples"]
    config.update(device="cpu", threads=1)
    return config


def with_absolute_paths(value, folder):
    """The same value, in which paths of files seen from `folder` are whole."""
    if isinstance(value, dict):
        return {key: with_absolute_paths(entry, folder)
                for key, entry in value.items()}
    if isinstance(value, list):
        return [with_absolute_paths(entry, folder) for entry in value]
    if isinstance(value, str) and (folder / value).is_file():
        return str(folder / value)
    return value


def without_measurements(value):
    """The same value without measured times and memory."""
    if isinstance(value, list):
        return [without_measurements(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {key: without_measurements(entry) for key, entry in value.items()
            if not any(key.endswith(measured) for measured in MEASURED)}


def hash_of(value):
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()[:16]


def json_lines(path):
    return [without_measurements(json.loads(line))
            for line in path.read_text().splitlines()]


def rows_of_run(folder):
    """The results of a run, by name."""
    rows = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".jsonl":
            rows[name] = hash_of(json_lines(path))
        elif name == "summary.json":
            summary = without_measurements(json.loads(path.read_text()))
            # Hyperparameters have files of their own.
            rows[name] = hash_of({key: value for key, value in summary.items()
                                  if key not in ("estimator",
                                                 "hyperparameters")})
        elif path.suffix in (".safetensors", ".npz") or \
                name == "hyperparameters.json":
            rows[name] = hash_of(path.read_bytes())
    return rows


def rows_of(program, config):
    name = str(config.relative_to(ROOT / "configs"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for network in config.parent.glob("*.pt2"):
            shutil.copy(network, folder)
        short = folder / "short.json"
        short.write_text(json.dumps(with_absolute_paths(
            shortened(json.loads(config.read_text())), config.parent)))

        def ended(command, *arguments):
            done = subprocess.run([program, command, short, *arguments],
                                  cwd=folder, capture_output=True, timeout=900)
            rows.append((name, command, f"exit code {done.returncode}"))
            return done

        ended("run", "--quiet", "--out", folder / "run")
        for part, value in rows_of_run(folder / "run").items():
            rows.append((name, part, value))
        for command, arguments in (
                ("check", ["--json", "--keys", "4"]),
                ("compare", ["--json", "--keys", "2", "--repeats", "1",
                             "--estimators",
                             ROOT / "configs/estimators/implicit.json"])):
            done = ended(command, *arguments)
            try:
                value = without_measurements(json.loads(done.stdout))
            except json.JSONDecodeError:
                continue
            rows.append((name, command, hash_of(value)))
    return rows


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    for script in ("tables/from_sklearn.py", "images/from_fashion_mnist.py"):
        subprocess.run([sys.executable, ROOT / "configs" / script], check=True)
    configs = [path for path in sorted((ROOT / "configs").rglob("*.json"))
               if not {"sweeps", "estimators", "gpu"} & set(path.parts)
               and only in path.name]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for rows in pool.map(lambda path: rows_of(program, path), configs):
            for row in rows:
                print("  ".join(row), flush=True)


if __name__ == "__main__":
    main()
