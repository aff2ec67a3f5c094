#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace nestgrad {

/// What a command does once its arguments are read. Returns the exit code.
using Action = std::function<int()>;

/// One command of the program: `nestgrad run`.
struct Command {
  int place;  ///< in --help; the smallest is first
  const char* name;
  const char* meaning;

  /// Adds the command's arguments to the parser. The action owns them.
  Action (*add)(CLI::App&);

  /// The words that a shell offers as its argument; files without.
  std::vector<std::string> (*words)() = nullptr;
};

/// Registers a command. Each file of commands/ has one such object; no other
/// file knows its name.
class RegisteredCommand {
 public:
  explicit RegisteredCommand(const Command& command);
};

/// All commands in the order of their places.
std::vector<Command> commands();

}  // namespace nestgrad
