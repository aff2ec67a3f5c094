"""One start of the program: its input, its lines, its end."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile

from nestgrad.errors import CHECK_FAILED, class_of, sentence_of
from nestgrad.program import find_program


class Process:
    """The program with the arguments `words`.

    A dict among the words is a configuration: the program gets it on standard
    input.
    """

    def __init__(self, words, program=None):
        given = [w for w in words if isinstance(w, dict)]
        if len(given) > 1:
            raise TypeError("only one of the arguments can be a dict")
        text = to_json(given[0], indent=2) if given else ""
        words = ["-" if isinstance(w, dict) else os.fspath(w)
                 if isinstance(w, os.PathLike) else str(w) for w in words]
        program = find_program(program)
        # A file, because a full pipe would stop the program.
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8",
                                              errors="replace")
        # In a session of its own, so that Ctrl-C reaches it only through
        # stop() and not a second time through the terminal.
        self._process = subprocess.Popen(
            [program, *words], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._stderr, encoding="utf-8",
            errors="replace", start_new_session=True)
        # If the program has ended already, standard error says why.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def lines(self):
        """The lines of standard output, each as soon as it is written."""
        for line in self._process.stdout:
            yield line.rstrip("\n")

    def stop(self):
        """Tells the program to stop, as Ctrl-C does; returns its last lines.

        The program writes a checkpoint before it ends. If Python is interrupted
        meanwhile, the program gets the second signal, too.
        """
        last = []
        while True:
            try:
                if self._process.poll() is None:
                    self._process.send_signal(signal.SIGINT)
                last += self.lines()
                self._process.wait()
                return last
            except KeyboardInterrupt:
                pass

    def end(self):
        """Waits for the end. Returns the exit code and standard error."""
        code = self._process.wait()
        self._process.stdout.close()
        self._stderr.seek(0)
        with self._stderr as file:
            told = file.read()
        return (128 - code if code < 0 else code), told


def failure(code, told, warnings=(), termination=None, run=None, output=""):
    """The Error for an exit code.

    Its text is what the program has written to standard error (`told`) without
    the `warnings`. Some failures are told as warnings; then it is the one that
    begins with how the run has ended (`termination`).
    """
    if code == CHECK_FAILED:  # what is wrong stands in its answer
        return class_of(code)(sentence_of(code), code, run, output)
    lines = [line[len("nestgrad: "):] if line.startswith("nestgrad: ") else line
             for line in told.splitlines()]
    known = {line for text in warnings for line in text.splitlines()}
    rest = [line for line in lines if line not in known]
    ending = [text for text in warnings
              if termination and text.startswith(termination)]
    text = "\n".join(rest).strip() or "\n".join(ending or warnings)
    return class_of(code)(text or sentence_of(code), code, run, output)


def to_json(value, **options):
    """JSON of a value that may hold paths and numbers of NumPy."""
    def plain(other):
        if isinstance(other, os.PathLike):
            return os.fspath(other)
        if hasattr(other, "tolist"):
            return other.tolist()
        raise TypeError(f"{other!r} cannot be written as JSON")

    return json.dumps(value, default=plain, allow_nan=False, **options)


def assignments(values):
    """The arguments for the dict of a parameter `set`."""
    return [word for path, value in (values or {}).items()
            for word in ("--set", f"{path}={to_json(value)}")]
