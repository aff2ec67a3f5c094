"""Prints what Optuna reads from a journal file, as JSON."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import optuna  # noqa: E402
from optuna.storages import JournalFileStorage, JournalStorage  # noqa: E402

storage = JournalStorage(JournalFileStorage(sys.argv[1]))
studies = {}
for summary in optuna.get_all_study_summaries(storage=storage):
    study = optuna.load_study(study_name=summary.study_name, storage=storage)
    studies[summary.study_name] = {
        "direction": study.direction.name,
        "trials": [
            {
                "state": trial.state.name,
                "value": trial.value,
                "params": trial.params,
                "distributions": {k: str(d) for k, d in trial.distributions.items()},
                "intermediate": len(trial.intermediate_values),
                "name": trial.user_attrs["trial"],
            }
            for trial in study.trials
        ],
    }
print(json.dumps(studies))
