#include "experiments/export/torchscript.h"

#include "core/config/json_file.h"
#include "core/nn/models/torchscript.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/record/json_lines.h"
#include "experiments/record/run_folder.h"

namespace nestgrad {

void export_torchscript(const std::string& run, const std::string& to) {
  const Json config = JsonFile::read(run + "/config.json").json();
  const auto file = as_written(run, [&]() -> std::string {
    const Json model = config.at("problem").value("model", Json::object());
    require(model.is_object() && model.value("type", "") == "torchscript",
            "{}: its model is not a TorchScript file; the tuned weights are in "
            "weights.safetensors",
            run);
    return model.at("file");
  });
  const std::string found = found_in(folders_of_run(run), file);
  save_torchscript(found.empty() ? file : found,
                   load_safetensors(run + "/weights.safetensors"), to);
}

}  // namespace nestgrad
