#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace nestgrad {

/// The option --ranks of commands that several processes can share.
struct RanksArgument {
  int ranks = 0;  ///< 0: not given

  void add_to(CLI::App& command);

  /// work(), in this process if it is the only rank or one that a launcher has
  /// started. Otherwise starts `ranks` processes with the command line of this
  /// one, passes signals on to them and returns the exit code of rank 0, or
  /// that of another rank if only that has failed. Linux only.
  int with(const std::function<int()>& work) const;
};

}  // namespace nestgrad
