#include "experiments/setup/out_of_memory.h"

#include <fmt/format.h>

#include <vector>

#include "core/config/alternatives.h"
#include "experiments/setup/experiment.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Adds the keys of an object, dotted, whose meanings speak of memory, those of
/// the registered objects in it included.
void add_keys_about_memory(const Schema& schema, const Json& object,
                           const std::string& prefix,
                           std::vector<std::string>& to) {
  for (const KeySpec& key : schema.keys()) {
    const std::string dotted = prefix + key.name;
    if (key.meaning.find("memory") != std::string::npos) to.push_back(dotted);
    const auto value = object.find(key.name);
    if (key.registry == nullptr || value == object.end() ||
        !value->is_object() || !value->contains("type")) {
      continue;
    }
    add_keys_about_memory(key.registry->schema(value->at("type")), *value,
                          dotted + ".", to);
  }
}

/// Keys of a configuration that change how much memory a run takes.
std::vector<std::string> keys_about_memory(const Json& config) {
  const Schema schema = experiment_schema();
  const Json whole = complete(schema, config);
  std::vector<std::string> keys;
  add_keys_about_memory(schema, whole, "", keys);
  const Json& estimator = whole.at("estimator");
  if (estimator.contains("window")) {
    keys.push_back(fmt::format("a shorter estimator.window (it is {})",
                               estimator.at("window").dump()));
  }
  if (whole.at("problem").contains("batch")) {
    keys.emplace_back("a smaller problem.batch");
  }
  return keys;
}

std::string message(const std::exception& error, const Json& config) {
  const std::string wanted = wanted_memory(error);
  const std::string more = wanted.empty() ? "more" : wanted + " more";
  std::string out =
      is_out_of_device_memory(error)
          ? fmt::format("out of memory of the device: {} could not be had",
                        more)
          : fmt::format(
                "out of memory: {} could not be had; the process has "
                "had up to {:.0f} MiB",
                more, peak_memory_mib());
  if (config.is_null()) return out;
  std::vector<std::string> keys;
  try {
    keys = keys_about_memory(config);
  } catch (const std::exception&) {
    // No advice, then.
  }
  if (!keys.empty()) out += fmt::format("; {} lowers it", in_words(keys));
  return out + "; 'nestgrad plan' tells how much a run needs";
}

}  // namespace

OutOfMemory::OutOfMemory(const std::exception& error, const Json& config)
    : std::runtime_error(message(error, config)) {}

}  // namespace nestgrad
