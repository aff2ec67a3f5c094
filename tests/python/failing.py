"""What is raised; part of package_test.py."""

import json
import os
import pathlib
from unittest import mock

from support import PROGRAM, RIDGE, SHORT, InFolder

import nestgrad


class Failing(InFolder):
    def fails(self, call, *arguments, **options):
        with self.assertRaises(nestgrad.Error) as caught:
            call(*arguments, **options)
        return caught.exception

    def test_a_misspelled_key_is_the_sentence_of_the_program(self):
        error = self.fails(nestgrad.run, RIDGE, quiet=True,
                           set={"inner.momentun": 0.9})
        self.assertEqual(
            str(error), "--set: /inner/momentun: there is no key 'momentun' "
                        "here; did you mean 'momentum'?")
        self.assertEqual((error.code, error.run), (2, None))

    def test_a_run_that_diverges_keeps_what_it_had_reached(self):
        error = self.fails(nestgrad.run, RIDGE, quiet=True, out="out",
                           set={**SHORT, "inner.lr": 50})
        self.assertIs(type(error), nestgrad.Diverged)
        self.assertRegex(str(error), r"\Adiverged: the validation loss is .*"
                                     r" what was reached before is in out\Z")
        self.assertEqual(error.run.summary["termination"], "diverged")

    def test_a_check_that_fails_has_its_answer_in_the_error(self):
        for as_json in (True, False):
            error = self.fails(
                nestgrad.command, "check", RIDGE, "--max-bias", "1e-6",
                set={"estimator.solver": "identity"}, json=as_json)
            self.assertEqual(error.code, 4)
            self.assertEqual(str(error), "a check has failed; the output of "
                                         "this error says which")
            if as_json:
                self.assertIs(json.loads(error.output)["passed"], False)
            else:
                self.assertIn("TOO FAR OFF", error.output)

    def test_missing_files_are_named(self):
        error = self.fails(nestgrad.run, "none.json")
        self.assertIn("none.json", str(error))
        self.assertIn("config.json", str(self.fails(nestgrad.Run, ".")))
        pathlib.Path("config.json").write_text("{}")
        run = nestgrad.Run(".")
        self.assertEqual((run.summary, run.metrics, run.pictures), ({}, {}, []))
        self.assertIn("weights.safetensors",
                      str(self.fails(lambda: run.weights)))

    def test_a_program_is_found_by_argument_variable_and_path(self):
        other = pathlib.Path("nestgrad").absolute()
        other.write_text("#!/bin/sh\n")
        other.chmod(0o755)
        self.assertEqual(nestgrad.find_program(), str(PROGRAM))
        self.assertEqual(nestgrad.find_program("./nestgrad"), str(other))
        with mock.patch.dict(os.environ, PATH=str(other.parent)):
            self.assertEqual(nestgrad.find_program(), str(PROGRAM))
            del os.environ["NESTGRAD_PROGRAM"]
            self.assertEqual(nestgrad.find_program(), str(other))
            os.environ["NESTGRAD_PROGRAM"] = "absent"
            self.assertEqual(str(self.fails(nestgrad.find_program)),
                             "NESTGRAD_PROGRAM names 'absent', which is no "
                             "program")
