#pragma once

#include <string>

#include "experiments/sweep/sweep_record.h"

namespace nestgrad {

/// A sweep as a journal of Optuna (https://optuna.org), for
/// JournalStorage(JournalFileStorage(path)): a study named after the folder,
/// and one with "-random" for its random search, if there is one.
///
/// Every trial is a trial there. Its value is the mean of the metric over
/// seeds; one that successive halving gave up is pruned, one with a run that
/// failed has failed. Values at which it was evaluated on the way are those of
/// its first seed. The elements of a list are parameters of their own, "key.0",
/// "key.1".
std::string optuna_journal(const SweepRecord& record);

}  // namespace nestgrad
