"""Follows a run by the events that the program writes."""

import json
import math

SECONDS = 5  # between two printed lines


class Events:
    """Reads the lines of `--progress json` and keeps what explains the end."""

    def __init__(self, on_event):
        self._on_event = on_event
        self.folder = None
        self.termination = None
        self.warnings = []

    def read(self, line):
        event = self._parsed(line)
        if event is None:
            print(line)  # of a plugin
            return
        self.remember(event)
        self._on_event(event)

    def read_silently(self, lines):
        for line in lines:
            event = self._parsed(line)
            if event is not None:
                self.remember(event)

    def remember(self, event):
        self.folder = event.get("folder", self.folder)
        self.termination = event.get("termination", self.termination)
        if event["event"] == "warning":
            self.warnings.append(event["text"])

    @staticmethod
    def _parsed(line):
        try:
            event = json.loads(line)
            return event if "event" in event else None
        except (ValueError, TypeError):
            return None


class Printer:
    """Prints the course of a run: its start, a line now and then, its end."""

    def __init__(self):
        self._shown = 0

    def __call__(self, event):
        line = self._line(event)
        if line:
            print(line, flush=True)

    def _line(self, event):
        kind = event["event"]
        if kind == "start":
            return (f"{event['folder']}: hyperparameters: {event['numbers']}, "
                    f"outer steps: {event['steps']}")
        if kind == "step":
            return self._step(event)
        if kind == "final_run":
            return f"training from scratch {event['text']}"
        if kind == "warning":
            return f"warning: {event['text']}"
        if kind == "end":
            return f"Results are in {event['folder']}"
        return None

    def _step(self, event):
        step, steps, seconds = event["step"], event["steps"], event["seconds"]
        last = step == steps
        if not last and seconds - self._shown < SECONDS:
            return None
        self._shown = seconds
        loss = event["outer_loss"]
        line = (f"step {step}/{steps}  validation loss "
                f"{math.nan if loss is None else loss:.4g}")
        if not last:
            line += f"  about {seconds / step * (steps - step):.0f} s to go"
        return line
