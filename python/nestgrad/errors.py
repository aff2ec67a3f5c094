"""What is raised when the program fails."""

import signal

DIVERGED, CHECK_FAILED, OUT_OF_MEMORY = 3, 4, 5


class Error(RuntimeError):
    """The program has failed; the text is its own sentence.

    code: the exit code of the program (the table is in the README of
        nestgrad), 128 plus the number of the signal if a signal has ended it,
        None if no program was started.
    run: the Run that was going on, with what it had reached, or None.
    output: what the program had written to standard output.
    """

    def __init__(self, message, code=None, run=None, output=""):
        super().__init__(message)
        self.code = code
        self.run = run
        self.output = output


class Diverged(Error):
    """A number became NaN or infinite (exit code 3)."""


class OutOfMemory(Error):
    """There was not enough memory (exit code 5)."""


class Stopped(Error):
    """A signal has stopped the program; resume() goes on with the run."""


def class_of(code):
    """The class of errors for an exit code."""
    if code > 128:
        return Stopped
    return {DIVERGED: Diverged, OUT_OF_MEMORY: OutOfMemory}.get(code, Error)


def sentence_of(code):
    """What an exit code says, for a program that could not say more."""
    if code == CHECK_FAILED:
        return "a check has failed; the output of this error says which"
    if code <= 128:
        return f"the program has ended with exit code {code}"
    try:
        name = signal.Signals(code - 128).name
    except ValueError:
        name = f"signal {code - 128}"
    return f"the program was ended by {name}"
