"""Where the program is."""

import os
import pathlib
import shutil

from nestgrad.errors import Error

VARIABLE = "NESTGRAD_PROGRAM"


def find_program(program=None):
    """The absolute path of the program, as a string.

    The first of these counts: the argument, the environment variable
    NESTGRAD_PROGRAM, `nestgrad` on the PATH, and, if this package lies in the
    source tree of nestgrad, the program that was built there. Raises Error if
    there is none.
    """
    told = program or os.environ.get(VARIABLE)
    if told:
        found = shutil.which(os.fspath(told))
        if found is None:
            source = "the argument" if program else VARIABLE
            raise Error(f"{source} names '{told}', which is no program")
        return os.path.abspath(found)
    found = shutil.which("nestgrad") or _built_in_tree()
    if found is None:
        raise Error(
            "the program nestgrad was not found: build it with './dev build', "
            f"then put it on the PATH, set {VARIABLE} to its path, or pass "
            "program=")
    return os.path.abspath(found)


def _built_in_tree():
    tree = pathlib.Path(__file__).resolve().parents[2]
    if not (tree / "python/nestgrad/program.py").is_file():
        return None  # an installed package
    return shutil.which(str(tree / "build/release/nestgrad"))
