#include "experiments/runner.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/files.h"
#include "core/memory_meter.h"
#include "core/stopwatch.h"
#include "experiments/checkpoints.h"
#include "experiments/difference.h"
#include "experiments/json_lines.h"
#include "experiments/plan.h"
#include "experiments/process.h"
#include "experiments/results.h"
#include "experiments/stopping.h"

namespace nestgrad {
namespace {

/// Throws Error if the state of a run cannot belong to the experiment that has
/// just been begun: sets of tensors that it has by now are alike. Others may
/// come later.
void require_alike(const Snapshot& begun, const Snapshot& saved) {
  for (const auto& [path, set] : begun.sets) {
    const auto found = saved.sets.find("experiment/" + path);
    if (set.empty() || found == saved.sets.end()) continue;
    require(alike(set, found->second),
            "the checkpoint does not fit this configuration: tensors of '{}' "
            "have other names or shapes",
            path);
  }
}

/// What the bits of a run depend on besides its configuration.
Json program_facts() {
  const Json host = host_facts();
  return {{"version", NESTGRAD_VERSION},
          {"libtorch", host["libtorch"]},
          {"threads", host["threads"]},
          {"blas_threads", host["blas_threads"]}};
}

class Run {
 public:
  Run(Config config, const std::function<RunFolder()>& make_folder, Talk talk)
      : config_(std::move(config)),
        console_(talk.verbosity, talk.json),
        experiment_(config_),
        final_runs_(config_, experiment_),
        stopping_(std::make_shared<Stopping>(
            config_.object("outer").object("stop"),
            Stopping::Sources{
                [this] { return experiment_.problem().train_losses(); },
                [this] { return estimates_->products(); },
                [this]() -> const Metrics& {
                  return recorder_->last_evaluation();
                }})) {
    require_metric();
    fingerprint_ = experiment_.fingerprint();
    experiment_.problem().start_again();
    folder_.emplace(make_folder());
    checkpoints_.emplace(folder_->file("checkpoints"), checkpoint_key("keep"));
    const ParameterSet start = experiment_.initial_hyper();
    recorder_ = std::make_shared<Recorder>(
        folder_->path(), config_.object("record").integer("every"),
        experiment_.problem(), experiment_.natural(start));
    estimates_ = std::make_shared<EstimateSummary>(
        experiment_.tunes() ? config_.object("estimator").json()
                            : Json{{"type", "none: plain training"}});
    const SoftExamples examples = experiment_.problem().learned_examples(start);
    if (examples.inputs.defined()) {
      examples_ =
          std::make_shared<ExamplesOverTime>(experiment_.problem(), examples);
    }
  }

  /// Takes the place of start(). `changed`: the keys that differ from those of
  /// the checkpoint, if it is allowed.
  void restore(const SavedSnapshot& saved,
               const std::vector<std::string>& changed, bool other_data) {
    const bool same_losses =
        std::none_of(changed.begin(), changed.end(), [](const auto& key) {
          return is_one_of(
              key, {"seed", "device", "dtype", "problem", "hyperparameters"});
        });
    if (same_losses) compare_fingerprints(saved.snapshot, other_data);
    experiment_.outer_loop().begin(experiment_.initial_hyper(),
                                   experiment_.tuning_key());
    require_alike(save(experiment_, Tensors::kShared), saved.snapshot);
    try {
      ::nestgrad::restore(*this, saved.snapshot);
    } catch (const Error& error) {
      throw Error(fmt::format(
          "the checkpoint does not fit this configuration: {}", error.what()));
    }
    if (!changed.empty()) {
      termination_.clear();
      message_.clear();
      final_runs_.clear();
      retraining_seconds_ = 0;
    }
    std::filesystem::remove(folder_->file("summary.json"));  // of before
    write_config();
    // So that the changed configuration is that of a checkpoint, too.
    if (!changed.empty()) checkpoint();
    Json run = as_written(folder_->path(), [&] {
      return Json::parse(read_file(folder_->file("run.json")));
    });
    run["resumed"].push_back({{"at", utc_now()},
                              {"outer_step", experiment_.outer_loop().step()},
                              {"changed", changed}});
    folder_->write("run.json", run);
    console_.say(fmt::format("{}: continues after outer step {} of {}",
                             folder_->path(), experiment_.outer_loop().step(),
                             experiment_.outer_steps()));
    tell_start(experiment_.outer_loop().step());
  }

  void start() {
    write_config();
    folder_->write("run.json", Json{{"version", NESTGRAD_VERSION},
                                    {"seed", config_.integer("seed")},
                                    {"started", utc_now()},
                                    {"host", host_facts()}});
    const std::int64_t numbers = experiment_.initial_hyper().numel();
    console_.say(fmt::format(
        "{}: {}, {}", folder_->path(),
        numbers == 0   ? "nothing to tune, plain training"
        : numbers == 1 ? "one number to tune"
                       : fmt::format("{} numbers to tune", numbers),
        experiment_.outer_steps() == 1
            ? "one outer step"
            : fmt::format("{} outer steps", experiment_.outer_steps())));
    tell_start(0);
    if (console_.talks() && experiment_.tunes()) tell_cost();
  }

  int go() {
    if (termination_.empty()) tune();
    // Where numbers went bad there is nothing to continue.
    const bool diverged = termination_ == "diverged";
    if (!diverged) checkpoint();
    if (!diverged && !interrupted_ && experiment_.retraining_steps() > 0) {
      train_final_runs();
      if (interrupted_) checkpoint();
    }
    write_results();
    if (!diverged && !interrupted_) {
      ended_ = true;
      checkpoint();
    }
    const Ending ending = this->ending();
    folder_->write("summary.json", results().summary(ending));
    show(ending);
    const int code = exit_code();
    console_.event("end", {{"code", code},
                           {"termination", ending.termination},
                           {"folder", folder_->path()}});
    return code;
  }

  void persist(Archive& archive) {
    archive("experiment", experiment_);
    archive("recorder", *recorder_);
    archive("estimates", *estimates_);
    archive("stopping", *stopping_);
    if (examples_) archive("examples", *examples_);
    archive("final_runs", final_runs_);
    archive("termination", termination_);
    archive("message", message_);
    archive("tuned", tuned_);
    archive("retraining_seconds", retraining_seconds_);
    // Only written: it is compared before anything is restored.
    auto [train, valid] = fingerprint_;
    archive("fingerprint/training", train);
    archive("fingerprint/validation", valid);
    std::int64_t peak = peak_bytes();
    archive("peak_bytes", peak);
    if (archive.restoring()) earlier_peak_ = peak;
  }

 private:
  class Checkpointing;

  std::int64_t checkpoint_key(const char* key) const {
    return config_.object("record").object("checkpoint").integer(key);
  }

  /// Throws ConfigError if early stopping waits for a metric that there is not.
  void require_metric() const {
    if (!stopping_->needs_evaluation()) return;
    const ParameterSet start = experiment_.initial_hyper();
    const auto& problem = experiment_.problem();
    const ParameterSet weights =
        experiment_.loop().start(start, Key()).detach().weights;
    const Config stop = config_.object("outer").object("stop");
    const std::int64_t every = config_.object("record").integer("every");
    if (stop.integer("patience") < every) {
      stop.fail("patience",
                fmt::format("must be at least record.every, {}, since {} is "
                            "known so often only",
                            every, stopping_->metric()));
    }
    const Metrics known =
        problem.evaluate(problem.deployed(weights, start), start);
    if (known.count(stopping_->metric()) > 0) return;
    std::string names = "outer_loss";
    for (const auto& entry : known) names += ", " + entry.first;
    stop.fail("metric", fmt::format("there is no metric '{}'; there are: {}",
                                    stopping_->metric(), names));
  }

  void compare_fingerprints(const Snapshot& saved, bool other_data) {
    bool same = true;
    const auto compare = [&](const char* which, double now) {
      const auto found =
          saved.numbers.find(fmt::format("fingerprint/{}", which));
      if (found == saved.numbers.end()) return;
      const double before = found->second;
      const bool equal =
          before == now || (std::isnan(before) && std::isnan(now));
      same = same && equal;
      constexpr double kRounding = 1e-3;
      if (equal || other_data ||
          std::abs(before - now) <= kRounding * std::abs(before)) {
        return;
      }
      throw Error(fmt::format(
          "the {} loss at the initial weights is {:.6g}, and was {:.6g} when "
          "the run began: the data have changed (--allow data goes on all the "
          "same)",
          which, now, before));
    };
    compare("training", fingerprint_.first);
    compare("validation", fingerprint_.second);
    if (same) return;
    console_.warn(
        "losses at the initial weights are not what they were to the last "
        "digit (other data, another processor or library), so the rest of this "
        "run is not what it would have been bit by bit");
  }

  void write_config() const { folder_->write("config.json", config_.json()); }

  void tell_start(std::int64_t step) {
    console_.event("start", {{"folder", folder_->path()},
                             {"step", step},
                             {"steps", experiment_.outer_steps()},
                             {"numbers", experiment_.initial_hyper().numel()}});
  }

  /// What the run will need, found out by a rehearsal. One that fails says
  /// nothing: the run will say what is wrong.
  void tell_cost() {
    try {
      console_.say(format_cost(make_plan(config_, experiment_, memory_)));
    } catch (const Error&) {
    }
    experiment_.problem().start_again();
  }

  void tune();

  void train_final_runs() {
    const Stopwatch watch;
    const double before = retraining_seconds_;
    const auto spent = [&] { retraining_seconds_ = before + watch.seconds(); };
    const bool done = final_runs_.train(
        found(),
        [&](const std::string& how) {
          console_.say(fmt::format("training from scratch {}, {} steps", how,
                                   experiment_.retraining_steps()));
          console_.event("final_run", {{"text", how}});
        },
        [&] {
          spent();
          if (is_due()) checkpoint();
          return noted_signal() == 0;
        });
    spent();
    if (!done) interrupted_ = true;
  }

  const ParameterSet& found() const { return experiment_.hyper(); }

  std::int64_t peak_bytes() const {
    return std::max(earlier_peak_, memory_.peak());
  }

  Results results() const {
    return {experiment_, *recorder_, *estimates_, examples_.get(), final_runs_};
  }

  void write_results() const { results().write(*folder_, found()); }

  Ending ending() const {
    Ending out;
    out.termination = interrupted_ ? "stopped" : termination_;
    out.message = message_;
    out.hyper = found();
    out.steps = experiment_.outer_loop().step();
    out.tuned = tuned_;
    out.tuning_seconds = experiment_.outer_loop().seconds();
    out.retraining_seconds = retraining_seconds_;
    out.peak_bytes = peak_bytes();
    return out;
  }

  /// Whether so many minutes have passed since the last checkpoint.
  bool is_due() const {
    const Config every = config_.object("record").object("checkpoint");
    return since_checkpoint_.seconds() >= 60 * every.number("minutes");
  }

  void checkpoint() {
    since_checkpoint_ = Stopwatch();
    if (checkpoint_key("keep") == 0) return;
    recorder_->flush();
    const std::int64_t step = experiment_.outer_loop().step();
    checkpoints_->write(save(*this, Tensors::kShared),
                        {{"config", config_.json()},
                         {"program", program_facts()},
                         {"ended", ended_},
                         {"code", ended_ ? exit_code() : 0}});
    console_.detail(fmt::format("checkpoint after outer step {}", step));
    console_.event("checkpoint", {{"step", step}});
  }

  void show(const Ending& ending) {
    if (console_.talks()) {
      console_.say(results().text(ending));
      console_.say(
          fmt::format("Results are in {}; 'nestgrad report {}' makes a page of "
                      "them",
                      folder_->path(), folder_->path()));
    }
    if (ending.termination == "diverged") {
      console_.warn(
          fmt::format("diverged: {}; what was reached before is in {}",
                      ending.message, folder_->path()));
    } else if (ending.termination == "stopped") {
      console_.warn(fmt::format(
          "stopped after outer step {}; what was reached is in {}, and "
          "'nestgrad resume {}' goes on",
          ending.steps, folder_->path(), folder_->path()));
    } else if (!ending.message.empty()) {
      console_.say(fmt::format("Tuning ended after outer step {}: {}",
                               ending.steps, ending.message));
    }
    for (const std::string& trouble : results().troubles()) {
      console_.warn(trouble);
    }
  }

  int exit_code() const {
    if (termination_ == "diverged") return kExitDiverged;
    if (interrupted_) return 128 + noted_signal();
    // The start may be bad: that is why one tunes. What was found may not.
    const std::vector<FinalRun>& runs = final_runs_.tuning();
    const bool bad = !runs.empty() && !runs.back().trouble.empty();
    return bad ? kExitDiverged : kExitDone;
  }

  MemoryMeter memory_;  // from before the data are loaded
  Config config_;
  Console console_;
  Experiment experiment_;
  FinalRuns final_runs_;
  std::pair<double, double> fingerprint_;  // losses at the initial weights
  std::optional<RunFolder> folder_;
  std::optional<Checkpoints> checkpoints_;
  std::shared_ptr<Stopping> stopping_;
  std::shared_ptr<Recorder> recorder_;
  std::shared_ptr<EstimateSummary> estimates_;
  std::shared_ptr<ExamplesOverTime> examples_;  // null if none are learned
  Stopwatch since_checkpoint_;

  // How far it has come.
  std::string termination_, message_;  // "" until tuning ends
  bool ended_ = false;                 // and all that comes after it
  bool interrupted_ = false;           // by a signal
  Metrics tuned_;
  double retraining_seconds_ = 0;
  std::int64_t earlier_peak_ = 0;  // of processes before this one
};

/// Writes a checkpoint, and the results so far, when it is time. Comes last, so
/// that all others have seen the step.
class Run::Checkpointing : public Observer {
 public:
  explicit Checkpointing(Run& run) : run_(run) {}

  Verdict on_step(const OuterStep& step) override {
    const std::int64_t steps = run_.checkpoint_key("steps");
    const bool due = (steps > 0 && step.step % steps == 0) || run_.is_due();
    // The last step has its own, which knows that tuning is over.
    const bool last =
        step.step == step.steps || !run_.stopping_->kind().empty();
    if (due && !last) {
      run_.checkpoint();
      run_.write_results();
    }
    return Verdict::kContinue;
  }

 private:
  Run& run_;
};

void Run::tune() {
  std::vector<std::shared_ptr<Observer>> observers{recorder_, estimates_,
                                                   stopping_};
  if (examples_) observers.push_back(examples_);
  observers.push_back(std::make_shared<Progress>(
      console_, config_.object("record").integer("every"),
      isatty(STDOUT_FILENO) != 0));
  observers.push_back(std::make_shared<SignalStop>());
  observers.push_back(std::make_shared<Checkpointing>(*this));
  const OuterResult result = experiment_.tune(observers);
  if (result.termination != Termination::kStopped) {
    termination_ = to_string(result.termination);
    message_ = result.message;
  } else if (!stopping_->kind().empty()) {
    termination_ = stopping_->kind();
    message_ = stopping_->reason();
  } else {
    interrupted_ = true;
  }
  const bool evaluated = recorder_->last_evaluation_step() == result.steps;
  tuned_ = evaluated || result.termination != Termination::kStopped
               ? recorder_->last_evaluation()
               : experiment_.evaluate(result.hyper);
}

Config completed(const JsonFile& file) {
  Config config(complete(experiment_schema(), file.json()));
  prepare_process(config.integer("threads"));
  note_signals();
  return config;
}

/// The keys that differ from those of the checkpoint. Throws Error if one of
/// them may not.
std::vector<std::string> changed_keys(const Json& about, const Config& config,
                                      const ResumeOptions& options) {
  std::vector<Difference> all = differences(about.at("config"), config.json());
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
          "this is not the configuration or the program of the checkpoint:{}\n"
          "To go on all the same: --allow{}",
          refused, names);
  return changed;
}

int resume(const RunFolder& folder, const Config& config,
           const ResumeOptions& options) {
  Console console(options.talk.verbosity, options.talk.json);
  const auto saved =
      Checkpoints(folder.file("checkpoints"), 1)
          .newest([&](const std::string& text) { console.warn(text); });
  std::vector<std::string> changed;
  if (saved) changed = changed_keys(saved->about, config, options);
  const bool ended = saved && saved->about.value("ended", false) &&
                     std::filesystem::exists(folder.file("summary.json"));
  if (ended && changed.empty()) {
    console.say(fmt::format("{}: has come to its end, nothing is left to do",
                            folder.path()));
    return saved->about.value("code", 0);
  }
  Run run(
      config, [&] { return folder; }, options.talk);
  if (saved) {
    run.restore(*saved, changed, is_one_of("data", options.allowed));
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
    // First of all, since a folder with one can be resumed.
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
  for (const std::string& assignment : options.assignments) {
    file.set(assignment);
  }
  try {
    return resume(folder, completed(file), options);
  } catch (const ConfigError& error) {
    throw Error(file.describe_all(error));
  }
}

}  // namespace nestgrad
