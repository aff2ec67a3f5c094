"""Does what a tutorial says, and compares what comes out.

  run.py TUTORIAL.md PREFIX FOLDER

Blocks with file=NAME become files, those of sh are executed, one shell for all of
them, in a home whose folder nestgrad is PREFIX, with its program on the path and
without make. Every line of a block of text has to come out with the same words. Its
whole numbers have to be equal and its other numbers within 5 %, because the words of a
table are the same for every experiment. What is measured may differ: times, memory,
and how far a run came before it was killed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.]*\w)")
MEASURED = re.compile(
    NUMBER.pattern + r"(?= ?(?:s|ms|sec|min|h|KiB|MiB|GiB)\b)"
    r"|(?<=after outer step )\d+")
MEASURED_COLUMNS = {"seconds", "MiB"}
ROUNDING = 1e-9  # errors below are due to rounding, of any size


def columns(line):
    return re.split(r"\s{2,}", line.strip())


def parts(line, header):
    """The words of a line, and its numbers that are not measured."""
    cells = columns(line)
    if header and len(cells) == len(header):
        cells = ["*" if name in MEASURED_COLUMNS else cell
                 for name, cell in zip(header, cells)]
    text = MEASURED.sub("*", " ".join(" ".join(cells).split()))
    return NUMBER.sub("#", text), NUMBER.findall(text)


def near(shown, met):
    if shown.isdigit() and met.isdigit():
        return shown == met
    a, b = float(shown), float(met)
    small = abs(a) < ROUNDING and abs(b) < ROUNDING
    return small or abs(a - b) <= 0.05 * max(abs(a), abs(b))


def trouble(line, header, output):
    """What is wrong with a shown line; none if it came out."""
    words, numbers = parts(line, header)
    met = [parts(other, header) for other in output]
    alike = [(other, values) for other, (text, values) in zip(output, met)
             if text == words]
    if any(all(map(near, numbers, values)) for _, values in alike):
        return []
    return [f"shown: {line}"] + [f"but:   {other}" for other, _ in alike]


def main():
    tutorial, prefix, folder = map(pathlib.Path, sys.argv[1:])
    shutil.rmtree(folder, ignore_errors=True)
    for name in ["work", "home", "no_make"]:
        (folder / name).mkdir(parents=True)
    (folder / "home/nestgrad").symlink_to(prefix)
    for name in ["make", "gmake"]:
        (folder / "no_make" / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / "no_make" / name).chmod(0o755)

    script, shown = ["set -e"], []
    pattern = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
    for language, name, text in pattern.findall(tutorial.read_text()):
        if name:
            script.append(f"cat > {name} <<'END_OF_FILE'\n{text}END_OF_FILE")
        elif language == "sh":
            script.append(text)
        elif language == "text":
            shown.append([line for line in text.splitlines() if line.strip()])
        else:
            sys.exit(f"{tutorial}: a block of {language} without a file")
    assert len(script) > 2 and shown, "nothing to do"

    path = f"{folder}/no_make:{prefix}/bin:/usr/bin:{os.environ['PATH']}"
    environment = dict(os.environ, HOME=str(folder / "home"), PATH=path,
                       OPENBLAS_NUM_THREADS="1")
    done = subprocess.run(["bash", "-c", "\n".join(script)],
                          cwd=folder / "work", text=True, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = done.stdout.splitlines()
    troubles = []
    for block in shown:
        header = None
        for line in block:
            if MEASURED_COLUMNS & set(columns(line)):
                header = columns(line)
            troubles += trouble(line, header, output)
    if done.returncode != 0 or troubles:
        sys.exit(f"{tutorial}: exit code {done.returncode}\n"
                 + "\n".join(troubles) + f"\nthe output:\n{done.stdout}")


if __name__ == "__main__":
    main()
