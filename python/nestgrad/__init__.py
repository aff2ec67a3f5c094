"""Runs the program nestgrad and reads what it has found.

    import nestgrad

    run = nestgrad.run("configs/quickstart.json", set={"outer.steps": 20})
    run.hyperparameters["weight_decay"]

The package starts the program `nestgrad`; it computes nothing itself. It needs
the standard library only. Where NumPy is installed, numbers come as arrays,
otherwise as lists.
"""

from nestgrad.calls import command, resume, run
from nestgrad.errors import Diverged, Error, OutOfMemory, Stopped
from nestgrad.program import find_program
from nestgrad.run_folder import Run
from nestgrad.version import VERSION as __version__

__all__ = [
    "Diverged", "Error", "OutOfMemory", "Run", "Stopped", "__version__",
    "command", "find_program", "resume", "run",
]
