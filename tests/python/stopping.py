"""Runs that are killed, interrupted and resumed; part of package_test.py."""

import json
import os
import pathlib
import signal
import tempfile
import threading

from support import PROGRAM, RIDGE, SHORT, InFolder

import nestgrad

LONG = {"outer.steps": 1000, "record.retrain": 0,
        "record.checkpoint.steps": 100}


def without_times(run):
    """The lines of metrics.jsonl without what is measured."""
    lines = []
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        line = json.loads(line)
        for name in ("seconds", "estimate_seconds", "tensor_mib"):
            line.pop(name, None)
        lines.append(line)
    return lines


class Stopping(InFolder):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.whole = nestgrad.run(
            RIDGE, set=LONG, out=pathlib.Path(folder.name) / "whole",
            quiet=True)

    def started(self):
        """One that writes down its process before it becomes the
        program."""
        return self.stand_in(f'echo $$ >pid\nexec "{PROGRAM}" "$@"\n')

    def stand_in(self, body):
        path = pathlib.Path("stand_in").absolute()
        path.write_text(f"#!/bin/sh\n{body}")
        path.chmod(0o755)
        return path

    def take_interrupts(self):
        # A shell may have switched them off for a test in the background.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def interrupt_in(self, seconds):
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
        self.addCleanup(timer.join)
        timer.start()

    def is_like_the_uninterrupted(self, run):
        for name in ("hyperparameters.safetensors", "weights.safetensors"):
            self.assertEqual((run.path / name).read_bytes(),
                             (self.whole.path / name).read_bytes())
        self.assertEqual(without_times(run), without_times(self.whole))

    def test_a_killed_run_is_an_error_and_resume_finishes_it(self):
        def kill(event):
            if event["event"] == "checkpoint" and event["step"] >= 200:
                os.kill(int(pathlib.Path("pid").read_text()), signal.SIGKILL)

        with self.assertRaises(nestgrad.Stopped) as caught:
            nestgrad.run(RIDGE, set=LONG, out="out", on_event=kill,
                         program=self.started())
        self.assertEqual(caught.exception.code, 128 + signal.SIGKILL)
        self.assertIn("SIGKILL", str(caught.exception))
        run = caught.exception.run
        self.assertEqual(repr(run), "<nestgrad.Run out: not finished>")
        self.assertLess(len(run.metrics["step"]), 1001)
        self.assertEqual(len(run.hyperparameters["weight_decay"]), 12)
        told = []
        resumed = nestgrad.resume(run, on_event=told.append)
        self.assertGreaterEqual(told[0]["step"], 200)
        self.is_like_the_uninterrupted(resumed)

    def test_an_interrupt_reaches_the_program_and_is_raised_at_its_end(self):
        self.take_interrupts()

        def interrupt_soon(event):
            if event["event"] == "step" and event["step"] == 1:
                # A session of its own gets no Ctrl-C from the terminal.
                program = int(pathlib.Path("pid").read_text())
                self.assertEqual(os.getsid(program), program)
                self.interrupt_in(0.1)

        with self.assertRaises(KeyboardInterrupt) as caught:
            nestgrad.run(RIDGE, set=LONG, out="out", on_event=interrupt_soon,
                         program=self.started())
        with self.assertRaises(ProcessLookupError):  # it has ended before
            os.kill(int(pathlib.Path("pid").read_text()), 0)
        self.assertRegex(str(caught.exception),
                         r"\Astopped after outer step \d+; .*resume")
        run = nestgrad.Run("out")
        self.assertEqual(run.summary["termination"], "stopped")
        steps = run.summary["outer_steps"]
        self.assertLess(steps, 1000)
        told = []
        resumed = nestgrad.resume("out", on_event=told.append)
        self.assertEqual(told[0]["step"], steps)
        self.is_like_the_uninterrupted(resumed)

    def test_a_second_interrupt_reaches_the_program_too(self):
        self.take_interrupts()
        program = self.stand_in("""
n=0
trap 'n=$((n + 1)); if [ $n = 2 ]; then echo two >got; exit 130; fi' INT
while :; do sleep 0.1; done
""")
        self.interrupt_in(0.3)
        self.interrupt_in(1)
        with self.assertRaises(KeyboardInterrupt):
            nestgrad.command("sweep", program=program)
        self.assertEqual(pathlib.Path("got").read_text(), "two\n")

    def test_a_program_that_prints_much_at_its_end_can_end(self):
        program = self.stand_in("""
trap 'head -c 300000 /dev/zero | tr "\\0" "\\n"; echo >done; exit 130' INT
echo '{"event": "step"}'
while :; do sleep 0.1; done
""")

        def mistake(event):
            raise ZeroDivisionError

        def late(number, frame):
            raise TimeoutError

        self.addCleanup(signal.signal, signal.SIGALRM,
                        signal.signal(signal.SIGALRM, late))
        self.addCleanup(signal.alarm, 0)
        signal.alarm(20)
        with self.assertRaises(ZeroDivisionError):
            nestgrad.run({}, on_event=mistake, program=program)
        self.assertTrue(pathlib.Path("done").exists())

    def test_a_mistake_in_on_event_stops_the_program_and_is_raised(self):
        def mistake(event):
            if event["event"] == "step":
                raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            nestgrad.run(RIDGE, set=LONG, out="out", on_event=mistake,
                         program=self.started())
        self.assertEqual(nestgrad.Run("out").summary["termination"], "stopped")

    def test_a_signal_from_elsewhere_is_an_error(self):
        def terminate(event):
            if event["event"] == "checkpoint" and event["step"] == 100:
                os.kill(int(pathlib.Path("pid").read_text()), signal.SIGTERM)

        with self.assertRaises(nestgrad.Stopped) as caught:
            nestgrad.run(RIDGE, set=LONG, out="out", on_event=terminate,
                         program=self.started())
        self.assertEqual(caught.exception.code, 128 + signal.SIGTERM)
        self.assertIn("stopped after outer step", str(caught.exception))

    def test_resume_takes_changes_that_are_allowed(self):
        run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
        config = run.config
        config["outer"]["lr"] = 0.2
        (run.path / "config.json").write_text(json.dumps(config))
        with self.assertRaises(nestgrad.Error) as caught:
            nestgrad.resume(run, quiet=True)
        self.assertIn("--allow outer.lr", str(caught.exception))
        nestgrad.resume(run, allow="outer.lr", set={"outer.steps": 6},
                        quiet=True)
        self.assertEqual(run.summary["outer_steps"], 6)
