#include "plugin_test.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "core/platform/error.h"
#include "experiments/setup/plugin.h"

namespace nestgrad::testing {

int judge_plugin(int count, char** arguments,
                 const std::function<Faults(const Json& config)>& judge) {
  constexpr int kUnusable = 2;
  try {
    require(count == 3, "usage: {} PLUGIN CONFIG", arguments[0]);
    load_plugin(arguments[1]);
    return report(judge(JsonFile::read(arguments[2]).json()));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", arguments[0], error.what());
    return kUnusable;
  }
}

}  // namespace nestgrad::testing
