#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "experiments/record/console.h"

// Arguments that several commands share.

namespace nestgrad {

/// The range of a number of repetitions.
inline const CLI::Range kCount(1, 1000000);

/// Reads a JSON file; "-" is standard input. See JsonFile::read().
JsonFile read_json(const std::string& path);

/// A configuration with replacements of its values.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> assignments, folders;
  std::string seed;

  void add_to(CLI::App& command);

  /// Reads the configuration, loads its plugins and calls `work`. Mistakes in
  /// it are reported with their lines. Returns the exit code.
  int with(const std::function<int(const JsonFile&)>& work) const;
};

/// How much a command that trains tells.
struct TalkArguments {
  int quiet = 0;  ///< how often it was said
  bool verbose = false;
  std::string progress;

  void add_to(CLI::App& command);

  Talk talk() const;
};

/// The words that an option's value must be one of; empty if it may be others.
std::vector<std::string> allowed_words(const CLI::Option& option);

/// Tells standard error what a long command does next.
void tell(const std::string& what);

}  // namespace nestgrad
