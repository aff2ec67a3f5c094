#pragma once

#include <string>
#include <vector>

#include "core/config/json_file.h"

namespace nestgrad {

/// Loads a shared library, a relative path from the first of `folders` that has
/// it. Its registrations (estimators, inverse Hessians, optimizers, problems,
/// models, datasets, ...) are available from then on. Loading a library again
/// does nothing.
///
/// The library must have been built by CMake's nestgrad_add_plugin() against
/// exactly this version. This is checked before any of its code runs, by
/// comparing the mark in the library with that of this program. Throws Error,
/// with advice, if they differ, if the file cannot be loaded, or if it
/// registers a name that is taken.
void load_plugin(const std::string& path,
                 const std::vector<std::string>& folders = {"."});

/// Loads the plugins that a configuration lists under "plugins", relative paths
/// from the first of `folders` that has them. Does nothing if the value is not
/// a list of strings; the check of the configuration reports that.
void load_plugins(const Json& config, const std::vector<std::string>& folders);

/// `config` with all loaded plugins under "plugins", for use by another
/// process.
Json with_loaded_plugins(Json config);

/// The loaded plugins, {path: checksum}, because results depend on them. The
/// path is that of the configuration, if it lists the plugin.
Json plugin_facts();

}  // namespace nestgrad
