#pragma once

#include <string>

#include "experiments/sweep/sweep_record.h"

namespace nestgrad {

/// A sweep as an Optuna journal (https://optuna.org), for
/// JournalStorage(JournalFileStorage(path)): a study named after the folder
/// and, after a random search, a second one with the suffix "-random".
///
/// Each trial becomes an Optuna trial. Its value is the mean of the metric over
/// seeds. A trial that successive halving gave up is pruned; one with a failed
/// run has failed. Intermediate values are those of the first seed. The
/// elements of a list are separate parameters, "key.0", "key.1".
std::string optuna_journal(const SweepRecord& record);

}  // namespace nestgrad
