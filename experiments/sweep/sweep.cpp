#include "experiments/sweep/sweep.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/platform/standard_streams.h"
#include "core/platform/stopwatch.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/sweep_progress.h"
#include "experiments/sweep/sweep_record.h"
#include "experiments/sweep/sweep_results.h"
#include "experiments/sweep/workers.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

/// The last line of a text.
std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const std::size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

/// A sweep in its folder.
class Sweep {
 public:
  Sweep(RunFolder folder, SweepPlan plan, const SweepOptions& options)
      : folder_(std::move(folder)),
        plan_(std::move(plan)),
        allowed_(options.allowed),
        console_(options.talk),
        lines_(folder_.file("runs.jsonl")),
        progress_(plan_) {
    for (const char* name : {"configs", "logs"}) {
      make_folders(folder_.file(name));
    }
    lines_.keep();
    for (const Json& line : lines_.lines()) {
      remember(
          as_written(folder_.path(), [&] { return SweepEntry::from(line); }));
    }
    attempts_.clear();  // attempts of an earlier process do not count
  }

  int go() {
    std::vector<std::size_t> going(plan_.main().trials.size());
    for (std::size_t i = 0; i < going.size(); ++i) going[i] = i;
    console_.say(fmt::format("{}: {} trials, {} seeds, {} at a time",
                             folder_.path(), going.size(), plan_.seeds().size(),
                             plan_.workers()));
    bool done = true;
    for (std::size_t rung = 0; done && rung < plan_.rungs().size(); ++rung) {
      if (rung > 0) going = best_of(going, rung - 1);
      done = run_trials(going, rung);
      if (rung == 0) look_for_metric();
    }
    if (done && !plan_.random().empty() && !going.empty()) {
      done = run_random_search(SweepResults(read_sweep(folder_.path())).best());
    }
    if (!done) {
      if (!reader_has_ended()) {
        console_.warn(fmt::format("stopped; 'nestgrad resume {}' continues",
                                  folder_.path()));
      }
      return ended(128 + noted_signal());
    }
    const SweepResults results(read_sweep(folder_.path()));
    results.write(folder_);
    console_.say(results.text());
    console_.conclude(fmt::format("Results are in {}", folder_.path()));
    return ended(results.any() ? kExitDone : kExitDiverged);
  }

 private:
  int ended(int code) {
    console_.event("end", {{"code", code}, {"folder", folder_.path()}});
    return code;
  }

  using Place = std::pair<std::string, std::size_t>;  // a run at a rung

  void remember(const SweepEntry& entry) {
    const Place place(entry.run, entry.rung);
    entries_[place] = entry;
    ++attempts_[place];
  }

  /// The result of a run at a rung, or null.
  const SweepEntry* entry(const SweepRun& run, std::size_t rung) const {
    const auto found = entries_.find({run.name, rung});
    return found == entries_.end() ? nullptr : &found->second;
  }

  /// Whether the run is finished at this rung or will not be tried again.
  bool is_over(const SweepRun& run, std::size_t rung) const {
    const SweepEntry* const e = entry(run, rung);
    if (e == nullptr) return false;
    if (e->good() || e->code == kExitDiverged) return true;
    const auto found = attempts_.find({run.name, rung});
    return found != attempts_.end() && found->second > plan_.retries();
  }

  Job job(const SweepRun& run, std::size_t rung, const Arm& arm, int id) {
    started_[run.name] = utc_now();
    watches_[run.name] = Stopwatch();
    const std::string folder = folder_.file(run.name);
    Job out;
    out.id = id;
    out.log = folder_.file("logs/" + run.name + ".log");
    if (file_exists(folder + "/config.json")) {
      // The run's process may have outlived its sweep and still be working.
      out.arguments = {"resume", folder, "-qq", "--wait", "3600"};
      for (const std::string& key : allowed_) {
        out.arguments.insert(out.arguments.end(), {"--allow", key});
      }
    } else {
      std::error_code error;
      fs::remove_all(folder, error);
      require(!error, "cannot remove '{}': {}", folder, error.message());
      const std::string name = "configs/" + run.name + ".json";
      const JsonFile config = arm.config(run.trial, run.seed);
      folder_.write(name, config.json());
      out.arguments = {"run", folder_.file(name), "--out", folder, "-qq"};
      for (const std::string& from : config.folders()) {
        out.arguments.insert(out.arguments.end(), {"--paths-from", from});
      }
    }
    const auto more = &arm == &plan_.main() ? plan_.at_rung(rung)
                                            : std::vector<std::string>();
    out.arguments.insert(out.arguments.end(), more.begin(), more.end());
    return out;
  }

  /// Records the result of a process, unless a signal ended it.
  void finish(const Arm& arm, const SweepRun& run, std::size_t rung, int code) {
    if (noted_signal() != 0 && code >= 128) return;
    SweepEntry entry{run.name, run.trial,          run.seed, rung,
                     code,     started_[run.name], utc_now()};
    if (entry.good() || code == kExitDiverged) {
      as_written(folder_.file(run.name), [&] {
        const Json s =
            Json::parse(read_file(folder_.file(run.name + "/summary.json")));
        s.at("outer_steps").get_to(entry.outer_steps);
        s.at("seconds").at("tuning").get_to(entry.tuning_seconds);
        s.at("seconds").at("retraining").get_to(entry.retraining_seconds);
        for (const Json& text : s.value("warnings", Json::array())) {
          const auto warning = text.get<std::string>();
          if (!warned_.insert(warning).second) continue;
          console_.warn(fmt::format("{}: {}", run.name, warning));
        }
        if (entry.good()) {
          entry.metrics = numbers_of(s.value("retrained_found", s.at("tuned")));
          const Json tuned = s.value("hyperparameters", Json::object());
          for (const auto& [name, values] : tuned.items()) {
            const Json& found = values.at("found");
            if (found.is_number()) entry.found[name] = found.get<double>();
          }
        }
      });
    }
    if (!entry.good()) {
      const std::string log = folder_.file("logs/" + run.name + ".log");
      if (file_exists(log)) entry.error = last_line(read_file(log));
    }
    lines_.append(entry.json());
    lines_.flush();
    remember(entry);
    const bool over = is_over(run, rung);
    const bool random = &arm != &plan_.main();
    if (over && !random) progress_.end_run(watches_[run.name].seconds());
    Json event = entry.json();
    if (!random) {
      event["runs_ended"] = progress_.ended();
      event["runs_of_rung"] = progress_.runs();
      event["seconds_left"] = progress_.seconds_left();
    }
    console_.event("run", event);
    const std::string result =
        entry.good()
            ? fmt::format("{} {:.4g}", plan_.metric(), metric_of(entry))
            : fmt::format("exit code {}: {}", code, entry.error);
    console_.say(fmt::format("{}: {}, {}",
                             random ? "random search" : progress_.text(),
                             run.name, result));
  }

  bool run_trials(const std::vector<std::size_t>& trials, std::size_t rung) {
    std::vector<SweepRun> todo;
    for (const std::size_t trial : trials) {
      for (const std::int64_t seed : plan_.seeds()) {
        todo.push_back(plan_.main().run(trial, seed));
      }
    }
    // Taken from the front. A run that is to be repeated returns to the front.
    std::vector<std::size_t> waiting;
    for (std::size_t i = todo.size(); i-- > 0;) {
      if (!is_over(todo[i], rung)) waiting.push_back(i);
    }
    progress_.begin_rung(rung, todo.size() - waiting.size());
    if (plan_.rungs().size() > 1) console_.say(progress_.rung_text());
    return run_jobs(
        plan_.workers(),
        [&]() -> std::optional<Job> {
          if (waiting.empty()) return {};
          const std::size_t i = waiting.back();
          waiting.pop_back();
          return job(todo[i], rung, plan_.main(), static_cast<int>(i));
        },
        [&](const Job& ended, int code) {
          const auto i = static_cast<std::size_t>(ended.id);
          finish(plan_.main(), todo[i], rung, code);
          if (noted_signal() == 0 && !is_over(todo[i], rung)) {
            waiting.push_back(i);
          }
        });
  }

  /// For every seed, makes one trial after another until the time of the best
  /// trial is used up.
  bool run_random_search(std::size_t best) {
    struct Line {
      std::size_t next = 0;
      bool running = false;
    };
    std::vector<Line> lines(plan_.seeds().size());
    const auto budget = [&](std::size_t s) {
      const SweepEntry* const e = entry(
          plan_.main().run(best, plan_.seeds()[s]), plan_.rungs().size() - 1);
      return e == nullptr ? 0.0 : e->seconds();
    };
    const auto spent = [&](std::size_t s) {
      double sum = 0;
      for (std::size_t i = 0; i < lines[s].next; ++i) {
        sum += entry(plan_.random()[s].run(i, plan_.seeds()[s]), 0)->seconds();
      }
      return sum;
    };
    return run_jobs(
        plan_.workers(),
        [&]() -> std::optional<Job> {
          for (std::size_t s = 0; s < lines.size(); ++s) {
            Line& line = lines[s];
            const auto run = [&] {
              return plan_.random()[s].run(line.next, plan_.seeds()[s]);
            };
            if (line.running) continue;
            while (line.next < plan_.random()[s].trials.size() &&
                   is_over(run(), 0)) {
              ++line.next;
            }
            if (line.next == plan_.random()[s].trials.size() ||
                spent(s) >= budget(s)) {
              continue;
            }
            line.running = true;
            return job(run(), 0, plan_.random()[s], static_cast<int>(s));
          }
          return {};
        },
        [&](const Job& ended, int code) {
          const auto s = static_cast<std::size_t>(ended.id);
          Line& line = lines[s];
          const Arm& arm = plan_.random()[s];
          finish(arm, arm.run(line.next, plan_.seeds()[s]), 0, code);
          line.running = false;
        });
  }

  /// The metric of a run, or the worst possible value if the run failed or has
  /// no finite metric of this name.
  double metric_of(const SweepEntry& entry) const {
    const auto found = entry.metrics.find(plan_.metric());
    if (found != entry.metrics.end()) return found->second;
    return is_larger_better(plan_.metric()) ? -INFINITY : INFINITY;
  }

  /// Warns if no run has the metric.
  void look_for_metric() {
    std::set<std::string> names;
    for (const auto& place_and_entry : entries_) {
      for (const auto& metric : place_and_entry.second.metrics) {
        names.insert(metric.first);
      }
    }
    if (names.empty() || names.count(plan_.metric()) > 0) return;
    console_.warn(fmt::format(
        "there is no metric '{}', so trials cannot be compared; there are: {}",
        plan_.metric(), fmt::join(names, ", ")));
  }

  /// The trials that continue after a rung, best first.
  std::vector<std::size_t> best_of(const std::vector<std::size_t>& trials,
                                   std::size_t rung) const {
    std::vector<std::pair<double, std::size_t>> ranked;
    for (const std::size_t trial : trials) {
      double sum = 0;
      for (const std::int64_t seed : plan_.seeds()) {
        const SweepEntry* const e = entry(plan_.main().run(trial, seed), rung);
        sum += e == nullptr ? INFINITY
                            : to_minimize(plan_.metric(), metric_of(*e));
      }
      ranked.emplace_back(sum, trial);
    }
    std::stable_sort(ranked.begin(), ranked.end());
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < plan_.kept(ranked.size()); ++i)
      out.push_back(ranked[i].second);
    return out;
  }

  RunFolder folder_;
  SweepPlan plan_;
  std::vector<std::string> allowed_;
  Console console_;
  JsonLines lines_;
  std::map<std::string, std::string> started_;  // start time by run
  std::map<Place, SweepEntry> entries_;         // the latest of each
  std::map<Place, std::int64_t> attempts_;
  std::set<std::string> warned_;  // warnings of runs that have been told
  SweepProgress progress_;
  std::map<std::string, Stopwatch> watches_;  // since a run was started
};

}  // namespace

int run_sweep(const JsonFile& file, const SweepOptions& options) {
  Json sweep = complete(sweep_schema(), file.json());
  if (options.workers > 0) sweep["workers"] = options.workers;
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
  const Config config(sweep);
  const SweepPlan plan(config);
  plan.check();
  note_signals();
  const RunFolder folder =
      options.folder.empty()
          ? RunFolder::create_next(fs::path(file.name()).stem().string())
          : RunFolder::create(options.folder);
  folder.write("sweep.json", sweep);
  return Sweep(folder, plan, options).go();
}

bool is_sweep(const std::string& folder) {
  return file_exists(folder + "/sweep.json");
}

int resume_sweep(const std::string& path, const SweepOptions& options) {
  note_signals();
  const RunFolder folder = RunFolder::open(path, "sweep.json");
  const JsonFile file = JsonFile::read(folder.file("sweep.json"));
  const SweepPlan plan(Config(complete(sweep_schema(), file.json())));
  return Sweep(folder, plan, options).go();
}

}  // namespace nestgrad
