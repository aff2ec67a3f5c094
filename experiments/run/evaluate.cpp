#include "experiments/run/evaluate.h"

#include <fmt/format.h>

#include "core/platform/stopwatch.h"
#include "experiments/problems/coresets/examples_file.h"
#include "experiments/record/table.h"
#include "experiments/setup/process.h"
#include "experiments/setup/protocol.h"

namespace nestgrad {

EvaluationResult evaluate_examples(const EvaluateOptions& options) {
  const Stopwatch watch;
  EvaluationResult out;
  out.examples = read_examples(options.file, options.labels).inputs.size(0);
  Json start = {{"type", "file"},
                {"file", options.file},
                {"standardized", options.standardized}};
  if (!options.labels.empty()) start["labels"] = options.labels;
  const Config config = experiment_config(
      Json{{"seed", options.seed},
           {"threads", options.threads},
           {"problem",
            {{"type", "distillation"},
             {"data", options.data},
             {"model", "logistic"},
             {"loss", "squared_error"},  // any labels will do
             {"examples", out.examples},
             {"start", start}}},
           {"hyperparameters",
            {{"inputs", Json::object()}, {"labels", Json::object()}}},
           {"record", {{"protocol", options.protocol}}}});
  prepare_process(config.integer("threads"));
  out.protocol = config.object("record").value("protocol");
  const Experiment source(config);
  const Config by_protocol = with_protocol(config, source);
  const Experiment judge(by_protocol);
  const ParameterSet hyper =
      judge.hyper_of(source.problem().learned_examples(source.initial_hyper()));

  out.run.name = "file";
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
      format_table({{"trained on the file", run.metrics, run.deviation}}),
      examples, protocol.at("type").get<std::string>(), run.networks.size(),
      steps, seconds);
}

}  // namespace nestgrad
