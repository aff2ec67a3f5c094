#include "experiments/run/evaluate.h"

#include <fmt/format.h>

#include "core/platform/stopwatch.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/problems/coresets/examples_file.h"
#include "experiments/record/table.h"
#include "experiments/setup/process.h"
#include "experiments/setup/protocol.h"

namespace nestgrad {

namespace {

/// The coreset that is judged.
Json coreset_of(const EvaluateOptions& options) {
  if (options.file.empty()) return options.coreset;
  Json out = {{"type", "file"},
              {"file", options.file},
              {"standardized", options.standardized}};
  if (!options.labels.empty()) out["labels"] = options.labels;
  return out;
}

std::int64_t count_of(const EvaluateOptions& options) {
  if (!options.file.empty()) {
    return read_examples(options.file, options.labels).inputs.size(0);
  }
  if (options.examples > 0) return options.examples;
  const Config data(complete(DataRegistry::instance(), options.data),
                    "/problem/data");
  return load_splits(data, Key(), at::kFloat).train.size();
}

}  // namespace

EvaluationResult evaluate_examples(const EvaluateOptions& options) {
  const Stopwatch watch;
  prepare_process(options.threads);
  EvaluationResult out;
  out.examples = count_of(options);
  const Config config = experiment_config(
      Json{{"seed", options.seed},
           {"threads", options.threads},
           {"problem",
            {{"type", "distillation"},
             {"data", options.data},
             {"model", "logistic"},
             {"loss", "squared_error"},  // any labels will do
             {"examples", out.examples},
             {"start", coreset_of(options)}}},
           {"hyperparameters",
            {{"inputs", Json::object()}, {"labels", Json::object()}}},
           {"record", {{"protocol", options.protocol}}}});
  out.protocol = config.object("record").value("protocol");
  const Experiment source(config);
  const Config by_protocol = with_protocol(config, source);
  const Experiment judge(by_protocol);
  const ParameterSet hyper =
      judge.hyper_of(source.problem().learned_examples(source.initial_hyper()));

  out.run.name = config.object("problem").object("start").type();
  out.steps = judge.retraining_steps();
  const std::int64_t networks =
      by_protocol.object("record").integer("networks");
  for (std::int64_t i = 0; i < networks; ++i) {
    if (options.progress) {
      options.progress(fmt::format("network {} of {}: {} training steps", i + 1,
                                   networks, out.steps));
    }
    out.run.networks.push_back({judge.retrain(hyper, out.steps, i)});
  }
  out.run.summarize();
  out.seconds = watch.seconds();
  return out;
}

Json EvaluationResult::to_json() const {
  Json each = Json::array();
  for (const FinalNetwork& network : run.networks) {
    each.push_back(network.metrics);
  }
  return {{"examples", examples},  {"protocol", protocol},
          {"steps", steps},        {"networks", each},
          {"mean", run.to_json()}, {"seconds", seconds}};
}

std::string EvaluationResult::text() const {
  return fmt::format(
      "{}{} examples, protocol {}: {} networks, {} training steps each, {:.0f} "
      "s\n",
      format_table({{"trained on " + run.name, run.metrics, run.deviation}}),
      examples, protocol.at("type").get<std::string>(), run.networks.size(),
      steps, seconds);
}

}  // namespace nestgrad
