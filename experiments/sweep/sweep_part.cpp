#include "experiments/sweep/sweep_part.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <thread>

#include "core/metric.h"
#include "core/platform/files.h"
#include "core/platform/standard_streams.h"
#include "core/platform/stopwatch.h"
#include "experiments/record/json_lines.h"
#include "experiments/setup/process.h"
#include "experiments/sweep/ledger.h"
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

/// The last line of what a run has printed.
std::string last_words(const std::string& log) {
  return file_exists(log) ? last_line(read_file(log)) : "";
}

/// A process of a sweep in its folder. There may be others, which do the same.
class Sweep {
 public:
  Sweep(RunFolder folder, SweepPlan plan, const SweepOptions& options,
        const SweepPart& part)
      : folder_(std::move(folder)),
        plan_(std::move(plan)),
        allowed_(options.allowed),
        rank_(part.rank),
        console_(is_first() ? options.talk : Talk{Verbosity::kSilent, false}),
        ledger_(with_folders(folder_), part.earlier, plan_.retries()),
        progress_(plan_, plan_.workers() * part.ranks) {
    for (const SweepEntry& entry : ledger_.news()) remember(entry);
  }

  int go() {
    std::vector<std::size_t> going(plan_.main().trials.size());
    for (std::size_t i = 0; i < going.size(); ++i) going[i] = i;
    console_.say(fmt::format("{}: {} trials, {} seeds, {} at a time",
                             folder_.path(), going.size(), plan_.seeds().size(),
                             progress_.workers()));
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
      if (is_first() && !reader_has_ended()) {
        console_.warn(fmt::format("stopped; 'nestgrad resume {}' continues",
                                  folder_.path()));
      }
      return ended(128 + noted_signal());
    }
    if (!is_first()) {
      write_results_if_lost();
      // The code of the sweep is that of rank 0. Launchers that see another
      // one end rank 0, which may not be done.
      return kExitDone;
    }
    const SweepResults results(read_sweep(folder_.path()));
    results.write(folder_);
    console_.say(results.text());
    console_.conclude(fmt::format("Results are in {}", folder_.path()));
    return ended(results.any() ? kExitDone : kExitDiverged);
  }

 private:
  bool is_first() const { return rank_ == 0; }

  /// Waits until rank 0 lets go of the folder, and writes the results if it has
  /// not.
  void write_results_if_lost() const {
    std::unique_ptr<FileLock> lock;
    while (!(lock = FileLock::take(folder_.file(FolderLock::kFile)))) {
      if (noted_signal() != 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    const std::string results = folder_.file("results.json");
    if (file_exists(results) &&
        fs::last_write_time(results) >= fs::last_write_time(ledger_.path())) {
      return;
    }
    SweepResults(read_sweep(folder_.path())).write(folder_);
  }

  /// The folder, with those that all processes need.
  static std::string with_folders(const RunFolder& folder) {
    for (const char* name : {"configs", "logs"}) {
      make_folders(folder.file(name));
    }
    return folder.path();
  }

  int ended(int code) {
    console_.event("end", {{"code", code}, {"folder", folder_.path()}});
    return code;
  }

  std::string log(const std::string& run) const {
    return folder_.file("logs/" + run + ".log");
  }

  /// A run that this process begins or continues.
  struct Task {
    const Arm* arm;
    SweepRun run;
    std::size_t rung;
    std::string began;
    Stopwatch watch;
  };

  Job job(const Arm& arm, const SweepRun& run, std::size_t rung,
          std::unique_ptr<FileLock> claim) {
    const std::string folder = folder_.file(run.name);
    Job out;
    out.id = static_cast<int>(tasks_.size());
    tasks_.push_back({&arm, run, rung, utc_now(), Stopwatch()});
    out.claim = std::move(claim);
    out.log = log(run.name);
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
  void finish(const Job& job, int code) {
    looks_ = true;
    const Task& task = tasks_[static_cast<std::size_t>(job.id)];
    const SweepRun& run = task.run;
    if (noted_signal() != 0 && code >= 128) return;
    SweepEntry entry{run.name, run.trial,  run.seed, task.rung,
                     code,     task.began, utc_now()};
    entry.rank = rank_;
    entry.process_seconds = task.watch.seconds();
    if (entry.good() || code == kExitDiverged) {
      const std::string folder = folder_.file(run.name);
      as_written(folder, [&] {
        entry.take_results(Json::parse(read_file(folder + "/summary.json")));
      });
    }
    if (!entry.good()) entry.error = last_words(log(run.name));
    ledger_.add(entry);
    learn();
  }

  /// Learns what runs have ended, of all processes.
  void learn() {
    last_news_ = Stopwatch();
    for (const SweepEntry& entry : ledger_.news()) tell(entry);
  }

  void tell(const SweepEntry& entry) {
    const bool random = entry.run.rfind(plan_.main().prefix, 0) != 0;
    if (!random && entry.rung == progress_.rung() &&
        ledger_.is_over(entry.run, entry.rung)) {
      progress_.end_run(entry.process_seconds);
    }
    Json event = entry.json();
    if (!random) {
      event["runs_ended"] = progress_.ended();
      event["runs_of_rung"] = progress_.runs();
      event["seconds_left"] = progress_.seconds_left();
    }
    remember(entry);
    tell_warnings(entry);
    console_.event("run", event);
    const std::string result =
        entry.good()
            ? fmt::format("{} {:.4g}", plan_.metric(), metric_of(entry))
            : fmt::format("exit code {}: {}", entry.code, entry.error);
    console_.say(fmt::format("{}: {}, {}",
                             random ? "random search" : progress_.text(),
                             entry.run, result));
  }

  void remember(const SweepEntry& entry) {
    for (const auto& metric : entry.metrics) metrics_.insert(metric.first);
  }

  /// Each warning of a run, once.
  void tell_warnings(const SweepEntry& entry) {
    if (!is_first()) return;
    for (const std::string& warning : entry.warnings) {
      if (!warned_.insert(warning).second) continue;
      console_.warn(fmt::format("{}: {}", entry.run, warning));
    }
  }

  static constexpr double kPause = 0.5;  // seconds between two looks

  void learn_from_time_to_time() {
    if (last_news_.seconds() >= kPause) learn();
  }

  /// Whether it is time to look for a run that nobody works on: after an end,
  /// and from time to time, since another process may have been lost.
  bool is_time_to_look() {
    if (!looks_ && last_news_.seconds() < kPause) return false;
    learn();
    return true;
  }

  bool run_trials(const std::vector<std::size_t>& trials, std::size_t rung) {
    std::vector<SweepRun> todo;
    for (const std::size_t trial : trials) {
      for (const std::int64_t seed : plan_.seeds()) {
        todo.push_back(plan_.main().run(trial, seed));
      }
    }
    const auto is_over = [&](const SweepRun& run) {
      return ledger_.is_over(run.name, rung);
    };
    learn();
    progress_.begin_rung(rung, static_cast<std::size_t>(std::count_if(
                                   todo.begin(), todo.end(), is_over)));
    if (plan_.rungs().size() > 1) console_.say(progress_.rung_text());
    looks_ = true;
    return run_jobs(
        plan_.workers(),
        [&]() -> std::optional<Job> {
          if (!is_time_to_look()) return {};
          for (const SweepRun& run : todo) {
            if (is_over(run)) continue;
            auto claim = ledger_.claim(run.name);
            if (!claim) continue;
            learn();  // somebody may have had it until now
            if (is_over(run)) continue;
            return job(plan_.main(), run, rung, std::move(claim));
          }
          looks_ = false;
          return {};
        },
        [&](const Job& ended, int code) { finish(ended, code); },
        [&] { return !std::all_of(todo.begin(), todo.end(), is_over); },
        [&] { learn_from_time_to_time(); });
  }

  /// For every seed, makes one trial after another until the time of the best
  /// trial is used up.
  bool run_random_search(std::size_t best) {
    /// The run that comes next with a seed, if its time is not used up.
    const auto next = [&](std::size_t s) -> std::optional<SweepRun> {
      const Arm& arm = plan_.random()[s];
      const std::int64_t seed = plan_.seeds()[s];
      const SweepEntry* const tuned = ledger_.entry(
          plan_.main().run(best, seed).name, plan_.rungs().size() - 1);
      double left = tuned == nullptr ? 0 : tuned->seconds();
      for (std::size_t i = 0; i < arm.trials.size() && left > 0; ++i) {
        const SweepRun run = arm.run(i, seed);
        if (!ledger_.is_over(run.name, 0)) return run;
        left -= ledger_.entry(run.name, 0)->seconds();
      }
      return {};
    };
    looks_ = true;
    return run_jobs(
        plan_.workers(),
        [&]() -> std::optional<Job> {
          if (!is_time_to_look()) return {};
          for (std::size_t s = 0; s < plan_.random().size(); ++s) {
            if (!next(s)) continue;
            auto claim =
                ledger_.claim(fmt::format("random-seed-{}", plan_.seeds()[s]));
            if (!claim) continue;
            learn();
            if (const auto run = next(s)) {
              return job(plan_.random()[s], *run, 0, std::move(claim));
            }
          }
          looks_ = false;
          return {};
        },
        [&](const Job& ended, int code) { finish(ended, code); },
        [&] {
          for (std::size_t s = 0; s < plan_.random().size(); ++s) {
            if (next(s)) return true;
          }
          return false;
        },
        [&] { learn_from_time_to_time(); });
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
    if (!is_first() || metrics_.empty() || metrics_.count(plan_.metric()) > 0) {
      return;
    }
    console_.warn(fmt::format(
        "there is no metric '{}', so trials cannot be compared; there are: {}",
        plan_.metric(), fmt::join(metrics_, ", ")));
  }

  /// The trials that continue after a rung, best first.
  std::vector<std::size_t> best_of(const std::vector<std::size_t>& trials,
                                   std::size_t rung) const {
    std::vector<std::pair<double, std::size_t>> ranked;
    for (const std::size_t trial : trials) {
      double sum = 0;
      for (const std::int64_t seed : plan_.seeds()) {
        const SweepEntry* const e =
            ledger_.entry(plan_.main().run(trial, seed).name, rung);
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
  int rank_;  // rank 0 talks
  Console console_;
  Ledger ledger_;
  SweepProgress progress_;
  std::vector<Task> tasks_;                 // by Job::id
  std::set<std::string> warned_, metrics_;  // that have been told; of all runs
  bool looks_ = true;                       // for a run at once
  Stopwatch last_news_;
};

}  // namespace

int take_part(RunFolder folder, SweepPlan plan, const SweepOptions& options,
              const SweepPart& part) {
  return Sweep(std::move(folder), std::move(plan), options, part).go();
}

}  // namespace nestgrad
