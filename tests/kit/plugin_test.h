#pragma once

#include <functional>

#include "core/config/json_file.h"
#include "faults.h"

namespace nestgrad::testing {

/// main() of the test of a plugin, called with two arguments: the plugin and a
/// configuration that uses it. Loads the plugin, gives the configuration to
/// `judge` and reports the faults that it finds:
///
///   int main(int count, char** arguments) {
///     return judge_plugin(count, arguments, [](const Json& config) {
///       return estimator_faults(config.at("estimator"));
///     });
///   }
///
/// Returns 0 if there are no faults, 1 if there are, and 2, with a sentence, if
/// the plugin or the configuration cannot be used.
int judge_plugin(int count, char** arguments,
                 const std::function<Faults(const Json& config)>& judge);

}  // namespace nestgrad::testing
