#include "experiments/run/runner.h"

#include <filesystem>
#include <optional>

#include "core/platform/files.h"
#include "experiments/run/difference.h"
#include "experiments/run/program_facts.h"
#include "experiments/run/ranks.h"
#include "experiments/run/run.h"
#include "experiments/setup/out_of_memory.h"
#include "experiments/setup/precision.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Config completed(const JsonFile& file) {
  Config config = experiment_config(file);
  prepare_process(own_threads(config.integer("threads")));
  note_signals();
  return config;
}

/// The section "distributed" of a file that has not been checked.
Json distributed_section(const JsonFile& file) {
  const Json& all = file.json();
  const bool given = all.is_object() && all.contains("distributed") &&
                     all["distributed"].is_object();
  return given ? all["distributed"] : Json::object();
}

/// work(), with a hint at the folder if another rank is lost.
template <class Work>
int resumable(const RunFolder& folder, Work&& work) {
  try {
    return work();
  } catch (const RankLost& error) {
    throw RankLost(
        fmt::format("{}; 'nestgrad resume {}' goes on from the last checkpoint",
                    error.what(), folder.path()));
  }
}

/// The configuration of a checkpoint, with today's names of keys and the
/// defaults of those that the program did not have when it was written.
Json with_new_keys(const Json& config) {
  try {
    return complete(experiment_schema(), with_precision(config));
  } catch (const ConfigError&) {
    return config;  // of a version with other keys, which are told one by one
  }
}

/// The keys whose values differ from those of the checkpoint. Throws Error if
/// one of them must not differ.
std::vector<std::string> changed_keys(const Json& about, const Config& config,
                                      const ResumeOptions& options,
                                      const World& world) {
  // Ranks share the cores, so their number changes that of the threads.
  const bool other_ranks = about.value("ranks", 1) != world.size();
  std::vector<Difference> all =
      differences(with_new_keys(about.at("config")), config.json());
  for (Difference& d : differences(about.at("program"), program_facts())) {
    all.push_back({"program." + d.key, d.before, d.now});
  }
  std::vector<std::string> allowed = options.allowed;
  for (const std::string& assignment : options.assignments) {
    allowed.push_back(assignment.substr(0, assignment.find('=')));
  }
  std::vector<std::string> changed;
  std::string refused, names;
  for (const Difference& d : all) {
    // How ranks find each other and wait does not matter; what they divide
    // does.
    if (d.key.rfind("distributed", 0) == 0 &&
        !is_one_of(d.key, {"distributed.divide", "distributed.shares"})) {
      continue;
    }
    if (other_ranks && d.key == "program.threads") continue;
    if (d.key.rfind("program.", 0) != 0) changed.push_back(d.key);
    if (is_one_of(d.key, allowed)) continue;
    refused +=
        fmt::format("\n  {}: {} -> {}", d.key, d.before.dump(), d.now.dump());
    names += " " + d.key;
  }
  require(refused.empty(),
          "the configuration or the program differs from that of the "
          "checkpoint:{}\nTo continue all the same: --allow{}",
          refused, names);
  return changed;
}

int resume(const RunFolder& folder, const Config& config,
           const ResumeOptions& options, const std::shared_ptr<World>& world) {
  Console console(options.talk);
  auto saved =
      Checkpoints(folder.file("checkpoints"), 1)
          .newest([&](const std::string& text) { console.warn(text); });
  std::vector<std::string> changed;
  if (saved) changed = changed_keys(saved->about, config, options, *world);
  const bool ended = saved && saved->about.value("ended", false) &&
                     file_exists(folder.file("summary.json"));
  if (ended && changed.empty()) {
    console.say(
        fmt::format("{}: is finished, nothing is left to do", folder.path()));
    const int code = saved->about.value("code", 0);
    tell_end(*world);
    return code;
  }
  tell_config(*world, config);
  Run run(
      config, [&] { return folder; }, options.talk, world);
  if (saved) {
    run.restore(*saved, changed, is_one_of("data", options.allowed));
    saved.reset();  // as large as the state of the run
  } else {
    console.say(fmt::format("{}: there is no checkpoint yet", folder.path()));
    run.start();
  }
  return resumable(folder, [&] { return run.go(); });
}

}  // namespace

int run_experiment(const JsonFile& file, const RunOptions& options) {
  const auto empty_folder = [&](const Config& record) {
    if (!options.folder.empty()) return RunFolder::create(options.folder);
    if (record.has("folder")) return RunFolder::create(record.text("folder"));
    return RunFolder::create_next(
        std::filesystem::path(file.name()).stem().string());
  };
  const auto work = [&](const std::shared_ptr<World>& world) {
    const Config config = completed(file);
    tell_config(*world, config);
    std::optional<RunFolder> folder;
    const auto make_folder = [&] {
      folder = empty_folder(config.object("record"));
      // First, because a folder with this file can be resumed.
      folder->write("config.json", config.json());
      return *folder;
    };
    Run run(config, make_folder, options.talk, world);
    return resumable(*folder, [&] {
      run.start();
      return run.go();
    });
  };
  return among_ranks(distributed_section(file), work);
}

int resume_experiment(const std::string& path, const ResumeOptions& options) {
  const std::string config = path + "/config.json";
  const auto file_with_changes = [&] {
    JsonFile file = JsonFile::read(config);
    for (const std::string& assignment : options.assignments) {
      file.set(assignment);
    }
    return file;
  };
  // Only the host of rank 0 needs to have the folder. Rank 0 also says what is
  // wrong with it.
  const Json section = [&] {
    try {
      return distributed_section(file_with_changes());
    } catch (const Error&) {
      return Json::object();
    }
  }();
  return among_ranks(section, [&](const std::shared_ptr<World>& world) {
    const RunFolder folder = RunFolder::open(path, "config.json", options.wait);
    JsonFile file = file_with_changes();
    file.see_from(folders_of_run(path));
    try {
      return within_memory(file.json(), [&] {
        return resume(folder, completed(file), options, world);
      });
    } catch (const ConfigError& error) {
      throw Error(file.describe_all(error));
    }
  });
}

}  // namespace nestgrad
