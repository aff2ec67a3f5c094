"""Types outside this tree, from nothing to a resumed run.

  test.py PREFIX FOLDER COMPILER

Begins a project of every kind by the `nestgrad new` of PREFIX, does what its README
says, and breaks it once, which its test has to find. Then puts an estimator, an
inverse Hessian and a problem into one plugin and lists, checks, compares, runs,
kills and resumes it. At last come the plugins that are to be refused.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

prefix, here, compiler = (pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]),
                          sys.argv[3])
nestgrad = str(prefix / "bin/nestgrad")
os.environ["OPENBLAS_NUM_THREADS"] = "1"


def run(*command, code=0, folder=here, says=""):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != code or says not in done.stdout:
        sys.exit(f"{' '.join(map(str, command))}\nexit code {done.returncode}, "
                 f"expected {code} and '{says}':\n{done.stdout}")
    return done.stdout


def built(folder):
    run("cmake", "-S", ".", "-B", "build", "-G", "Ninja",
        "-DCMAKE_UNITY_BUILD=ON",  # which compiles faster
        f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler}",
        folder=folder)
    run("cmake", "--build", "build", folder=folder)
    return folder / "build"


shutil.rmtree(here, ignore_errors=True)
here.mkdir()

# make need not be there: it would be found first, and fail.
(here / "no_make").mkdir()
for name in ["make", "gmake"]:
    (here / "no_make" / name).write_text("#!/bin/sh\nexit 1\n")
    (here / "no_make" / name).chmod(0o755)
os.environ["CXX"] = compiler
os.environ["CMAKE_BUILD_TYPE"] = "None"  # not optimized, which compiles faster
os.environ["PATH"] = f"{here}/no_make:{prefix}/bin:{os.environ['PATH']}"

# For each kind of project, a mistake: a text of its source, and another.
mistakes = {
    "dataset": ("*std::max_element(classes.begin(), classes.end()) + 1;",
                "*std::max_element(classes.begin(), classes.end());"),
    "estimator": ("out.gradient = scale_ *", "out.gradient = 1.01 * scale_ *"),
    "inverse_hessian": ("add(out.x, step_, residual)",
                        "add(out.x, 0.9 * step_, residual)"),
    "layer": ("weights.linear(x)", "weights.linear(x.detach())"),
    "model": ("weights.linear(x, 0, 1).tanh()",
              "weights.linear(x, 0, 1).tanh().detach()"),
    "optimizer": ("before - gradient);", "(before - gradient).detach());"),
    "problem": ("l2_penalty(weights,", "l2_penalty(weights.detach(),"),
}
run(nestgrad, "new", "estimatr", "x", code=2,
    says="there are: " + ", ".join(sorted(mistakes)))

# What `nestgrad new` writes works at once, as its README says.
broken = here / "broken"
broken.mkdir()
for kind, (right, wrong) in mistakes.items():
    run(nestgrad, "new", kind, f"my_{kind}")
    project = here / f"my_{kind}"
    readme = (project / "README.md").read_text()
    assert f"-DCMAKE_PREFIX_PATH={prefix}\n" in readme, readme
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", readme, re.M | re.S)
    run("bash", "-e", "-c", commands, folder=project)
    source = (project / f"my_{kind}.cpp").read_text()
    assert source.count(right) == 1, (kind, right)
    (broken / f"{kind}.cpp").write_text(source.replace(right, wrong))

# The test of each finds its mistake.
(broken / "CMakeLists.txt").write_text(
    "cmake_minimum_required(VERSION 3.20)\nproject(broken LANGUAGES CXX)\n"
    "find_package(nestgrad REQUIRED)\nnestgrad_add_plugin(broken "
    + " ".join(f"{kind}.cpp" for kind in mistakes) + ")\n")
plugin = built(broken) / "libbroken.so"
for kind in mistakes:
    project = here / f"my_{kind}"
    judge = project / f"build/my_{kind}_test"
    run(judge, plugin, "config.json", folder=project, code=1)
run(judge, code=2, says="PLUGIN CONFIG")
run(judge, plugin, "none.json", code=2, says="none.json")
run(nestgrad, "new", "estimator", "my_estimator", code=2, says="is there already")
run(nestgrad, "new", "estimator", "ift", code=2,
    says="there is an estimator named 'ift' already")
run(nestgrad, "new", "estimator", "My-Method", code=2, says="is no name")

# Three in one plugin.
kinds = ["estimator", "inverse_hessian", "problem"]
together = here / "together"
together.mkdir()
sources = " ".join(f"../my_{kind}/my_{kind}.cpp" for kind in kinds)
(together / "CMakeLists.txt").write_text(
    "cmake_minimum_required(VERSION 3.20)\nproject(together LANGUAGES CXX)\n"
    f"find_package(nestgrad 0.1 REQUIRED)\nnestgrad_add_plugin(together {sources})\n")
plugin = str(built(together) / "libtogether.so")
for kind in kinds:
    run(nestgrad, "list", "--plugin", plugin, says=f"my_{kind}")
    run(nestgrad, "explain", f"my_{kind}", "--plugin", plugin, says="sentence")
schema = json.loads(run(nestgrad, "schema", "--plugin", plugin))
assert "estimators.my_estimator" in schema["$defs"]

config = {
    "plugins": [plugin],
    "precision": "float64",
    "problem": {"type": "my_problem", "examples": 30},
    "hyperparameters": {"weight_decay": {"initial": 0.1}},
    "inner": {"type": "sgd", "lr": 0.5},
    "estimator": {"type": "ift", "window": 20,
                  "solver": {"type": "my_inverse_hessian", "iterations": 500}},
    "outer": {"type": "adam", "lr": 0.01, "steps": 4000},
    "record": {"every": 50, "retrain": 100, "checkpoint": {"steps": 20}},
}
(here / "config.json").write_text(json.dumps(config))
others = [{"type": "my_estimator", "window": 20, "scale": 2},
          {"type": "unrolled", "window": 20}]
(here / "estimators.json").write_text(json.dumps(others))
run(nestgrad, "check", "config.json")
run(nestgrad, "plan", "config.json")
table = run(nestgrad, "compare", "config.json", "--estimators",
            "estimators.json", "--out", "compared")
assert "my_estimator" in table and "my_inverse_hessian" in table, table

# Killed and resumed, it ends with the files of a run that was not.
short = ["--set", "outer.steps=300", "--quiet"]
run(nestgrad, "run", "config.json", "--out", "whole", *short)
process = subprocess.Popen(
    [nestgrad, "run", "config.json", "--out", "killed", *short], cwd=here)
while len(list((here / "killed/checkpoints").glob("checkpoint-??????"))) == 0:
    assert process.poll() is None, "it ended before it could be killed"
    time.sleep(0.01)
process.send_signal(signal.SIGKILL)
process.wait()
lines = (here / "killed/metrics.jsonl").read_text().count("\n")
assert lines < 300, lines
run(nestgrad, "resume", "killed", "--quiet")
for name in ["weights.safetensors", "hyperparameters.safetensors"]:
    whole, killed = ((here / f / name).read_bytes() for f in ["whole", "killed"])
    assert whole == killed, f"{name} differs"
del config["plugins"]
(here / "sweep.json").write_text(json.dumps({
    "config": config,
    "set": {"outer.steps": 3, "record.retrain": 0},
    "vary": {"estimator.solver.step": {"values": [0.1, 0.2]}}}))
run(nestgrad, "sweep", "sweep.json", "--plugin", plugin, "--quiet", "--out",
    "sweep")

# The path of a plugin is seen from the folder in which the run began.
nearby = ["--plugin", os.path.relpath(plugin, here)]
run(nestgrad, "run", "config.json", "--out", "near", *nearby, *short)
run(nestgrad, "resume", here / "near", "--set", "outer.steps=301",
    folder=together)
run(nestgrad, "resume", here / "near", "--set", "outer.steps=302", "--plugin",
    plugin, folder=together)

# Not every file is a plugin of this program.
run(nestgrad, "list", "--plugin", "none.so", code=2, says="No such file")
run(nestgrad, "list", "--plugin", "config.json", code=2, says="is not a nestgrad plugin")
run(nestgrad, "run", "config.json", "--set", "plugins=[1]", code=2,
    says="/plugins/0: must be a string, is 1")
good = pathlib.Path(plugin).read_bytes()
old = good.replace(b"nestgrad plugin for 0.1", b"nestgrad plugin for 0.0")
assert old != good
(here / "old.so").write_bytes(old)
run(nestgrad, "list", "--plugin", "old.so", code=2,
    says="was built for nestgrad 0.0")
begin = good.index(b"(interface ") + len("(interface ")
other = good[:begin] + b"00000000" + good[begin + 8:]
(here / "other.so").write_bytes(other)
run(nestgrad, "list", "--plugin", "other.so", code=2, says="rebuild it")
(here / "short.so").write_bytes(good[:len(good) // 2] + old[-200:])
run(nestgrad, "list", "--plugin", "short.so", code=2)
shutil.copy(here / "my_problem/build/libmy_problem.so", here / "again.so")
run(nestgrad, "list", "--plugin", plugin, "--plugin", "again.so", code=2,
    says="there are two problems named 'my_problem'")

# One that has changed since the checkpoint may compute something else.
run(nestgrad, "run", "config.json", "--out", "stopped", "--quiet", "--set",
    "outer.steps=40")
summary = here / "stopped/summary.json"
pathlib.Path(plugin).write_bytes(good + b"\n")
run(nestgrad, "resume", "stopped", "--set", "outer.steps=45", code=2,
    says="program.plugins")
run(nestgrad, "resume", "stopped", "--quiet", "--set", "outer.steps=45",
    "--allow", "program")
assert json.loads(summary.read_text())["outer_steps"] == 45
