"""Asks Optuna (https://optuna.org) which values to try next.

Reads lines of JSON and answers each with one. The first line describes the
numbers that are searched:

  {"names": [...], "low": [...], "high": [...], "logarithmic": [...], "seed": 1}

and is answered by the version of Optuna. Each further line has the trials that
were added since the last one:

  [[[values...], loss], ...]

and is answered by [values, seconds of processor time so far]. A loss that is
not finite is null.
"""

import json
import sys
import time

try:
    import optuna
except ImportError:
    sys.exit(3)


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = json.loads(sys.stdin.readline())
    distributions = {
        name: optuna.distributions.FloatDistribution(low, high, log=log)
        for name, low, high, log in zip(
            space["names"], space["low"], space["high"], space["logarithmic"]
        )
    }
    study = optuna.create_study()
    answer(optuna.__version__)
    # Loading Optuna is not counted.
    began = time.process_time()
    count = 0
    for line in sys.stdin:
        for values, loss in json.loads(line):
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(zip(space["names"], values)),
                    distributions=distributions,
                    value=float("inf") if loss is None else loss,
                )
            )
            count += 1
        # The same trials lead to the same values, also in another process.
        study.sampler = optuna.samplers.TPESampler(
            seed=(space["seed"] + count) % 2**32
        )
        asked = study.ask(distributions)
        values = [asked.params[name] for name in space["names"]]
        # It is added with its loss, so this copy of it does not count.
        study.tell(asked, state=optuna.trial.TrialState.FAIL)
        answer([values, time.process_time() - began])


if __name__ == "__main__":
    main()
