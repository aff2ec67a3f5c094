#include "experiments/black_box/equal_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "experiments/black_box/black_box_search.h"
#include "experiments/black_box/equal_time_results.h"
#include "experiments/black_box/search_arm.h"
#include "experiments/black_box/tuning_arm.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

constexpr const char* kSettings = "search.json";
constexpr const char* kTrials = "trials.jsonl";

/// The configuration of a comparison with one of its seeds.
Config config_with(const Json& settings, std::int64_t seed) {
  Json config = settings.at("config");
  config["seed"] = seed;
  return experiment_config(
      config, settings.at("paths_from").get<std::vector<std::string>>());
}

Intervals ranges_of(const Json& settings) {
  Intervals out;
  for (const auto& [name, ends] : settings.at("ranges").items()) {
    out[name] = {ends.at(0).get<double>(), ends.at(1).get<double>()};
  }
  return out;
}

/// Throws Error if there is nothing to compare.
void require_comparable(const Experiment& experiment) {
  require(experiment.tunes(), "there is nothing to tune");
  require(experiment.retraining_steps() > 0,
          "\"record.retrain\" is 0, so it is not known how long a network is "
          "trained that a search tries");
}

class EqualTime {
 public:
  EqualTime(RunFolder folder, Json settings, Talk talk)
      : folder_(std::move(folder)),
        settings_(std::move(settings)),
        console_(talk),
        trials_(folder_.file(kTrials)) {
    trials_.keep();
  }

  int go() {
    console_.say(fmt::format("{}: {} numbers to tune", folder_.path(),
                             settings_.at("numbers").get<std::int64_t>()));
    const auto first = settings_.at("config").at("seed").get<std::int64_t>();
    for (std::int64_t i = 0; i < settings_.at("seeds"); ++i) {
      if (!tune(first + i)) return stopped();
      for (const Json& search : settings_.at("searches")) {
        if (!this->search(first + i, search)) return stopped();
      }
    }
    trials_.flush();
    const EqualTimeResults results(settings_, trials_.lines());
    results.write(folder_.path());
    console_.say(results.text());
    console_.conclude(fmt::format("Results are in {}", folder_.path()));
    console_.event("end", {{"code", 0}, {"folder", folder_.path()}});
    return kExitDone;
  }

 private:
  double budget() const { return settings_.at("budget").get<double>(); }

  int stopped() {
    console_.warn(
        fmt::format("stopped; 'nestgrad resume {}' continues", folder_.path()));
    return 128 + noted_signal();
  }

  SearchArm arm(const std::string& name, std::int64_t seed) const {
    return SearchArm::in(trials_.lines(), name, seed);
  }

  /// Both return false if a signal has come.
  bool tune(std::int64_t seed) {
    SearchArm arm = this->arm(SearchArm::kHypergradients, seed);
    if (arm.ended.empty()) {
      const Config config = config_with(settings_, seed);
      Experiment experiment(config);
      const std::string saved =
          folder_.file(fmt::format("tuning-seed-{}.checkpoint", seed));
      const bool best = config.object("outer").text("select") == "best";
      if (!TuningArm(experiment, best, budget(), saved, arm, trials_).go()) {
        return false;
      }
      remove_file(saved);
      tell(arm);
    }
    return true;
  }

  bool search(std::int64_t seed, const Json& section) {
    const auto name = section.at("type").get<std::string>();
    SearchArm arm = this->arm(name, seed);
    if (!arm.ended.empty()) return true;
    const Experiment experiment(config_with(settings_, seed));
    const SearchSpace space(experiment.space(), ranges_of(settings_));
    const auto search = BlackBoxRegistry::instance().make(
        section, {space.numbers(),
                  Key(static_cast<std::uint64_t>(seed)).fold("black box")});
    const std::int64_t steps = experiment.retraining_steps();
    const std::string metric = experiment.judged_metric();
    std::vector<Trial> trials;
    for (const ArmPoint& point : arm.points) {
      trials.push_back({point.values, loss_of(point.metrics, metric)});
    }
    double spent = arm.points.empty() ? 0 : arm.points.back().seconds;
    while (spent < budget()) {
      if (noted_signal() != 0) return false;
      const double elsewhere = search->seconds_elsewhere();
      const CpuStopwatch watch;
      std::vector<double> values = search->next(trials);
      const ParameterSet hyper = space.hyper(values);
      const TrainState state = experiment.retrained(hyper, steps);
      spent += watch.seconds() + search->seconds_elsewhere() - elsewhere;
      ArmPoint point{spent, metrics_of(experiment, state, hyper)};
      if (search->learns()) point.values = values;
      trials.push_back({std::move(values), loss_of(point.metrics, metric)});
      arm.add(trials_, std::move(point));
    }
    arm.end(trials_, "budget");
    tell(arm);
    return true;
  }

  static double loss_of(const Metrics& metrics, const std::string& metric) {
    const auto found = metrics.find(metric);
    return found == metrics.end() ? INFINITY
                                  : to_minimize(metric, found->second);
  }

  void tell(const SearchArm& arm) {
    console_.say(fmt::format("{}, seed {}: {} networks", arm.name, arm.seed,
                             arm.points.size()));
    console_.event("arm", {{"arm", arm.name},
                           {"seed", arm.seed},
                           {"networks", arm.points.size()}});
  }

  RunFolder folder_;
  Json settings_;
  Console console_;
  JsonLines trials_;
};

}  // namespace

int compare_at_equal_time(const JsonFile& config,
                          const EqualTimeOptions& options) {
  const Config checked = experiment_config(config);
  // Threads that wait for others would be counted.
  const std::int64_t threads =
      config.json().contains("threads") ? checked.integer("threads") : 1;
  prepare_process(threads);
  const Experiment experiment(checked);
  require_comparable(experiment);
  const SearchSpace space(experiment.space(), options.ranges);
  Console console(options.talk);
  Json searches = Json::array();
  for (const Json& search : options.searches) {
    const Json section = complete(BlackBoxRegistry::instance(), search);
    try {
      BlackBoxRegistry::instance().make(section, {space.numbers(), Key()});
      searches.push_back(section);
    } catch (const SearchMissing& missing) {
      console.warn(fmt::format("{}; random search is taken in its place",
                               missing.what()));
      searches.push_back({{"type", "random"}});
    }
  }
  searches.erase(std::unique(searches.begin(), searches.end()), searches.end());
  Json ranges = Json::object();
  for (const auto& [name, ends] : options.ranges) {
    ranges[name] = {ends.first, ends.second};
  }
  Json whole = with_loaded_plugins(config.json());
  whole["seed"] = checked.integer("seed");
  whole["threads"] = threads;
  const Json settings = {{"config", whole},
                         {"paths_from", config.folders()},
                         {"searches", searches},
                         {"budget", options.budget},
                         {"seeds", options.seeds},
                         {"ranges", ranges},
                         {"numbers", space.numbers().size()},
                         {"metric", experiment.judged_metric()}};
  const std::string name = std::filesystem::path(config.name()).stem().string();
  RunFolder folder = options.folder.empty()
                         ? RunFolder::create_next(name + "-search")
                         : RunFolder::create(options.folder);
  folder.write(kSettings, settings);
  note_signals();
  return EqualTime(std::move(folder), settings, options.talk).go();
}

bool is_equal_time_comparison(const std::string& folder) {
  return file_exists(folder + "/" + kSettings);
}

int resume_equal_time(const std::string& path, const Talk& talk) {
  RunFolder folder = RunFolder::open(path, kSettings);
  return as_written(path, [&] {
    const Json settings = Json::parse(read_file(folder.file(kSettings)));
    prepare_process(settings.at("config").at("threads"));
    note_signals();
    return EqualTime(std::move(folder), settings, talk).go();
  });
}

}  // namespace nestgrad
