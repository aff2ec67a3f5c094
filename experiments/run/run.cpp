#include "experiments/run/run.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/platform/files.h"
#include "core/platform/standard_streams.h"
#include "core/platform/warnings.h"
#include "experiments/judge/plan.h"
#include "experiments/record/json_lines.h"
#include "experiments/run/difference.h"
#include "experiments/run/program_facts.h"
#include "experiments/run/ranks.h"
#include "experiments/setup/process.h"

namespace nestgrad {

Run::Run(Config config, const std::function<RunFolder()>& make_folder,
         Talk talk, std::shared_ptr<World> world)
    : config_(std::move(config)),
      console_(talk),
      experiment_(config_, std::move(world)),
      final_runs_(config_, experiment_),
      stopping_(std::make_shared<Stopping>(
          config_.object("outer").object("stop"),
          Stopping::Sources{
              [this] { return experiment_.problem().train_losses(); },
              [this] { return estimates_->products(); },
              [this](const OuterStep& step) {
                return is_evaluated(step, every())
                           ? step.evaluate()
                           : recorder_->last_evaluation();
              }})) {
  require_metric();
  fingerprint_ = experiment_.fingerprint();
  experiment_.problem().start_again();
  folder_.emplace(make_folder());
  checkpoints_.emplace(folder_->file("checkpoints"),
                       checkpoint_integer("keep"));
  const ParameterSet start = experiment_.initial_hyper();
  recorder_ = std::make_shared<Recorder>(folder_->path(), every(),
                                         experiment_.problem(),
                                         tuned_hypers(config_, experiment_));
  if (has_fresh_networks()) {
    experiment_.outer_loop().add_metrics(
        [this](const ParameterSet& hyper) { return final_runs_.fresh(hyper); });
  }
  if (experiment_.tunes() && config_.object("outer").text("select") == "best") {
    const std::string metric = experiment_.judged_metric();
    best_ = std::make_shared<BestStep>(
        folder_->file(kBestFile), every(),
        has_fresh_networks() ? kFresh + metric : metric,
        !has_fresh_networks() && experiment_.truncation().truncated());
  }
  estimates_ = std::make_shared<EstimateSummary>(
      experiment_.tunes() ? config_.object("estimator").json()
                          : Json{{"type", "none: plain training"}});
  const SoftExamples examples = experiment_.problem().learned_examples(start);
  if (examples.inputs.defined()) {
    examples_ =
        std::make_shared<ExamplesOverTime>(experiment_.problem(), examples);
  }
}

void Run::start() {
  write_config();
  Json facts = start_facts(config_);
  facts["hyperparameters"] = recorder_->tuned();
  folder_->write("run.json", facts);
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
  const bool one_rank = experiment_.world().alone();
  if (console_.talks() && experiment_.tunes() && one_rank) tell_cost();
}

int Run::go() {
  if (termination_.empty()) tune();
  // Numbers that are not finite cannot be continued.
  const bool diverged = termination_ == "diverged";
  release_others(/*saves=*/!diverged);
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
  const RunSummary summary = results().summary(ending);
  folder_->write("summary.json", summary.to_json());
  // A checkpoint has it, too.
  remove_file(folder_->file(kBestFile));
  show(summary);
  const int code = exit_code();
  console_.event("end", {{"code", code},
                         {"termination", ending.termination},
                         {"folder", folder_->path()}});
  return code;
}

void Run::persist(Archive& archive) {
  if (tuned_experiment_) {
    // Final runs have evaluated losses since.
    std::int64_t& train = tuned_experiment_->integers["counts/train_losses"];
    std::int64_t& valid = tuned_experiment_->integers["counts/valid_losses"];
    train = experiment_.problem().train_losses();
    valid = experiment_.problem().valid_losses();
    archive("experiment", *tuned_experiment_);
  } else {
    archive("experiment", experiment_);
  }
  archive("recorder", *recorder_);
  archive("estimates", *estimates_);
  archive("stopping", *stopping_);
  if (best_) archive("best", *best_);
  if (examples_) archive("examples", *examples_);
  archive("final_runs", final_runs_);
  archive("termination", termination_);
  archive("message", message_);
  archive("tuned", tuned_);
  archive("retraining_seconds", retraining_seconds_);
  archive("retraining_gradients", retraining_gradients_);
  // Only written: it is compared before anything is restored.
  auto [train, valid] = fingerprint_;
  archive("fingerprint/training", train);
  archive("fingerprint/validation", valid);
  std::int64_t peak = peak_bytes();
  archive("peak_bytes", peak);
  if (archive.restoring()) earlier_peak_ = peak;
}

bool Run::has_fresh_networks() const {
  return config_.object("record").boolean("fresh");
}

std::int64_t Run::every() const {
  return config_.object("record").integer("every");
}

std::int64_t Run::checkpoint_integer(const char* key) const {
  return config_.object("record").object("checkpoint").integer(key);
}

void Run::require_metric() const {
  if (!stopping_->needs_evaluation()) return;
  const ParameterSet start = experiment_.initial_hyper();
  const auto& problem = experiment_.problem();
  const ParameterSet weights =
      experiment_.loop().start(start, Key()).detach().weights;
  const Config stop = config_.object("outer").object("stop");
  if (stop.integer("patience") < every()) {
    stop.fail("patience",
              fmt::format("must be at least record.every, {}, since {} is "
                          "known so often only",
                          every(), stopping_->metric()));
  }
  Metrics known = problem.evaluate(problem.deployed(weights, start), start);
  if (has_fresh_networks()) {
    for (const auto& [name, value] : Metrics(known)) {
      known[kFresh + name] = value;
    }
  }
  if (known.count(stopping_->metric()) > 0) return;
  std::string names = "outer_loss";
  for (const auto& entry : known) names += ", " + entry.first;
  stop.fail("metric", fmt::format("there is no metric '{}'; there are: {}",
                                  stopping_->metric(), names));
}

void Run::write_config() const {
  folder_->write("config.json", config_.json());
}

void Run::tell_start(std::int64_t step) {
  for (const std::string& text : untold_warnings()) console_.warn(text);
  console_.event("start", {{"folder", folder_->path()},
                           {"step", step},
                           {"steps", experiment_.outer_steps()},
                           {"numbers", experiment_.initial_hyper().numel()}});
}

void Run::tell_cost() {
  // A rehearsal that fails tells nothing: the run will say what is wrong.
  try {
    const PlanResult plan = make_plan(config_, experiment_, memory_);
    if (plan.cost) console_.say(plan.cost->text());
  } catch (const std::exception&) {
  }
  experiment_.problem().start_again();
}

void Run::train_final_runs() {
  // Tuning that has ended early has trained for fewer steps.
  const std::int64_t steps = steps_of_final_runs(
      config_, experiment_, experiment_.outer_loop().step());
  const Stopwatch watch;
  const double before = retraining_seconds_;
  const std::int64_t gradients = experiment_.problem().train_losses();
  const std::int64_t tuning_gradients = gradients - retraining_gradients_;
  const auto spent = [&] {
    retraining_seconds_ = before + watch.seconds();
    retraining_gradients_ =
        experiment_.problem().train_losses() - tuning_gradients;
  };
  const ParameterSet found = handed_out().hyper;
  const bool done = final_runs_.train(
      found, steps,
      {static_cast<double>(tuning_gradients), estimates_->products()},
      [&](const std::string& how) {
        console_.say("training from scratch " + how);
        console_.event("final_run", {{"text", how}});
      },
      [&] {
        spent();
        if (is_due()) checkpoint();
        return signal() == 0;
      });
  spent();
  if (!done) interrupted_ = true;
}

std::int64_t Run::peak_bytes() const {
  return std::max(earlier_peak_, memory_.peak());
}

Results Run::results() const {
  return {experiment_, *recorder_, *estimates_, examples_.get(), final_runs_};
}

HandedOut Run::handed_out() const {
  const std::int64_t steps = experiment_.outer_loop().step();
  if (!best_ || !best_->known()) {
    const ParameterSet& hyper = experiment_.hyper();
    return {{steps, steps}, hyper, experiment_.weights(hyper)};
  }
  BestStep::Sets sets = best_->sets();
  const std::int64_t step = best_->step();
  return {{step, std::max<std::int64_t>(0, step - 1), best_->metric(),
           best_->value(), best_->candidates(), best_->last_candidate(),
           !has_fresh_networks() &&
               config_.object("estimator").integer("horizon") == 0},
          std::move(sets.hyper),
          std::move(sets.weights)};
}

void Run::write_results() const { results().write(*folder_, handed_out()); }

Ending Run::ending() const {
  Ending out;
  out.termination = interrupted_ ? "stopped" : termination_;
  out.message = message_;
  HandedOut found = handed_out();
  out.selected = found.selected;
  out.hyper = std::move(found.hyper);
  out.steps = experiment_.outer_loop().step();
  out.tuned = tuned_;
  out.tuning_seconds = experiment_.outer_loop().seconds();
  out.retraining_seconds = retraining_seconds_;
  out.peak_bytes = peak_bytes();
  return out;
}

bool Run::is_due() const {
  const Config every = config_.object("record").object("checkpoint");
  return take_checkpoint_request() ||
         since_checkpoint_.seconds() >= 60 * every.number("minutes");
}

void Run::checkpoint() {
  since_checkpoint_ = Stopwatch();
  if (checkpoint_integer("keep") == 0) return;
  recorder_->flush();
  const std::int64_t step = experiment_.outer_loop().step();
  checkpoints_->write(save(*this, Tensors::kShared),
                      {{"config", config_.json()},
                       {"program", program_facts()},
                       {"ranks", experiment_.world().size()},
                       {"ended", ended_},
                       {"code", ended_ ? exit_code() : 0}});
  console_.detail(fmt::format("checkpoint after outer step {}", step));
  console_.event("checkpoint", {{"step", step}});
}

void Run::release_others(bool saves) {
  World& world = experiment_.world();
  if (world.alone()) return;
  if (saves && checkpoint_integer("keep") > 0) {
    tell_save(world);
    tuned_experiment_ = save(experiment_, Tensors::kShared);
  }
  tell_end(world);
}

int Run::signal() const {
  const int here = noted_signal();
  return here == 0 && lockstep_ ? lockstep_->signal() : here;
}

void Run::show(const RunSummary& summary) {
  const Ending& ending = summary.ending;
  if (console_.talks()) console_.say(summary.text());
  console_.conclude(fmt::format(
      "Results are in {}; 'nestgrad report {}' makes a page of them",
      folder_->path(), folder_->path()));
  if (ending.termination == "diverged") {
    console_.warn(fmt::format("diverged: {}; what was reached before is in {}",
                              ending.message, folder_->path()));
  } else if (ending.termination == "stopped" && !reader_has_ended()) {
    console_.warn(fmt::format(
        "stopped after outer step {}; what was reached is in {}, and "
        "'nestgrad resume {}' continues it",
        ending.steps, folder_->path(), folder_->path()));
  } else if (!ending.message.empty()) {
    console_.say(fmt::format("Tuning ended after outer step {}: {}",
                             ending.steps, ending.message));
  }
  for (const std::string& trouble : summary.troubles()) {
    console_.warn(trouble);
  }
  if (summary.verdict) console_.say(summary.verdict->text());
}

int Run::exit_code() const {
  if (termination_ == "diverged") return kExitDiverged;
  if (interrupted_) return 128 + signal();
  // The run with the initial hyperparameters may diverge, the run with those
  // found may not.
  const std::vector<FinalRun>& runs = final_runs_.tuning();
  const bool bad = !runs.empty() && !runs.back().trouble.empty();
  return bad ? kExitDiverged : kExitDone;
}

void Run::tune() {
  // What stops tuning early comes first, so that the others know the last step.
  // A signal does not end tuning: the run may be resumed.
  tell_tune(experiment_.world());
  require_same_data(experiment_.world(), fingerprint_);
  lockstep_ =
      std::make_shared<Lockstep>(experiment_, [this](const OuterStep& step) {
        const std::int64_t steps = checkpoint_integer("steps");
        return is_due() || (steps > 0 && step.step % steps == 0);
      });
  std::vector<std::shared_ptr<Observer>> observers{lockstep_, estimates_,
                                                   stopping_, recorder_};
  if (best_) observers.push_back(best_);
  if (examples_) observers.push_back(examples_);
  observers.push_back(std::make_shared<Progress>(
      console_, every(), recorder_->number_names(), isatty(STDOUT_FILENO) != 0,
      stopping_->seconds()));
  observers.push_back(std::make_shared<CommonEnd>(
      lockstep_, experiment_.world(),
      Stopping::is_wanted(config_.object("outer").object("stop"))));
  observers.push_back(std::make_shared<Saving>(lockstep_, [this] {
    checkpoint();
    write_results();
  }));
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
  if (best_ && best_->known()) {
    tuned_ = best_->evaluation();
  } else if (result.termination == Termination::kDiverged) {
    tuned_ = recorder_->last_evaluation();
  } else {
    tuned_ = experiment_.evaluate(result.hyper);
  }
  // Of other weights than those of tuning.
  for (const auto& [name, value] : Metrics(tuned_)) {
    if (name.rfind(kFresh, 0) == 0) tuned_.erase(name);
  }
}

}  // namespace nestgrad
