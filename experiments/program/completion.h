#pragma once

#include <string>
#include <vector>

namespace nestgrad {

/// One command of the program, as a shell completes it.
struct CommandWords {
  std::string name;
  std::vector<std::string> options;    ///< "--set"
  std::vector<std::string> arguments;  ///< what can follow; empty: files
};

/// A script for bash that completes commands, options, files and, after --set,
/// `keys`. zsh takes it as well, by bashcompinit.
std::string bash_completion(const std::vector<CommandWords>& commands,
                            const std::vector<std::string>& keys);

}  // namespace nestgrad
