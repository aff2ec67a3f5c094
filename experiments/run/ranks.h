#pragma once

#include <functional>
#include <memory>

#include "core/config/config.h"
#include "core/distributed/world.h"
#include "core/storage/snapshot_file.h"

namespace nestgrad {

// How several ranks work on one run. Rank 0 makes the run: it reads, writes and
// talks. The others are told what to do and make the same outer steps with it,
// which is where work is divided. Then they end, and rank 0 trains final runs.

/// The work of rank 0; returns the exit code of all.
using FirstRank = std::function<int(const std::shared_ptr<World>&)>;

/// Joins the ranks that the environment names, and does the work of this one.
/// `section`: "distributed" of a configuration that need not have been checked.
/// With one rank, this is work(alone()).
int among_ranks(const Json& section, const FirstRank& work);

/// Joins the ranks that the environment names, and calls `first` on rank 0 and
/// `other` on the others. Then they part, and each goes on by itself. Returns
/// an exit code: not 0 where another rank has failed and says why.
int meet(const Json& section, const std::function<void(World&)>& first,
         const std::function<void(World&)>& other);

// What rank 0 tells the others to do. With one rank nothing happens.

/// To build the experiment of this configuration. The first order.
void tell_config(World& world, const Config& config);

/// To restore the experiment; restore_experiment() follows.
void tell_restore(World& world, const SavedSnapshot& checkpoint);

/// To tune; Experiment::tune() follows.
void tell_tune(World& world);

/// To take part in saving the experiment; save() follows.
void tell_save(World& world);

/// To end. The last order; rank 0 goes on alone.
void tell_end(World& world);

/// The threads of this process: `threads` or, if that is 0, an equal share of
/// the cores for each rank of this host.
std::int64_t own_threads(std::int64_t threads);

}  // namespace nestgrad
