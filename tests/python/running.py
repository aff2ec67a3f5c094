"""Runs that end well, and what they give back; part of package_test.py."""

import json
import pathlib
from unittest import mock

from support import RIDGE, SHORT, InFolder, listed, plain

import nestgrad


class Running(InFolder):
    def test_the_numbers_of_a_run_are_those_of_its_files(self):
        run = nestgrad.run(RIDGE, set=SHORT, out="out", quiet=True)
        self.assertEqual(run.path, pathlib.Path("out").absolute())
        config = json.loads((run.path / "config.json").read_text())
        self.assertEqual(run.config, config)
        self.assertEqual(config["outer"]["steps"], 4)
        self.assertEqual(
            run.summary, json.loads((run.path / "summary.json").read_text()))
        self.assertEqual(
            plain(run.hyperparameters),
            json.loads((run.path / "hyperparameters.json").read_text()))
        self.assertEqual(list(run.weights), ["w"])
        self.assertEqual(len(run.weights["w"]), 12)
        self.assertEqual(run.start["weight_decay.mean"],
                         run.metrics["weight_decay.mean"][0])
        self.assertEqual([p.name for p in run.pictures], ["trajectory.png"])

    def test_columns_have_a_value_for_each_line_of_the_metrics(self):
        run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
        lines = [json.loads(line) for line in
                 (run.path / "metrics.jsonl").read_text().splitlines()]
        columns = plain(run.metrics)
        self.assertEqual(columns["step"], [0, 1, 2, 3, 4])
        self.assertEqual(columns["outer_loss"][1:],
                         [line["outer_loss"] for line in lines[1:]])
        self.assertNotEqual(columns["outer_loss"][0], columns["outer_loss"][0])
        self.assertEqual(columns["status"], [None] + ["ok"] * 4)
        self.assertEqual({len(c) for c in columns.values()}, {5})

    def test_an_incomplete_last_line_is_not_read(self):
        run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
        with open(run.path / "metrics.jsonl", "a") as file:
            file.write('{"step":5,"out')
        self.assertEqual(listed(run.metrics["step"]), [0, 1, 2, 3, 4])

    def test_a_dict_is_a_configuration_like_a_file(self):
        config = json.loads(RIDGE.read_text())
        config["outer"]["steps"] = 4
        config["record"] = {"retrain": 0, "folder": pathlib.Path("named")}
        run = nestgrad.run(config, quiet=True)
        self.assertEqual(run.path.name, "named")
        same = nestgrad.run(RIDGE, set=SHORT, out="same", quiet=True)
        self.assertEqual(plain(run.hyperparameters),
                         plain(same.hyperparameters))

    def test_set_and_seed_reach_the_program(self):
        values = {**SHORT, "inner": {"type": "sgd", "lr": 0.1}}
        run = nestgrad.run(RIDGE, set=values, seed=7, quiet=True)
        self.assertEqual(run.config["seed"], 7)
        self.assertEqual(run.config["inner"]["lr"], 0.1)

    def test_every_event_is_told_and_nothing_is_printed(self):
        told = []
        with mock.patch("builtins.print") as printed:
            nestgrad.run(RIDGE, set=SHORT, on_event=told.append)
        self.assertFalse(printed.called)
        kinds = [event["event"] for event in told]
        self.assertEqual((kinds[0], kinds[-1]), ("start", "end"))
        self.assertEqual(told[kinds.index("step")]["step"], 1)
        self.assertEqual(told[-1]["code"], 0)

    def test_without_on_event_a_few_lines_are_printed_unless_quiet(self):
        with mock.patch("builtins.print") as printed:
            nestgrad.run(RIDGE, set=SHORT, out="a")
            lines = [call.args[0] for call in printed.call_args_list]
            printed.reset_mock()
            nestgrad.run(RIDGE, set=SHORT, out="b", quiet=True)
            self.assertFalse(printed.called)
        self.assertEqual(lines[0],
                         "a: hyperparameters: 12, outer steps: 4")
        self.assertRegex(lines[-2], r"^step 4/4  validation loss 0\.\d+$")
        self.assertEqual(lines[-1], "Results are in a")

    def test_a_notebook_shows_a_table_the_verdict_and_the_picture(self):
        run = nestgrad.run(RIDGE, out="<b>", quiet=True,
                           set={**SHORT, "record.retrain": 10,
                                "hyperparameters.weight_decay.per": "all"})
        page = run._repr_html_()
        found = run.hyperparameters["weight_decay"]
        self.assertIn(f"<td>0.1</td><td>{found:.4g}</td>", page)
        self.assertIn("Retrained from scratch", page)
        self.assertIn('src="data:image/png;base64,iVBOR', page)
        self.assertIn("<b>&lt;b&gt;</b>: finished", page)
        self.assertEqual(repr(run), "<nestgrad.Run <b>: finished, "
                                    "4 outer steps>")

    def test_a_report_is_a_page_in_the_folder(self):
        run = nestgrad.run(RIDGE, set=SHORT, quiet=True)
        page = run.report()
        self.assertEqual(page.parent, run.path)
        self.assertIn("<html", page.read_text())

    def test_commands_give_text_or_json_back(self):
        self.assertIn("\nift ", nestgrad.command("list", "estimators"))
        config = json.loads(RIDGE.read_text())
        for argument in (RIDGE, config):
            answer = nestgrad.command("check", argument, json=True,
                                      set={"estimator.window": 5})
            self.assertIs(answer["passed"], True)
            self.assertEqual(answer["estimator"]["window"], 5)
