#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace nestgrad {

/// This program, to be started again in a process of its own.
struct ChildProcess {
  std::vector<std::string> arguments;  ///< without the name of the program

  /// "NAME=value": variables of the environment that are set there.
  std::vector<std::string> set;

  /// Names of variables that are not there.
  std::vector<std::string> unset;

  /// The file to which its output is appended; "": that of this process.
  std::string log;

  /// Whether it has a process group of its own, so that what is typed at the
  /// terminal (Ctrl-C) reaches this process alone.
  bool own_group = false;

  int inherited = -1;  ///< a file that is open there as well; -1: none
};

/// Starts it; the kernel sends it SIGTERM when this process ends. Returns its
/// process number. Throws Error if no process can be started.
pid_t start(const ChildProcess& child);

/// The exit code in a status of waitpid(), with 128 + n for signal n, as shells
/// have it.
int exit_code(int status);

}  // namespace nestgrad
