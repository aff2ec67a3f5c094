#include "experiments/program/command.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace nestgrad {
namespace {

// A function's own object: files that register are initialized in any order.
std::vector<Command>& registered() {
  static std::vector<Command> all;
  return all;
}

}  // namespace

RegisteredCommand::RegisteredCommand(const Command& command) {
  registered().push_back(command);
}

std::vector<Command> commands() {
  std::vector<Command> all = registered();
  std::sort(all.begin(), all.end(), [](const Command& a, const Command& b) {
    return std::make_tuple(a.place, std::string_view(a.name)) <
           std::make_tuple(b.place, std::string_view(b.name));
  });
  return all;
}

}  // namespace nestgrad
