#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// What new_project() can begin: "estimator", "layer", "problem", ...
std::vector<std::string> project_kinds();

/// Writes a project outside this tree that adds one type to a registry: a
/// source that works, to be changed; CMakeLists.txt; a configuration; a test
/// that holds it to the contract of its interface; a README.md with the
/// commands.
/// `name` is what configurations call it (snake_case).
///
/// Throws Error if the folder exists, or if the name is taken or malformed.
void new_project(const std::string& kind, const std::string& name,
                 const std::string& folder);

}  // namespace nestgrad
