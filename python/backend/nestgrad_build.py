"""Builds the package for pip (PEP 517 and PEP 660).

It needs the standard library only, so `pip install ./python` works without a
network. A wheel is a ZIP file of the modules and of a folder of metadata.
"""

import base64
import hashlib
import io
import pathlib
import re
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
VERSION = re.search(r'^VERSION = "(.+)"$',
                    (ROOT / "nestgrad/version.py").read_text("utf-8"),
                    re.MULTILINE)[1]
INFO = f"nestgrad-{VERSION}.dist-info"
WHEEL = f"nestgrad-{VERSION}-py3-none-any.whl"
SOURCES = ["README.md", "pyproject.toml", "backend/nestgrad_build.py"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _write_wheel(wheel_directory, _modules())


def build_editable(wheel_directory, config_settings=None,
                   metadata_directory=None):
    # Python adds the folders that such a file names to its path.
    return _write_wheel(wheel_directory,
                        {"nestgrad.pth": f"{ROOT}\n".encode()})


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory) / INFO
    for name, data in _metadata().items():
        path = folder.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return INFO


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory, config_settings=None):
    top = f"nestgrad-{VERSION}"
    files = {name: (ROOT / name).read_bytes() for name in SOURCES}
    files.update(_modules())
    files["LICENSE"] = _license()
    files["PKG-INFO"] = _metadata()[f"{INFO}/METADATA"]
    path = pathlib.Path(sdist_directory) / f"{top}.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size = len(data)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(data))
    return path.name


def _modules():
    return {f"nestgrad/{path.name}": path.read_bytes()
            for path in sorted((ROOT / "nestgrad").glob("*.py"))}


def _license():
    """That of the whole project, which an archive of sources carries along."""
    for folder in (ROOT, ROOT.parent):
        if (folder / "LICENSE").is_file():
            return (folder / "LICENSE").read_bytes()
    raise FileNotFoundError(f"{ROOT}: there is no LICENSE here or above")


def _metadata():
    about = f"""\
Metadata-Version: 2.1
Name: nestgrad
Version: {VERSION}
Summary: Runs the program nestgrad and reads what it has found
License: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.9
Description-Content-Type: text/markdown

""" + (ROOT / "README.md").read_text("utf-8")
    wheel = """\
Wheel-Version: 1.0
Generator: nestgrad_build
Root-Is-Purelib: true
Tag: py3-none-any
"""
    return {f"{INFO}/METADATA": about.encode(), f"{INFO}/WHEEL": wheel.encode(),
            f"{INFO}/LICENSE": _license()}


def _write_wheel(folder, files):
    files = {**files, **_metadata()}
    record = f"{INFO}/RECORD"
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        code = digest.rstrip(b"=").decode()
        lines.append(f"{name},sha256={code},{len(data)}\n")
    files[record] = "".join([*lines, f"{record},,\n"]).encode()
    with zipfile.ZipFile(pathlib.Path(folder) / WHEEL, "w",
                         zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980, so that bytes are equal
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return WHEEL
