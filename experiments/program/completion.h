#pragma once

#include <map>
#include <string>
#include <vector>

namespace nestgrad {

/// One command of the program, as a shell completes it.
struct CommandWords {
  std::string name;
  std::vector<std::string> options;    ///< "--set"
  std::vector<std::string> arguments;  ///< what follows; files if empty
};

/// A script for bash that completes commands, options and files, `keys` after
/// --set, and after an option of `values` its values. It works in zsh with
/// bashcompinit.
std::string bash_completion(
    const std::vector<CommandWords>& commands,
    const std::vector<std::string>& keys,
    const std::map<std::string, std::vector<std::string>>& values);

}  // namespace nestgrad
