#include "experiments/setup/protocol.h"

#include "core/nn/model.h"
#include "experiments/setup/experiment.h"

namespace nestgrad {
namespace {

constexpr const char* kProtocol = "protocol";

}  // namespace

Schema Protocol::common_schema() {
  return Schema("How networks are trained on a small training set.")
      .object("model", ModelRegistry::instance(), "convnet",
              "The network; its own `augment` comes after that of the "
              "protocol.")
      .integer("networks", 5, "How many networks are trained.", at_least(1));
}

bool has_protocol(const Config& config) {
  return config.object("record").has(kProtocol);
}

Config with_protocol(const Config& config, const Experiment& experiment,
                     const Config* other_model) {
  const Config record = config.object("record");
  const Config problem = config.object("problem");
  if (problem.type() != "distillation") {
    record.fail(kProtocol,
                "is for the problem \"distillation\": it says how to train on "
                "a few examples");
  }
  const Config section = record.object(kProtocol);
  const Tensor inputs =
      experiment.problem().learned_examples(experiment.initial_hyper()).inputs;
  const std::int64_t examples = inputs.size(0);
  const Protocol::Training training =
      ProtocolRegistry::instance().make(section)->training(
          examples, inputs.sizes().slice(1).vec());

  Json model =
      other_model != nullptr ? other_model->json() : section.value("model");
  if (!training.augment.empty()) {
    if (!model.contains("augment")) {
      section.fail("model", "has no key \"augment\", which the protocol needs");
    }
    Json layers = training.augment;
    for (const Json& own : model["augment"]) layers.push_back(own);
    model["augment"] = std::move(layers);
  }
  Json json = config.json();
  Json& own = json["problem"];
  own["model"] = std::move(model);
  own["loss"] = training.loss;
  own["soft_labels"] = "probabilities";
  own["head"] = "network";
  own.erase("temperature");  // of the other head
  own["start"] = "noise";    // of which only the shape is asked
  own["baselines"] = Json::array();
  own["batch"] = training.batch >= examples ? 0 : training.batch;
  json["hyperparameters"] = {{"inputs", Json::object()},
                             {"labels", Json::object()}};
  json["inner"] = training.inner;
  json["inner"]["minibatches"] = "per_start";
  json.erase("estimator");            // nothing is tuned
  json["distributed"]["shares"] = 0;  // one rank trains
  json["record"].erase(kProtocol);
  json["record"]["fresh"] = false;
  if (record.is_text("retrain")) json["record"]["retrain"] = training.steps;
  if (record.is_text("networks")) {
    json["record"]["networks"] = section.integer("networks");
  }
  return Config(complete(experiment_schema(), json), "", config.folders());
}

Config config_of_final_runs(const Config& config, const Experiment& experiment,
                            const Config* other_model) {
  if (has_protocol(config)) {
    return with_protocol(config, experiment, other_model);
  }
  if (other_model != nullptr) return with_model(config, *other_model);
  Json json = config.json();
  json["distributed"]["shares"] = 0;  // one rank trains
  return Config(std::move(json), "", config.folders());
}

std::int64_t steps_of_final_runs(const Config& config,
                                 const Experiment& experiment,
                                 std::int64_t outer_steps) {
  return has_protocol(config) ? with_protocol(config, experiment)
                                    .object("record")
                                    .integer("retrain")
                              : experiment.retraining_steps(outer_steps);
}

}  // namespace nestgrad
