#include "experiments/runner.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "core/files.h"
#include "core/memory_meter.h"
#include "core/stopwatch.h"
#include "experiments/estimate_summary.h"
#include "experiments/experiment.h"
#include "experiments/final_runs.h"
#include "experiments/learned_examples.h"
#include "experiments/plan.h"
#include "experiments/process.h"
#include "experiments/progress.h"
#include "experiments/recorder.h"
#include "experiments/run_folder.h"
#include "experiments/table.h"

namespace nestgrad {
namespace {

RunFolder make_folder(const Config& config, const JsonFile& file,
                      const RunOptions& options) {
  if (!options.folder.empty()) return RunFolder::create(options.folder);
  const Config record = config.object("record");
  if (record.has("folder")) return RunFolder::create(record.text("folder"));
  return RunFolder::create_next(
      std::filesystem::path(file.name()).stem().string());
}

Json numbers(const Metrics& metrics) {
  Json out = Json::object();
  for (const auto& [name, value] : metrics) out[name] = value;
  return out;
}

/// Small sets in natural units, as nested lists of numbers.
Json hyperparameters_json(const ParameterSet& natural) {
  Json out = Json::object();
  for (std::size_t i = 0; i < natural.size(); ++i) {
    const Tensor t =
        natural.tensors()[i].to(at::kCPU).to(at::kDouble).contiguous();
    const double* const data = t.data_ptr<double>();
    if (t.dim() == 0) {
      out[natural.name(i)] = *data;
    } else {
      out[natural.name(i)] = std::vector<double>(data, data + t.numel());
    }
  }
  return out;
}

constexpr std::int64_t kSmall = 1000;  // numbers that a JSON file may list

/// Calls `write` every so many minutes, and asks for hyperparameters only.
class Snapshots : public Observer {
 public:
  Snapshots(double minutes, std::function<void(const ParameterSet&)> write)
      : seconds_(60 * minutes), write_(std::move(write)) {}

  Verdict on_step(const OuterStep& step) override {
    if (step.seconds - last_ >= seconds_ && step.step < step.steps) {
      last_ = step.seconds;
      write_(*step.hyper);
    }
    return Verdict::kContinue;
  }

 private:
  double seconds_;
  double last_ = 0;
  std::function<void(const ParameterSet&)> write_;
};

class Run {
 public:
  Run(Config config, const JsonFile& file, const RunOptions& options)
      : config_(std::move(config)),
        options_(options),
        experiment_(config_),
        final_runs_(config_, experiment_),
        folder_(make_folder(config_, file, options)) {}

  int go() {
    start();
    const Stopwatch watch;
    const Config record = config_.object("record");
    const std::int64_t every = record.integer("every");
    const auto recorder =
        std::make_shared<Recorder>(folder_.file("metrics.jsonl"), every);
    const auto estimates = std::make_shared<EstimateSummary>(
        experiment_.tunes() ? config_.object("estimator").json()
                            : Json{{"type", "none: plain training"}});
    std::shared_ptr<ExamplesOverTime> examples;
    std::vector<std::shared_ptr<Observer>> observers{
        recorder, estimates, std::make_shared<SignalStop>()};
    const SoftExamples at_start = learned(experiment_.initial_hyper());
    if (at_start.inputs.defined()) {
      examples =
          std::make_shared<ExamplesOverTime>(experiment_.problem(), at_start);
      observers.push_back(examples);
    }
    const auto write = [&](const ParameterSet& hyper) {
      write_results(hyper, *recorder, examples.get());
    };
    observers.push_back(
        std::make_shared<Snapshots>(record.number("minutes"), write));
    if (!options_.quiet) {
      observers.push_back(
          std::make_shared<Progress>(every, isatty(STDOUT_FILENO) != 0));
    }
    const OuterResult result = experiment_.tune(observers);
    observers.clear();  // closes the line of progress
    const double tuning = watch.seconds();

    write(result.hyper);
    if (result.termination == Termination::kFinished &&
        experiment_.retraining_steps() > 0) {
      final_runs_.train(result.hyper, [&](const std::string& how) {
        if (options_.quiet) return;
        fmt::print("training from scratch {}, {} steps\n", how,
                   experiment_.retraining_steps());
        std::fflush(stdout);
      });
    }
    summarize(result, *recorder, *estimates, tuning, watch.seconds() - tuning);
    show(result, *recorder, *estimates);
    return exit_code(result);
  }

 private:
  void start() {
    folder_.write("config.json", config_.json());
    folder_.write("run.json", Json{{"version", NESTGRAD_VERSION},
                                   {"seed", config_.integer("seed")},
                                   {"started", utc_now()},
                                   {"host", host_facts()}});
    if (options_.quiet) return;
    const ParameterSet hyper = experiment_.initial_hyper();
    fmt::print("{}: {}, {}\n", folder_.path(),
               hyper.numel() == 0 ? "nothing to tune, plain training"
               : hyper.numel() == 1
                   ? "one number to tune"
                   : fmt::format("{} numbers to tune", hyper.numel()),
               experiment_.outer_steps() == 1
                   ? "one outer step"
                   : fmt::format("{} outer steps", experiment_.outer_steps()));
    std::fflush(stdout);
    if (experiment_.tunes()) tell_cost();
  }

  /// What the run will need, found out by a rehearsal. One that fails says
  /// nothing: the run will say what is wrong.
  void tell_cost() const {
    try {
      fmt::print("{}\n", format_cost(make_plan(config_, experiment_, memory_)));
    } catch (const Error&) {
    }
    experiment_.problem().start_again();
    std::fflush(stdout);
  }

  SoftExamples learned(const ParameterSet& hyper) const {
    return experiment_.problem().learned_examples(hyper);
  }

  /// What has been reached, whole files at a time.
  void write_results(const ParameterSet& hyper, const Recorder& recorder,
                     const ExamplesOverTime* examples) const {
    const ParameterSet natural = experiment_.natural(hyper);
    folder_.write("hyperparameters.safetensors", natural);
    if (natural.numel() <= kSmall) {
      folder_.write("hyperparameters.json", hyperparameters_json(natural));
    }
    folder_.write("weights.safetensors", experiment_.weights(hyper));
    draw_chart(folder_.file("trajectory.png"),
               std::filesystem::path(folder_.path()).filename().string(),
               recorder.panels());
    if (examples == nullptr) return;
    write_learned_examples(folder_, learned(hyper));
    if (const std::string strip = examples->draw(); !strip.empty()) {
      write_file(folder_.file("distilled_over_time.png"), strip);
    }
  }

  void summarize(const OuterResult& result, const Recorder& recorder,
                 const EstimateSummary& estimates, double tuning,
                 double retraining) const {
    Json summary = {{"termination", to_string(result.termination)},
                    {"message", result.message},
                    {"outer_steps", result.steps},
                    {"tuned", numbers(recorder.last_evaluation())}};
    for (const FinalRun& run : final_runs_.tuning()) {
      summary["retrained_" + run.name] = run.json();
    }
    for (const FinalRun& run : final_runs_.models()) {
      summary["other_models"].push_back(
          {{"model", run.name}, {"retrained", run.json()}});
    }
    for (const FinalRun& run : final_runs_.baselines()) {
      summary["baselines"][run.name] = run.json();
    }
    if (const auto gap = warm_cold_gap(recorder)) {
      summary["warm_cold_gap"] = gap->json();
    }
    summary["train_gradients"] = experiment_.problem().train_losses();
    summary["valid_gradients"] = experiment_.problem().valid_losses();
    summary["hessian_products"] =
        static_cast<std::int64_t>(estimates.products());
    summary["estimator"] = estimates.json();
    summary["seconds"] = {{"tuning", tuning}, {"retraining", retraining}};
    summary["peak_memory_mib"] = peak_memory_mib();
    summary["peak_tensor_mib"] = mebibytes(memory_.peak());
    folder_.write("summary.json", summary);
  }

  /// The distance between the weights of tuning and those trained from scratch
  /// under the hyperparameters found, if there are both.
  std::optional<WarmColdGap> warm_cold_gap(const Recorder& recorder) const {
    if (final_runs_.tuning().empty()) return {};
    WarmColdGap gap(recorder.last_evaluation(), final_runs_.tuning().back());
    if (gap.metric.empty()) return {};
    return gap;
  }

  void show(const OuterResult& result, const Recorder& recorder,
            const EstimateSummary& estimates) const {
    if (!options_.quiet) {
      std::vector<Row> rows{
          {"weights while tuning", recorder.last_evaluation()}};
      const auto add = [&](const char* group,
                           const std::vector<FinalRun>& runs) {
        for (const FinalRun& run : runs) {
          rows.push_back({fmt::format("{}, {}", group, run.name), run.metrics,
                          run.deviation});
        }
      };
      add("retrained", final_runs_.tuning());
      add("other model", final_runs_.models());
      add("baseline", final_runs_.baselines());
      fmt::print("\n{}\n", format_table(rows));
      if (const auto gap = warm_cold_gap(recorder)) {
        fmt::print("{:20}{}\n", "warm/cold gap", gap->text());
      }
      fmt::print("{}\n{}Results are in {}\n", estimates.text(),
                 format_hyperparameters(
                     experiment_.natural(experiment_.initial_hyper()),
                     experiment_.natural(result.hyper)),
                 folder_.path());
    }
    if (result.termination == Termination::kDiverged) {
      fmt::print(stderr,
                 "nestgrad: diverged: {}; what was reached before is in "
                 "{}\n",
                 result.message, folder_.path());
    } else if (result.termination == Termination::kStopped) {
      fmt::print(stderr,
                 "nestgrad: stopped after outer step {}; what was "
                 "reached is in {}\n",
                 result.steps, folder_.path());
    }
    const auto complain = [](const std::vector<FinalRun>& runs,
                             const char* what) {
      for (const FinalRun& run : runs) {
        if (run.trouble.empty()) continue;
        fmt::print(stderr,
                   "nestgrad: diverged: training from scratch, {} {}: {}\n",
                   what, run.name, run.trouble);
      }
    };
    complain(final_runs_.tuning(), "hyperparameters");
    complain(final_runs_.models(), "other model");
    complain(final_runs_.baselines(), "baseline");
  }

  int exit_code(const OuterResult& result) const {
    if (result.termination == Termination::kDiverged) return kExitDiverged;
    if (result.termination == Termination::kStopped) {
      return 128 + noted_signal();
    }
    // The start may be bad: that is why one tunes. What was found may not.
    const std::vector<FinalRun>& runs = final_runs_.tuning();
    const bool bad = !runs.empty() && !runs.back().trouble.empty();
    return bad ? kExitDiverged : kExitDone;
  }

  MemoryMeter memory_;  // from before the data are loaded
  Config config_;
  RunOptions options_;
  Experiment experiment_;
  FinalRuns final_runs_;
  RunFolder folder_;
};

}  // namespace

int run_experiment(const JsonFile& file, const RunOptions& options) {
  const Config config(complete(experiment_schema(), file.json()));
  prepare_process(config.integer("threads"));
  note_signals();
  return Run(config, file, options).go();
}

}  // namespace nestgrad
