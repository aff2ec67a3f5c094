#pragma once

#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/config/schema.h"

namespace nestgrad {

/// What a key or a type of a configuration means, as text for a terminal (80
/// columns): what it may hold, its default, where it stands, and for a type its
/// keys.
///
/// `top`: the schema of the whole configuration. `key` is a path from the top,
/// such as "estimator.solver.terms" or, with the types named,
/// "estimator.ift.solver.neumann.terms"; the end of one, such as
/// "neumann.terms" or "terms"; or the name of a type, "neumann". Where types
/// are not named, every type that fits is shown.
///
/// Throws Error, with the nearest key there is, if there is none like this.
std::string explain(const Schema& top, const std::string& key);

/// Every key that explain() knows, from the top, without the names of types:
/// "estimator.solver.terms".
std::vector<std::string> all_keys(const Schema& top);

/// The types of a registry, each with the first sentence of its meaning.
std::string list(const RegistryBase& registry);

}  // namespace nestgrad
