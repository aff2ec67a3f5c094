#!/usr/bin/env python3
"""Checks that the names and keys of methods stay in the methods' own files.

    python3 tests/method_names.py .

The name under which an estimator or a solver is registered may stand in string
literals of the file that registers it, and in no other source file. The same
holds for a key of a configuration that only one such file has. What the rest of
the program says about methods comes from the objects and the registries, so
that a method can be added, renamed or removed in one file.
"""

import pathlib
import re
import sys

FOLDERS = ("core", "optimizers", "hypergrad", "experiments")
REGISTRIES = "EstimatorRegistry|InverseHessianRegistry"
REGISTRATION = re.compile(
    r'NESTGRAD_REGISTER\(\s*(?:%s),\s*"(\w+)"' % REGISTRIES)
KEY = re.compile(
    r'\.(?:integer|number|boolean|text|choice|integers|numbers|texts|setting|'
    r'object|objects|section|map|json)\(\s*"(\w+)",')
TOKEN = re.compile(r'"((?:[^"\\\n]|\\.)*)"|//[^\n]*|#include[^\n]*')

# Names that are also words of English. Only the quoted name is looked for, not
# the word in a sentence.
WORDS = {"dense", "forward", "identity", "reversible", "unrolled", "es"}

# (file, word): why it may stand there.
EXCUSED = {
    ("experiments/setup/experiment_schema.cpp", "ift"):
        "the default of a configuration",
    ("hypergrad/implicit/ift.cpp", "neumann"):
        "the default of its section",
    ("hypergrad/one_step.cpp", "finite_difference"):
        "a way to compute products has the same name as an estimator",
    ("hypergrad/solvers/inverse_hessian.cpp", "finite_difference"):
        "a way to compute products has the same name as an estimator",
    ("hypergrad/implicit/ift.cpp", "finite_difference"):
        "a way to compute products has the same name as an estimator",
    ("core/nn/layers/pooling.cpp", "last"): "a choice of a layer",
    ("core/nn/layers/recurrent.cpp", "last"): "a choice of both layers",
    ("core/nn/layers/reversible/reversible_layer.cpp", "last"):
        "a choice of both layers",
    ("core/nn/models/transformer.cpp", "last"): "a choice of this model",
    ("experiments/run/results.cpp", "last"): "a choice of outer.select",
    ("experiments/run/restore.cpp", "last"): "a choice of outer.select",
    ("experiments/run/verdict.cpp", "last"): "a choice of outer.select",
    ("experiments/setup/experiment_schema.cpp", "last"):
        "a choice of outer.select",
    ("core/nn/models/script_facts.h", "forward"): "a method of a module",
    ("experiments/problems/games/ridge_rider.cpp", "alternating"):
        "a key: how both players move",
    ("experiments/run/run.cpp", "checkpoints"): "a folder of a run",
    ("experiments/run/runner.cpp", "checkpoints"): "a folder of a run",
    ("hypergrad/evolution/particle_group.cpp", "last"):
        "a part of a checkpoint",
    ("hypergrad/evolution/objective.cpp", "last"): "a choice of `objective`",
    ("hypergrad/window_loss.cpp", "last"): "a choice of `objective`",
    ("hypergrad/self_tuning/best_response.cpp", "rho"): "a set of tensors",
    ("hypergrad/self_tuning/response_problem.h", "stn"): "a set of tensors",
}


def literals(code):
    """String literals outside comments, joined as the compiler joins them."""
    found, end = [], -1
    for token in TOKEN.finditer(code):
        if token.group(1) is None:
            continue
        if end >= 0 and not code[end:token.start()].strip():
            found[-1] += token.group(1)
        else:
            found.append(token.group(1))
        end = token.end()
    return found


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    sources = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                sources[str(path.relative_to(root))] = path.read_text()

    owners = {}  # of a name or a key: the only file that may have it
    for file, code in sources.items():
        for name in REGISTRATION.findall(code):
            owners[name] = file
    keys = {}
    for file, code in sources.items():
        for key in KEY.findall(code):
            keys.setdefault(key, set()).add(file)
    method_files = set(owners.values())
    own_keys = {key: min(files) for key, files in keys.items()
                if len(files) == 1 and min(files) in method_files
                and key not in owners}
    if len(owners) < 20 or len(own_keys) < 20:
        sys.exit(f"found {len(owners)} methods and {len(own_keys)} keys only: "
                 "the patterns of this script no longer fit the sources")

    faults = []
    for file, code in sources.items():
        for text in literals(code):
            # "penalty" or, in a message, \"penalty\".
            quoted = {text} | set(re.findall(r'\\"(\w+)\\"', text))
            words = set(re.findall(r'\w+', text)) - WORDS
            for word in (quoted | words) & owners.keys() | \
                    quoted & own_keys.keys():
                owner = owners.get(word) or own_keys[word]
                if file == owner or (file, word) in EXCUSED:
                    continue
                faults.append(f'{file}: "{word}" belongs to {owner}')
    if faults:
        sys.exit("\n".join(sorted(set(faults))))
    print(f"{len(owners)} methods and {len(own_keys)} keys stay in their files")


if __name__ == "__main__":
    main()
