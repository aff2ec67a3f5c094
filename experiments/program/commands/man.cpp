#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include "core/platform/text.h"
#include "experiments/program/arguments.h"
#include "experiments/program/command.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// Text as roff shows it: a hyphen stays a hyphen that can be searched for, and
/// no line begins with a request.
std::string escaped(std::string text) {
  replace_all(text, "\\", "\\e");
  replace_all(text, "-", "\\-");
  if (!text.empty() && (text[0] == '.' || text[0] == '\'')) text = "\\&" + text;
  return text;
}

std::string bold(const std::string& text) {
  return "\\fB" + escaped(text) + "\\fR";
}

std::string italic(const std::string& text) {
  return "\\fI" + escaped(text) + "\\fR";
}

/// What follows the name of an option: its words, or the kind of its value.
std::string value_of(const CLI::Option& option) {
  if (option.get_type_size() == 0) return "";  // a flag
  const std::vector<std::string> words = allowed_words(option);
  if (!words.empty()) return fmt::format("{}", fmt::join(words, "|"));
  std::string kind = option.get_type_name();
  kind = kind.substr(0, kind.find(':'));
  for (char& c : kind) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return kind;
}

/// One paragraph with a hanging label.
std::string item(const std::string& label, const std::string& text) {
  return fmt::format(".TP\n{}\n{}\n", label, escaped(text));
}

std::string item(const CLI::Option& option) {
  if (option.get_positional()) {
    return item(italic(option.get_name()), option.get_description());
  }
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back(bold("-" + name));
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back(bold("--" + name));
  }
  std::string label = fmt::format("{}", fmt::join(names, ", "));
  const std::string value = value_of(option);
  if (!value.empty()) label += " " + italic(value);
  std::string text = option.get_description();
  if (!option.get_default_str().empty()) {
    text += "; default: " + option.get_default_str();
  }
  return item(label, text + ".");
}

/// The chapter of a command: its arguments, its meaning, its options.
std::string chapter(const CLI::App& command) {
  std::string line = bold("nestgrad " + command.get_name()), items;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) line += " " + italic(option->get_name());
    if (option != command.get_help_ptr()) items += item(*option);
  }
  return fmt::format(".SS {}\n{}\n{}", line, escaped(command.get_description()),
                     items);
}

std::string exit_codes() {
  const std::pair<std::string, const char*> codes[] = {
      {std::to_string(kExitDone), "Done."},
      {std::to_string(kExitInternal), "Internal error."},
      {std::to_string(kExitMistake),
       "A mistake in the command line, the configuration or the data, or a "
       "file that cannot be read or written."},
      {std::to_string(kExitDiverged), "Diverged: NaN or infinity."},
      {std::to_string(kExitCheckFailed), "A check failed."},
      {std::to_string(kExitMemory), "Out of memory."},
      {"128+n", "Stopped by signal n, after writing a checkpoint."}};
  std::string out;
  for (const auto& [code, meaning] : codes) out += item(bold(code), meaning);
  return out;
}

/// The page of manual section 1, made from the tables of --help.
std::string man_page(const CLI::App& program) {
  std::string out = fmt::format(
      ".TH NESTGRAD 1 \"\" \"nestgrad {}\" \"User commands\"\n.SH NAME\n"
      "nestgrad \\- {}\n.SH SYNOPSIS\n{} {} [{}]\n.SH DESCRIPTION\n{}\n"
      ".SH COMMANDS\n",
      NESTGRAD_VERSION, "tune hyperparameters by hypergradients",
      bold("nestgrad"), italic("command"), italic("arguments"),
      escaped(
          "An experiment is one JSON file, which says what is trained, which "
          "hyperparameters are tuned and by which method. 'nestgrad list' "
          "names everything that such a file may name, and 'nestgrad explain' "
          "tells what its keys mean."));
  for (const Command& command : commands()) {
    out += chapter(*program.get_subcommand(command.name));
  }
  out += ".SH OPTIONS OF ALL COMMANDS\n";
  for (const CLI::Option* option : program.get_options()) out += item(*option);
  out += ".SH EXIT STATUS\n" + exit_codes();
  out += ".SH FILES\n";
  out += item(italic("runs/NAME-N/"),
              "The results of a run, unless another folder is named.");
  out += item(italic("runs/NAME-N/config.json"),
              "Its configuration with every default.");
  return out;
}

Action add_man(CLI::App& command) {
  const CLI::App* const program = command.get_parent();
  return [program] {
    fmt::print("{}", man_page(*program));
    return kExitDone;
  };
}

const RegisteredCommand man_command(
    {140, "man", "Print the page of the manual, for 'man -l'.", add_man});

}  // namespace
}  // namespace nestgrad
