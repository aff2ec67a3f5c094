"""The folder of a run and the files in it."""

import json
import os
import pathlib

from nestgrad import safetensors
from nestgrad.errors import Error
from nestgrad.numbers import column
from nestgrad.page import page_of


class Run:
    """A run that has ended, was interrupted or is still going on.

    Every property reads its file again, so a Run shows what is there now. The
    files are described in docs/configuration.md, "The files of a run".
    """

    def __init__(self, path, *, program=None):
        """Opens the folder of a run. program: as for nestgrad.run()."""
        self.path = pathlib.Path(path).absolute()
        self.program = program
        if not (self.path / "config.json").is_file():
            raise Error(f"{path}: is not the folder of a run, it has no "
                        "config.json")

    @property
    def config(self):
        """The configuration with every default, a dict."""
        return self._json("config.json")

    @property
    def summary(self):
        """How the run has ended, a dict; empty if it has not."""
        return self._json("summary.json", {})

    @property
    def metrics(self):
        """The columns of metrics.jsonl by name.

        Each has a value for the start, which is step 0, and one for each outer
        step: NaN, or None among texts, where a line does not have it.
        """
        text = self._read("metrics.jsonl", "")
        # The program may be writing the last line.
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        names = dict.fromkeys(name for line in lines for name in line)
        return {name: column([line.get(name) for line in lines])
                for name in names}

    @property
    def start(self):
        """The initial hyperparameters by column of `metrics`.

        Up to ten numbers of a hyperparameter are columns of their own; of more
        there are mean, min and max.
        """
        tuned = self._json("run.json").get("hyperparameters", {})
        return {name: value for entry in tuned.values()
                for name, value in entry["start"].items()}

    @property
    def hyperparameters(self):
        """The hyperparameters found by name, in natural units.

        While the run goes on, those of the last checkpoint.
        """
        return {name: float(value) if getattr(value, "shape", None) == ()
                else value
                for name, value in
                self._tensors("hyperparameters.safetensors").items()}

    @property
    def weights(self):
        """The tuned weights by name."""
        return self._tensors("weights.safetensors")

    @property
    def pictures(self):
        """The paths of the pictures; that of the course of the run is first."""
        return sorted(self.path.glob("*.png"),
                      key=lambda path: (path.name != "trajectory.png", path))

    def report(self):
        """Writes the page of the run; returns its path."""
        from nestgrad.calls import command  # which knows Run itself
        command("report", self.path, program=self.program)
        return self.path / "report.html"

    def __repr__(self):
        return f"<nestgrad.Run {self._name()}: {self._state()}>"

    def _repr_html_(self):
        return page_of(self._name(), self._state(), self.summary, self.start,
                       self.pictures)

    def _name(self):
        try:
            return str(self.path.relative_to(pathlib.Path.cwd()))
        except ValueError:
            return str(self.path)

    def _state(self):
        summary = self.summary
        if not summary:
            return "not finished"
        steps = summary["outer_steps"]
        return (f"{summary['termination'].replace('_', ' ')}, "
                f"{steps} outer step{'' if steps == 1 else 's'}")

    def _read(self, name, default=None):
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            if default is None:
                raise self._missing(name) from None
            return default

    def _json(self, name, default=None):
        text = self._read(name, "" if default is not None else None)
        return json.loads(text) if text else default

    def _tensors(self, name):
        if not os.path.exists(self.path / name):
            raise self._missing(name)
        return safetensors.read(self.path / name)

    def _missing(self, name):
        return Error(f"{self._name()}: has no {name} (yet); the program writes "
                     "it at the first checkpoint")
