#include "experiments/program/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nestgrad {

std::string bash_completion(
    const std::vector<CommandWords>& commands,
    const std::vector<std::string>& keys,
    const std::map<std::string, std::vector<std::string>>& values) {
  std::string names, cases, after;
  for (const auto& [option, words] : values) {
    after += fmt::format(R"(    {})
      COMPREPLY=($(compgen -W "{}" -- "$word"))
      return ;;
)",
                         option, fmt::join(words, " "));
  }
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
    COMPREPLY=($(compgen -W "{} --help -V --version --plugin" -- "$word"))
    return
  fi
  local keys="{}"
  case "$before" in
    --set)
      compopt -o nospace 2>/dev/null
      COMPREPLY=($(compgen -W "$keys" -S = -- "$word"))
      return ;;
    --allow)
      COMPREPLY=($(compgen -W "$keys" -- "$word"))
      return ;;
{}  esac
  case "${{COMP_WORDS[1]}}" in
{}  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    *) COMPREPLY=("${{words[@]}}") ;;
  esac
}}
complete -o filenames -F _nestgrad nestgrad
)",
      names, fmt::join(keys, " "), after, cases);
}

}  // namespace nestgrad
