"""What ./dev does, with stand-ins for apt, sudo, CMake and the program.

    dev.py ROOT FOLDER
"""

import os
import pathlib
import shutil
import subprocess
import sys

root, here = map(pathlib.Path, sys.argv[1:])
shutil.rmtree(here, ignore_errors=True)
project, tools, user = here / "project", here / "tools", here / "user"
for folder in (project, tools, user):
    folder.mkdir(parents=True)
shutil.copy(root / "dev", project)
log = here / "log"

# The programs that the script may use, and nothing else.
for name in ("awk", "cat", "dirname", "env", "grep", "mkdir", "rm",
             "sh"):
    (tools / name).symlink_to(shutil.which(name))


def stand_in(name, body=""):
    path = tools / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n{body}\n')
    path.chmod(0o755)


def dev(*arguments, code=0, folder=user, stdin="", **environment):
    """What the script prints, and which programs it called."""
    log.write_text("")
    script = "./" + os.path.relpath(project / "dev", folder)
    done = subprocess.run([script, *arguments],
                          cwd=folder, env={"PATH": str(tools), **environment},
                          input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    assert done.returncode == code, (arguments, done.returncode, done.stdout)
    return done.stdout, log.read_text()


def has(text, *parts):
    for part in parts:
        assert part in text, f"'{part}' is not in:\n{text}"


# Another system.
says, calls = dev("run", "a.json", code=2)
has(says, "installs with apt, which is not here", "libtorch-dev", "cmake")
assert calls == "", calls

# Everything is installed.
stand_in("apt-get")
stand_in("dpkg-query", "echo 'install ok installed'")
stand_in("ctest")
stand_in("cmake", f"""mkdir -p build/release
echo '#!/bin/sh
echo "$PWD: $*"; cat' >build/release/nestgrad
{shutil.which('chmod')} +x build/release/nestgrad
cat >/dev/null""")
says, calls = dev("run", "sub/a.json", "--set", "outer.lr=1 2", stdin="input")
assert says == f"{user.resolve()}: run sub/a.json --set outer.lr=1 2\ninput", says
assert calls.count("cmake ") == 2 and "apt-get" not in calls, calls
has(calls, "cmake --build --preset release --target nestgrad_program\n")
says, _ = dev("run", "a.json", folder=project)
has(says, f"{project.resolve()}: run a.json")
_, calls = dev("test", "-R", "unrolled")
has(calls, "cmake --preset release\n", "cmake --build --preset release\n",
    "ctest --preset release --parallel 2 -R unrolled\n")
assert "--target" not in calls, calls

# Another LibTorch, in the three ways in which its folder is named; it stays the
# one that is built with.
torch = user / "my libtorch"
config = torch / "share" / "cmake" / "Torch"
config.mkdir(parents=True)
(config / "TorchConfig.cmake").touch()
cache = project / "build" / "release" / "CMakeCache.txt"
for name in ("my libtorch", str(config.parent), str(config)):
    _, calls = dev("build", "--torch", "debian")
    assert "-DTorch_DIR" not in calls and "libtorch-dev" in calls, calls
    cache.touch()
    _, calls = dev("build", "debug", "--torch", name)
    has(calls, f"cmake --preset debug -DTorch_DIR={config.resolve()} "
        f"-DCMAKE_PREFIX_PATH={torch.resolve()}\n")
    assert "libtorch-dev" not in calls and not cache.exists(), calls
    cache.touch()
    _, calls = dev("test")
    has(calls, f"cmake --preset release -DTorch_DIR={config.resolve()} "
        f"-DCMAKE_PREFIX_PATH={torch.resolve()}\n")
    assert cache.exists()
_, calls = dev("build", "--torch", "debian")
_, calls = dev("run", "a.json", NESTGRAD_TORCH=str(torch))
has(calls, f"cmake --preset release -DTorch_DIR={config.resolve()} "
        f"-DCMAKE_PREFIX_PATH={torch.resolve()}\n")
says, calls = dev("build", "--torch", "absent", code=2)
has(says, "There is no LibTorch in 'absent'", "torch.utils.cmake_prefix_path")
assert calls == "", calls
for wrong in (("--torch",), ("--torch", ""), ("release", "debug")):
    assert "usage: ./dev run" in dev("build", *wrong, code=2)[0]
dev("build", "--torch", "debian")

# Some packages are missing, and the user may not install them.
stand_in("dpkg-query", """case "$*" in
*libtorch-dev | *ninja-build) echo 'unknown ok not-installed' ;;
*) echo 'install ok installed' ;;
esac""")
stand_in("id", "echo 1000")
says, calls = dev("run", "a.json", code=2)
has(says, "needs root or sudo",
    "apt-get install --no-install-recommends ninja-build libtorch-dev\n")
assert "apt-get" not in calls and "cmake --" not in calls, calls

# As root, and with sudo: what apt-get says about sizes comes before it starts.
stand_in("apt-get", """case "$*" in
*--print-uris*)
  echo '0 upgraded, 3 newly installed, 0 to remove and 0 not upgraded.'
  echo 'Need to get 321 MB of archives.'
  echo 'After this operation, 1,234 MB of additional disk space will be used.'
  echo "'http://deb.debian.org/a.deb' a.deb 1 SHA256:0" ;;
*) echo "apt-get: $*" ;;
esac""")
stand_in("sudo", '"$@"')
for name, sudo in (("0", False), ("1000", True)):
    stand_in("id", f"echo {name}")
    says, calls = dev("run", "a.json")
    has(says, "Need to get 321 MB", "1,234 MB of additional disk space",
        "ninja-build libtorch-dev")
    assert says.index("321 MB") < says.index("apt-get: install"), says
    assert "a.deb" not in says, says
    assert ("sudo " in calls) == sudo, calls
    has(calls, "apt-get install -y -qq --no-install-recommends ninja-build "
               "libtorch-dev\n")
assert "usage: ./dev run" in dev(code=2)[0]
