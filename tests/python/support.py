"""What the tests of the Python package share."""

import os
import pathlib
import sys
import tempfile
import unittest

PROGRAM, SOURCE = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "python"))
os.environ["NESTGRAD_PROGRAM"] = str(PROGRAM)

RIDGE = SOURCE / "configs/ridge_ift.json"
SHORT = {"outer.steps": 4, "record.retrain": 0}


def listed(value):
    return value.tolist() if hasattr(value, "tolist") else value


def plain(values):
    """A dict of arrays as one of lists."""
    return {name: listed(value) for name, value in values.items()}


class InFolder(unittest.TestCase):
    """A test in an empty folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
