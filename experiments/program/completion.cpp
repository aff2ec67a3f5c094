#include "experiments/program/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nestgrad {

std::string bash_completion(const std::vector<CommandWords>& commands,
                            const std::vector<std::string>& keys) {
  std::string names, cases;
  for (const CommandWords& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    const std::string words =
        command.arguments.empty()
            ? R"($(compgen -f -- "$word"))"
            : fmt::format(R"($(compgen -W "{}" -- "$word"))",
                          fmt::join(command.arguments, " "));
    cases += fmt::format(R"(    {})
      options="{}"
      words=({}) ;;
)",
                         command.name, fmt::join(command.options, " "), words);
  }
  return fmt::format(
      R"(# Completion of nestgrad for bash. In ~/.bashrc, or in ~/.zshrc after
# "autoload -U +X bashcompinit && bashcompinit":
#   source <(nestgrad completion)
_nestgrad() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  local options words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$word"))
    return
  fi
  if [ "$before" = --set ] || [ "$before" = --allow ]; then
    COMPREPLY=($(compgen -W "{}" -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=("${{words[@]}}") ;;
  esac
}}
complete -o filenames -F _nestgrad nestgrad
)",
      names, fmt::join(keys, " "), cases);
}

}  // namespace nestgrad
