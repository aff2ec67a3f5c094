#pragma once

#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/config/schema.h"

namespace nestgrad {

/// Explains a key or a type of a configuration, as text for a terminal (80
/// columns): allowed values, default, place and, for a type, its keys.
///
/// `top`: the schema of the whole configuration. `key` is one of
///   - a path from the top, such as "estimator.solver.terms" or, with the types
///   named, "estimator.ift.solver.neumann.terms";
///   - the end of a path, such as "neumann.terms" or "terms";
///   - the name of a type, "neumann";
///   - the name of a hyperparameter that a type reads, "weight_decay".
/// Where types are not named, every type that fits is shown. Places are paths
/// without type names, as --set takes them, and those near the top come first.
///
/// Throws Error, with the nearest known key, if nothing matches.
std::string explain(const Schema& top, const std::string& key);

/// Every key that explain() knows, as a path from the top without type names:
/// "estimator.solver.terms".
std::vector<std::string> all_keys(const Schema& top);

/// The types of a registry, each with the first sentence of its meaning.
std::string list(const RegistryBase& registry);

}  // namespace nestgrad
