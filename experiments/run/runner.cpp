#include "experiments/run/runner.h"

#include <filesystem>

#include "core/platform/files.h"
#include "experiments/run/difference.h"
#include "experiments/run/program_facts.h"
#include "experiments/run/run.h"
#include "experiments/setup/out_of_memory.h"
#include "experiments/setup/precision.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

Config completed(const JsonFile& file) {
  Config config = experiment_config(file);
  prepare_process(config.integer("threads"));
  note_signals();
  return config;
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
                                      const ResumeOptions& options) {
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
           const ResumeOptions& options) {
  Console console(options.talk);
  auto saved =
      Checkpoints(folder.file("checkpoints"), 1)
          .newest([&](const std::string& text) { console.warn(text); });
  std::vector<std::string> changed;
  if (saved) changed = changed_keys(saved->about, config, options);
  const bool ended = saved && saved->about.value("ended", false) &&
                     file_exists(folder.file("summary.json"));
  if (ended && changed.empty()) {
    console.say(
        fmt::format("{}: is finished, nothing is left to do", folder.path()));
    return saved->about.value("code", 0);
  }
  Run run(
      config, [&] { return folder; }, options.talk);
  if (saved) {
    run.restore(*saved, changed, is_one_of("data", options.allowed));
    saved.reset();  // as large as the state of the run
  } else {
    console.say(fmt::format("{}: there is no checkpoint yet", folder.path()));
    run.start();
  }
  return run.go();
}

}  // namespace

int run_experiment(const JsonFile& file, const RunOptions& options) {
  const Config config = completed(file);
  const auto empty_folder = [&] {
    const Config record = config.object("record");
    if (!options.folder.empty()) return RunFolder::create(options.folder);
    if (record.has("folder")) return RunFolder::create(record.text("folder"));
    return RunFolder::create_next(
        std::filesystem::path(file.name()).stem().string());
  };
  const auto make_folder = [&] {
    RunFolder folder = empty_folder();
    // First, because a folder with this file can be resumed.
    folder.write("config.json", config.json());
    return folder;
  };
  Run run(config, make_folder, options.talk);
  run.start();
  return run.go();
}

int resume_experiment(const std::string& path, const ResumeOptions& options) {
  const RunFolder folder = RunFolder::open(path, "config.json", options.wait);
  JsonFile file = JsonFile::read(folder.file("config.json"));
  file.see_from(folders_of_run(path));
  for (const std::string& assignment : options.assignments) {
    file.set(assignment);
  }
  try {
    return within_memory(
        file.json(), [&] { return resume(folder, completed(file), options); });
  } catch (const ConfigError& error) {
    throw Error(file.describe_all(error));
  }
}

}  // namespace nestgrad
