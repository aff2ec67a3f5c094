#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// One command of the program, as a shell completes it.
struct CommandWords {
  std::string name;
  std::vector<std::string> options;    ///< "--set"
  std::vector<std::string> arguments;  ///< what follows; files if empty
};

/// A script for bash that completes commands, options and files, and `keys`
/// after --set. It works in zsh with bashcompinit.
std::string bash_completion(const std::vector<CommandWords>& commands,
                            const std::vector<std::string>& keys);

}  // namespace nestgrad
