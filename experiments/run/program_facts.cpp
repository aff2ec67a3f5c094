#include "experiments/run/program_facts.h"

#include "experiments/setup/plugin.h"
#include "experiments/setup/process.h"

namespace nestgrad {

Json program_facts() {
  const Json host = host_facts();
  Json facts = {{"version", NESTGRAD_VERSION},
                {"libtorch", host["libtorch"]},
                {"threads", host["threads"]}};
  const Json plugins = plugin_facts();
  if (!plugins.empty()) facts["plugins"] = plugins;
  return facts;
}

Json start_facts(const Config& config) {
  return {{"version", NESTGRAD_VERSION},
          {"seed", config.integer("seed")},
          {"started", utc_now()},
          {"host", host_facts()},
          {"paths_from", config.folders()}};
}

}  // namespace nestgrad
