"""The commands of the program as functions."""

import json as json_format
import os

from nestgrad.process import Process, assignments, failure
from nestgrad.progress import Events, Printer
from nestgrad.run_folder import Run


def run(config, *, set=None, seed=None, out=None, paths_from=(), plugins=(),
        ranks=None, on_event=None, quiet=False, program=None):
    """Runs the experiment of a configuration; returns its Run.

    config: the path of a JSON file, or a dict.
    set: values to replace, by dotted path: {"outer.steps": 20}.
    seed, out, paths_from, plugins, ranks: the options --seed, --out,
        --paths-from, --plugin and --ranks of `nestgrad run`.
    on_event: is called with each event of `--progress json`, a dict. Without
        it, lines about the progress are printed.
    quiet: print nothing.
    program: the program, if not that of find_program().

    Raises Error if the program fails. KeyboardInterrupt is passed on to the
    program, which writes a checkpoint; it is raised when the program has ended.
    So is an exception from on_event.
    """
    words = ["run", config, *assignments(set)]
    options = [("--seed", seed), ("--out", out), ("--ranks", ranks)]
    options += [("--paths-from", folder) for folder in _several(paths_from)]
    options += [("--plugin", file) for file in _several(plugins)]
    for name, value in options:
        if value is not None:
            words += [name, value]
    return _follow(words, None, on_event, quiet, program)


def resume(run, *, set=None, allow=(), wait=None, on_event=None, quiet=False,
           program=None):
    """Continues a run from its newest checkpoint; returns its Run.

    run: a Run or the path of its folder.
    set, allow, wait: the options --set, --allow and --wait of
        `nestgrad resume`.
    The other parameters are those of run().
    """
    if not isinstance(run, Run):
        run = Run(run, program=program)
    words = ["resume", run.path, *assignments(set)]
    for key in _several(allow):
        words += ["--allow", key]
    if wait is not None:
        words += ["--wait", wait]
    return _follow(words, run.path, on_event, quiet, program or run.program)


def command(name, *arguments, set=None, json=False, program=None):
    """Calls any command of the program; returns what it prints.

    arguments: as on a command line. A dict is a configuration.
    set: values to replace in the configuration, as for run().
    json: add --json, and return the parsed answer.

    Raises Error if the program fails; `output` of the error is what was printed
    before, for instance by a check that has found something wrong.
    """
    words = [name, *arguments, *assignments(set), *(["--json"] if json else [])]
    process = Process(words, program)
    printed = []
    try:
        for line in process.lines():
            printed.append(line + "\n")
    except BaseException:
        process.stop()
        process.end()
        raise
    code, told = process.end()
    output = "".join(printed)
    if code != 0:
        raise failure(code, told, output=output)
    return json_format.loads(output) if json else output


def _several(value):
    """A list; one path or text counts as a list of it."""
    return [value] if isinstance(value, (str, os.PathLike)) else list(value)


def _ignore(event):
    del event


def _follow(words, folder, on_event, quiet, program):
    """Runs the program, reads its events and returns the Run."""
    events = Events(on_event or (_ignore if quiet else Printer()))
    process = Process([*words, "--progress", "json"], program)

    def run_so_far():
        place = events.folder or folder
        return Run(place, program=program) if place else None

    try:
        for line in process.lines():
            events.read(line)
    except BaseException as reason:
        events.read_silently(process.stop())
        code, told = process.end()
        if isinstance(reason, KeyboardInterrupt) and code != 0:
            stopped = failure(code, told, events.warnings, events.termination)
            raise KeyboardInterrupt(str(stopped)) from None
        raise
    code, told = process.end()
    if code != 0:
        raise failure(code, told, events.warnings, events.termination,
                      run_so_far())
    return run_so_far()
