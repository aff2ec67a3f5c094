#pragma once

#include <string>

#include "core/config/json_file.h"

namespace nestgrad {

/// Loads a shared library whose registrations (estimators, inverse Hessians,
/// optimizers, problems, models, datasets, ...) take part everywhere from then
/// on; one that is loaded already is not loaded again.
///
/// The library is one that CMake's nestgrad_add_plugin() made against this very
/// version: before any of its code runs, what it says about that is compared
/// with what this library was built with. Throws Error, with what to do, if it
/// differs, if the file cannot be loaded, or if it registers a name that is
/// taken.
void load_plugin(const std::string& path);

/// Loads those that a configuration lists under "plugins". A list that is no
/// list of strings is left to those who check the configuration.
void load_plugins(const Json& config);

/// `config` with all plugins that are loaded listed under "plugins", so that
/// another process can go on with it.
Json with_loaded_plugins(Json config);

/// What bits depend on: {path: checksum} of all plugins that are loaded.
Json plugin_facts();

}  // namespace nestgrad
