#pragma once

#include <map>
#include <string>

namespace nestgrad {

/// The files of the page and the templates of new projects, which the build
/// puts into the library. Keys are paths below experiments/.
const std::map<std::string, std::string>& assets();

/// Puts `by` in the place of every `mark` in a text. Marks in `by` stay.
inline void replace_all(std::string& text, const std::string& mark,
                        const std::string& by) {
  for (std::size_t at = text.find(mark); at != std::string::npos;
       at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
}

}  // namespace nestgrad
