#include "experiments/runner.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <set>

#include "core/memory_meter.h"
#include "core/stopwatch.h"
#include "experiments/estimate_summary.h"
#include "experiments/experiment.h"
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

/// One of the final runs from scratch; the table and the summary show it.
struct Retrained {
  std::string name;
  ParameterSet hyper;
  Metrics metrics = {};
  std::string trouble = {};  // if it diverged
};

class Run {
 public:
  Run(Config config, const JsonFile& file, const RunOptions& options)
      : config_(std::move(config)),
        options_(options),
        experiment_(config_),
        folder_(make_folder(config_, file, options)) {}

  int go() {
    start();
    const Stopwatch watch;
    const std::int64_t every = config_.object("record").integer("every");
    const auto recorder =
        std::make_shared<Recorder>(folder_.file("metrics.jsonl"), every);
    const auto estimates = std::make_shared<EstimateSummary>(
        experiment_.tunes() ? config_.object("estimator").json()
                            : Json{{"type", "none: plain training"}});
    std::vector<std::shared_ptr<Observer>> observers{
        recorder, estimates, std::make_shared<SignalStop>()};
    if (!options_.quiet) {
      observers.push_back(
          std::make_shared<Progress>(every, isatty(STDOUT_FILENO) != 0));
    }
    const OuterResult result = experiment_.tune(observers);
    observers.clear();  // closes the line of progress
    const double tuning = watch.seconds();

    const ParameterSet natural = experiment_.natural(result.hyper);
    folder_.write("hyperparameters.safetensors", natural);
    if (natural.numel() <= kSmall) {
      folder_.write("hyperparameters.json", hyperparameters_json(natural));
    }
    folder_.write("weights.safetensors", experiment_.weights(result.hyper));
    std::vector<Retrained> retrained;
    if (result.termination == Termination::kFinished &&
        experiment_.retraining_steps() > 0) {
      retrained = retrain(result.hyper);
    }
    summarize(result, *recorder, *estimates, retrained, tuning,
              watch.seconds() - tuning);
    draw_chart(folder_.file("trajectory.png"),
               std::filesystem::path(folder_.path()).filename().string(),
               recorder->panels());
    show(result, *recorder, *estimates, retrained);
    return exit_code(result, retrained);
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
  }

  std::vector<Retrained> retrain(const ParameterSet& found) const {
    std::vector<Retrained> runs{{"start", experiment_.initial_hyper()},
                                {"found", found}};
    for (Retrained& run : runs) {
      if (!options_.quiet) {
        fmt::print(
            "training from scratch with the hyperparameters {}, {} "
            "steps\n",
            run.name == "start" ? "of the start" : "found",
            experiment_.retraining_steps());
        std::fflush(stdout);
      }
      try {
        run.metrics =
            experiment_.retrain(run.hyper, experiment_.retraining_steps());
      } catch (const Error& error) {
        run.trouble = error.what();
      }
    }
    return runs;
  }

  void summarize(const OuterResult& result, const Recorder& recorder,
                 const EstimateSummary& estimates,
                 const std::vector<Retrained>& retrained, double tuning,
                 double retraining) const {
    Json summary = {{"termination", to_string(result.termination)},
                    {"message", result.message},
                    {"outer_steps", result.steps},
                    {"tuned", numbers(recorder.last_evaluation())}};
    for (const Retrained& run : retrained) {
      summary["retrained_" + run.name] = run.trouble.empty()
                                             ? numbers(run.metrics)
                                             : Json{{"trouble", run.trouble}};
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

  void show(const OuterResult& result, const Recorder& recorder,
            const EstimateSummary& estimates,
            const std::vector<Retrained>& retrained) const {
    if (!options_.quiet) {
      std::vector<Row> rows{
          {"weights while tuning", recorder.last_evaluation()}};
      for (const Retrained& run : retrained) {
        rows.push_back(
            {run.name == "start" ? "retrained, start" : "retrained, found",
             run.metrics});
      }
      fmt::print("\n{}\n{}\n{}Results are in {}\n", format_table(rows),
                 estimates.text(),
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
    for (const Retrained& run : retrained) {
      if (run.trouble.empty()) continue;
      fmt::print(stderr,
                 "nestgrad: diverged: training from scratch with the "
                 "hyperparameters {}: {}\n",
                 run.name == "start" ? "of the start" : "found", run.trouble);
    }
  }

  static int exit_code(const OuterResult& result,
                       const std::vector<Retrained>& retrained) {
    if (result.termination == Termination::kDiverged) return kExitDiverged;
    if (result.termination == Termination::kStopped) {
      return 128 + noted_signal();
    }
    // The start may be bad: that is why one tunes. What was found may not.
    const bool bad = !retrained.empty() && !retrained.back().trouble.empty();
    return bad ? kExitDiverged : kExitDone;
  }

  MemoryMeter memory_;  // from before the data are loaded
  Config config_;
  RunOptions options_;
  Experiment experiment_;
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
