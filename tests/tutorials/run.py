"""Does what a tutorial says, and compares what comes out.

  run.py TUTORIAL.md PREFIX FOLDER

Blocks with file=NAME become files, those of sh are executed, one shell for all of
them, with the program of PREFIX on the path; every line of a block of text has to
be in the output, but for its numbers."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

tutorial, prefix, folder = map(pathlib.Path, sys.argv[1:])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)

script = ["set -e"]
expected = []
pattern = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
for language, name, text in pattern.findall(tutorial.read_text()):
    if name:
        script.append(f"cat > {name} <<'END_OF_FILE'\n{text}END_OF_FILE")
    elif language == "sh":
        script.append(text)
    elif language == "text":
        expected += [line for line in text.splitlines() if line.strip()]
    else:
        sys.exit(f"{tutorial}: a block of {language} without a file")
assert len(script) > 2 and expected, "nothing to do"

environment = dict(os.environ, PREFIX=str(prefix), OPENBLAS_NUM_THREADS="1",
                   CMAKE_GENERATOR="Ninja",  # make need not be there
                   PATH=f"{prefix}/bin:/usr/bin:{os.environ['PATH']}")
done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, text=True,
                      env=environment, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT)


def shape(line):
    """The words of a line; any number is like any other."""
    return re.sub(r"[-+]?\d[\d.]*(e[-+]?\d+)?", "#", " ".join(line.split()))


met = [shape(line) for line in done.stdout.splitlines()]
missing = [line for line in expected if shape(line) not in met]
if done.returncode != 0 or missing:
    sys.exit(f"{tutorial}: exit code {done.returncode}; not in the output:\n"
             + "\n".join(missing) + f"\nthe output:\n{done.stdout}")
