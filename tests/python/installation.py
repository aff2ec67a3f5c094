"""How the package is built and installed; part of package_test.py."""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

from support import PROGRAM, SOURCE

import nestgrad

PACKAGE = SOURCE / "python"
BUILD = """
import sys
sys.path.insert(0, "backend")
import nestgrad_build
print(getattr(nestgrad_build, sys.argv[1])(sys.argv[2]))
"""
TELL = """
import nestgrad
print(nestgrad.__file__)
print(nestgrad.__version__)
try:
    print(nestgrad.find_program())
except nestgrad.Error as error:
    print(error)
"""


class Installation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()

    def python(self, *arguments, folder=None, path=None):
        """What a fresh interpreter prints that knows nothing of this one."""
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("NESTGRAD_PROGRAM", "PYTHONPATH")}
        environment.update(PATH="/nowhere", PYTHONDONTWRITEBYTECODE="1")
        if path:
            environment["PYTHONPATH"] = str(path)
        done = subprocess.run([sys.executable, *map(str, arguments)],
                              cwd=folder or self.folder, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout.splitlines()

    def build(self, hook, folder=PACKAGE):
        name = self.python("-c", BUILD, hook, self.folder, folder=folder)[0]
        return self.folder / name

    def test_pip_installs_without_a_network(self):
        if importlib.util.find_spec("pip") is None:
            self.skipTest("pip is not installed")
        place = self.folder / "place"
        self.python("-m", "pip", "install", "--no-index", "--target", place,
                    PACKAGE)
        (self.folder / "elsewhere").mkdir()
        file, version, program = self.python(
            "-c", TELL, folder=self.folder / "elsewhere", path=place)
        self.assertEqual(pathlib.Path(file), place / "nestgrad/__init__.py")
        self.assertTrue((place / f"nestgrad-{version}.dist-info").is_dir())
        self.assertIn("the program nestgrad was not found", program)
        self.assertIn("NESTGRAD_PROGRAM", program)

    def test_a_wheel_has_all_modules_and_the_licence(self):
        with zipfile.ZipFile(self.build("build_wheel")) as wheel:
            names = wheel.namelist()
            info = next(n for n in names if n.endswith("/METADATA"))
            licence = wheel.read(info.replace("METADATA", "LICENSE"))
            about = wheel.read(info).decode()
        self.assertEqual(
            {pathlib.PurePath(n).name for n in names if ".dist-info" not in n},
            {path.name for path in (PACKAGE / "nestgrad").glob("*.py")})
        self.assertEqual(licence, (SOURCE / "LICENSE").read_bytes())
        self.assertIn("\nRequires-Python: >=3.9\n", about)

    def test_an_archive_of_sources_builds_the_same_wheel(self):
        wheel = self.build("build_wheel").read_bytes()
        with tarfile.open(self.build("build_sdist")) as archive:
            archive.extractall(self.folder)
        top = next(p for p in self.folder.iterdir() if p.is_dir())
        self.assertEqual(self.build("build_wheel", top).read_bytes(), wheel)

    def test_an_editable_installation_uses_the_tree_and_its_program(self):
        tree = self.folder / "tree"
        shutil.copytree(PACKAGE, tree / "python")
        shutil.copy(SOURCE / "LICENSE", tree)
        program = tree / "build/release/nestgrad"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        place = self.folder / "place"
        with zipfile.ZipFile(self.build("build_editable",
                                        tree / "python")) as wheel:
            wheel.extractall(place)
        told = self.python(
            "-c", f"import site; site.addsitedir({str(place)!r})\n{TELL}")
        self.assertEqual(pathlib.Path(told[0]),
                         tree / "python/nestgrad/__init__.py")
        self.assertEqual(told[2], str(program))

    def test_the_package_has_the_version_of_the_program(self):
        told = subprocess.run([PROGRAM, "--version"], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        self.assertEqual(nestgrad.__version__, told.strip())
        text = (SOURCE / "CMakeLists.txt").read_text()
        self.assertEqual(nestgrad.__version__,
                         re.search(r"VERSION (\d+\.\d+\.\d+)", text)[1])
