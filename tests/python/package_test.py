"""The Python package against the program.

    package_test.py PROGRAM SOURCE_DIR [-v] [NAME ...]

It works with and without NumPy. Tests that need NumPy or pip are skipped where
these are missing.
"""

import sys
import unittest

import support  # noqa: F401, first, because it finds the package
from failing import Failing  # noqa: F401
from installation import Installation  # noqa: F401
from reading import Reading  # noqa: F401
from running import Running  # noqa: F401
from stopping import Stopping  # noqa: F401

if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
