#include "experiments/run/ranks.h"

#include <unistd.h>

#include <algorithm>

#include "core/platform/exceptions.h"
#include "core/platform/threads.h"
#include "core/platform/warnings.h"
#include "experiments/run/lockstep.h"
#include "experiments/run/restore.h"
#include "experiments/setup/out_of_memory.h"
#include "experiments/setup/process.h"
#include "experiments/setup/stopping.h"

namespace nestgrad {
namespace {

// The orders of rank 0. The configuration comes with kBuild, and the bytes of a
// checkpoint follow kRestore.
constexpr const char* kBuild = "build";
constexpr const char* kRestore = "restore";
constexpr const char* kTune = "tune";
constexpr const char* kSave = "save";
constexpr const char* kEnd = "end";

void give(World& world, const char* order, Json with = Json::object()) {
  if (world.alone()) return;
  with["order"] = order;
  world.from_first(with.dump());
}

/// The order, and what it carries.
std::pair<std::string, Json> received_order(World& world) {
  Json out = Json::parse(world.from_first(""));
  return {out.at("order"), std::move(out)};
}

/// A number of the section, if there is one.
double seconds(const Json& section, const char* key, double otherwise) {
  const bool given = section.contains(key) && section[key].is_number();
  return given ? section[key].get<double>() : otherwise;
}

Patience patience_of(const Json& section) {
  const Patience usual;
  return {seconds(section, "join_seconds", usual.join),
          seconds(section, "silent_seconds", usual.silent),
          seconds(section, "collective_seconds", usual.collective)};
}

void tune_with_others(Experiment& experiment, const Config& config) {
  const bool keeps =
      config.object("record").object("checkpoint").integer("keep") > 0;
  const auto lockstep = std::make_shared<Lockstep>(
      experiment, [](const OuterStep&) { return take_checkpoint_request(); });
  const auto take_part = [&] {
    if (keeps) save(experiment, Tensors::kShared);
  };
  experiment.tune(
      {lockstep,
       std::make_shared<CommonEnd>(
           lockstep, experiment.world(),
           Stopping::is_wanted(config.object("outer").object("stop"))),
       std::make_shared<Saving>(lockstep, take_part)});
}

/// Does what rank 0 says with the experiment of `config`, until the end.
void follow(const std::shared_ptr<World>& world, const Config& config) {
  prepare_process(own_threads(config.integer("threads")));
  Experiment experiment(config, world);
  const std::pair<double, double> fingerprint = experiment.fingerprint();
  experiment.problem().start_again();
  while (true) {
    const auto [order, with] = received_order(*world);
    if (order == kEnd) break;
    if (order == kRestore) {
      restore_experiment(experiment,
                         decode_snapshot(world->from_first("")).snapshot);
    }
    if (order == kTune) {
      require_same_data(*world, fingerprint);
      tune_with_others(experiment, config);
    }
    if (order == kSave) save(experiment, Tensors::kShared);
  }
}

void follow(const std::shared_ptr<World>& world) {
  const auto [order, with] = received_order(*world);
  if (order == kBuild) {
    const Config config = experiment_config(
        with.at("config"), with.at("folders").get<std::vector<std::string>>());
    within_memory(config.json(), [&] { follow(world, config); });
  }
  world->part();
}

/// Whether rank 0 cannot say any more what is wrong.
bool rank_0_is_lost(const RankLost& error) {
  const std::string what = error.what();
  return what.rfind("rank 0 ", 0) == 0 || what.rfind("the store ", 0) == 0;
}

/// Rank 0 tells warnings. Those that another rank has had by the end of this
/// object's life come to nothing.
struct NoWarnings {
  ~NoWarnings() { untold_warnings(); }
};

using RankWork = std::function<int(const std::shared_ptr<World>&)>;

/// Joins the other ranks and does the work of this one. Where it fails, the
/// others are told.
int join_and_work(const Json& section, const RankWork& first,
                  const RankWork& other) {
  const RankPlace place = place_in_environment();
  if (place.size == 1) return first(alone());
  std::string interface;
  if (section.contains("interface") && section["interface"].is_string()) {
    interface = section["interface"];
  }
  const std::shared_ptr<World> world =
      join(place, patience_of(section), interface);
  note_signals();
  try {
    return (world->is_first() ? first : other)(world);
  } catch (const RankLost& error) {
    // Threads may be stuck in it; report_failure() ends the process.
    (void)new std::shared_ptr<World>(world);
    if (world->is_first() || rank_0_is_lost(error)) throw;
    throw RankLost("");  // rank 0 says it
  } catch (const Error& error) {
    world->fail(one_line(error));
    if (world->is_first()) throw;
    // Rank 0 says the same, or that this rank has failed.
    return kExitMistake;
  } catch (const std::exception& error) {
    world->fail(one_line(error));
    throw;
  }
}

}  // namespace

int among_ranks(const Json& section, const FirstRank& work) {
  return join_and_work(section, work, [](const auto& world) {
    const NoWarnings quiet;
    follow(world);
    // The code of the run is that of rank 0. Launchers that see another one end
    // rank 0, which may not be done.
    return static_cast<int>(kExitDone);
  });
}

int meet(const Json& section, const std::function<void(World&)>& first,
         const std::function<void(World&)>& other) {
  const auto then_part = [](const std::function<void(World&)>& work) {
    return [&work](const std::shared_ptr<World>& world) {
      work(*world);
      world->part();
      return static_cast<int>(kExitDone);
    };
  };
  return join_and_work(section, then_part(first), then_part(other));
}

void tell_config(World& world, const Config& config) {
  give(world, kBuild,
       {{"config", config.json()}, {"folders", config.folders()}});
}

void tell_restore(World& world, const SavedSnapshot& checkpoint) {
  if (world.alone()) return;
  give(world, kRestore);
  world.from_first(encode_snapshot(checkpoint.snapshot, checkpoint.about));
}

void tell_tune(World& world) { give(world, kTune); }

void tell_save(World& world) { give(world, kSave); }

void tell_end(World& world) {
  give(world, kEnd);
  world.part();
}

std::int64_t own_threads(std::int64_t threads) {
  if (threads > 0) return threads;
  const RankPlace place = place_in_environment();
  const int cores = available_cores();
  const bool own_cores =
      place.launcher_binds && cores < sysconf(_SC_NPROCESSORS_ONLN);
  return std::max(1, own_cores ? cores : cores / place.local_size);
}

}  // namespace nestgrad
