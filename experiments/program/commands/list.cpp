#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/config/explain.h"
#include "core/config/registry.h"
#include "core/platform/error.h"
#include "experiments/program/command.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

std::vector<std::string> kinds() {
  std::vector<std::string> out;
  for (const auto& entry : RegistryBase::all()) out.push_back(entry.first);
  return out;
}

Action add_list(CLI::App& command) {
  const auto kind = std::make_shared<std::string>();
  command.add_option("kind", *kind,
                     "problems, estimators, optimizers, ...; default: all");
  return [kind] {
    const auto& all = RegistryBase::all();
    if (!kind->empty()) {
      require(all.count(*kind) > 0, "there is no list of '{}'; there are: {}",
              *kind, fmt::join(kinds(), ", "));
      fmt::print("{}", list(*all.at(*kind)));
      return kExitDone;
    }
    for (const auto& [name, registry] : all) {
      fmt::print("{}\n{}\n", name, list(*registry));
    }
    return kExitDone;
  };
}

const RegisteredCommand list_command({90, "list",
                                      "List what a configuration can name.",
                                      add_list, kinds});

}  // namespace
}  // namespace nestgrad
