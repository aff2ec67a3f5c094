"""Compares the verdicts of the program on configurations with those of JSON Schema.

validate.py SCHEMA CASES: CASES is a JSON list of {"config", "accepted"}. Prints
every case that JSON Schema judges differently; exit code 1 if there is one.
"""

import json
import sys

from jsonschema import Draft202012Validator


def main(schema_path, cases_path):
    with open(schema_path) as file:
        schema = json.load(file)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    with open(cases_path) as file:
        cases = json.load(file)
    differences = 0
    for case in cases:
        errors = [
            f"{error.json_path}: {error.message[:200]}"
            for error in validator.iter_errors(case["config"])
        ]
        if case["accepted"] != (not errors):
            differences += 1
            print(case["about"], "| the program:", case["accepted"], "| schema:", errors)
    accepted = sum(case["accepted"] for case in cases)
    print(len(cases), "cases,", accepted, "accepted,", differences, "differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
