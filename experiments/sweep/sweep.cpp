#include "experiments/sweep/sweep.h"

#include <filesystem>
#include <optional>

#include "core/platform/files.h"
#include "experiments/run/ranks.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/ledger.h"
#include "experiments/sweep/sweep_part.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// The sweep of a file, with all defaults and the configuration itself.
Json completed(const JsonFile& file, int workers) {
  Json sweep = complete(sweep_schema(), file.json());
  if (workers > 0) sweep["workers"] = workers;
  std::vector<std::string> folders = file.folders();
  if (sweep["config"].is_string()) {
    const fs::path here = fs::path(file.name()).parent_path();
    const JsonFile base =
        JsonFile::read(here / sweep["config"].get<std::string>());
    try {
      experiment_config(base);
    } catch (const ConfigError& error) {
      throw Error(base.describe_all(error));
    }
    sweep["config"] = base.json();
    folders = base.folders();
  }
  if (!sweep["paths_from"].empty()) {
    JsonFile seen = file;
    seen.see_from(sweep["paths_from"]);
    folders = seen.folders();
  }
  sweep["paths_from"] = folders;
  sweep["config"] = with_loaded_plugins(sweep["config"]);
  return sweep;
}

SweepPlan plan_in(const RunFolder& folder) {
  const JsonFile file = JsonFile::read(folder.file("sweep.json"));
  return SweepPlan(Config(complete(sweep_schema(), file.json())));
}

/// "distributed" of the configuration of a sweep's file, which need not be
/// right; each rank reads it before they meet.
Json distributed_section(const JsonFile& file) {
  Json config;
  if (file.json().is_object()) config = file.json().value("config", Json());
  try {
    if (config.is_string()) {
      config = JsonFile::read(fs::path(file.name()).parent_path() /
                              config.get<std::string>())
                   .json();
    }
  } catch (const Error&) {
    // Rank 0 will say it.
  }
  if (!config.is_object()) return Json::object();
  return config.value("distributed", Json::object());
}

/// A sweep and its folder.
using Opened = std::pair<RunFolder, SweepPlan>;

/// Runs or resumes the sweep that `open` gives on rank 0. Ranks meet at the
/// start only: from then on the folder is all they share, so that one that is
/// lost does not end the others.
int among_processes(const Json& distributed,
                    const std::function<Opened()>& open,
                    const SweepOptions& options) {
  std::optional<Opened> sweep;
  SweepPart part;
  const int code = meet(
      distributed,
      [&](World& world) {
        sweep = open();
        const std::string& folder = sweep->first.path();
        part.ranks = world.size();
        part.earlier = Ledger::lines_in(folder);
        world.from_first(
            fmt::format("{} {}", part.earlier, fs::absolute(folder).string()));
      },
      [&](World& world) {
        const std::string begun = world.from_first("");
        const std::size_t space = begun.find(' ');
        const auto folder = RunFolder::beside_others(begun.substr(space + 1));
        sweep = Opened(folder, plan_in(folder));
        part = {world.rank(), world.size(), std::stoull(begun)};
      });
  if (code != kExitDone) return code;
  note_signals();
  return take_part(sweep->first, std::move(sweep->second), options, part);
}

}  // namespace

int run_sweep(const JsonFile& file, const SweepOptions& options) {
  return among_processes(
      distributed_section(file),
      [&] {
        const Json sweep = completed(file, options.workers);
        SweepPlan plan{Config(sweep)};
        plan.check();
        RunFolder folder =
            options.folder.empty()
                ? RunFolder::create_next(fs::path(file.name()).stem().string())
                : RunFolder::create(options.folder);
        folder.write("sweep.json", sweep);
        return Opened(std::move(folder), std::move(plan));
      },
      options);
}

bool is_sweep(const std::string& folder) {
  return file_exists(folder + "/sweep.json");
}

int resume_sweep(const std::string& path, const SweepOptions& options) {
  return among_processes(
      distributed_section(JsonFile::read(path + "/sweep.json")),
      [&] {
        RunFolder folder = RunFolder::open(path, "sweep.json");
        SweepPlan plan = plan_in(folder);
        return Opened(std::move(folder), std::move(plan));
      },
      options);
}

}  // namespace nestgrad
