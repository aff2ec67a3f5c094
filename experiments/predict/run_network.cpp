#include "experiments/predict/run_network.h"

#include "core/nn/bfloat16.h"
#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/run_folder.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/precision.h"

namespace nestgrad {

RunNetwork RunNetwork::load(const std::string& run) {
  const std::string file = run + "/network.json";
  require(file_exists(file),
          "{}: has no network.json, so there is no network to ask", run);
  RunNetwork out{
      experiment_config(JsonFile::read(run + "/config.json").json(),
                        folders_of_run(run)),
      as_written(
          run,
          [&] { return SavedNetwork::from_json(JsonFile::read(file).json()); }),
      nullptr, load_safetensors(run + "/weights.safetensors")};
  out.model = make_model(out.config.object("problem").object("model"),
                         out.saved.preparation.shape, out.saved.outputs,
                         is_bfloat16(out.config));
  require(alike(out.weights, out.model->initial_weights(Key())),
          "{}: the weights do not fit the model of the configuration", run);
  return out;
}

}  // namespace nestgrad
