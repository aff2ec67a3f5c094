#pragma once

#include <exception>
#include <string>
#include <vector>

#include "core/config/registry.h"

namespace nestgrad {

/// "a", "a or b", "a, b or c"; "" for no words.
std::string in_words(const std::vector<std::string>& alternatives);

/// The names of a registry whose objects suit a purpose, for advice. Each
/// object is made with default settings from `args`; a type that cannot be made
/// so is left out. `suits` is asked about each object.
template <class Suits, class Interface, class... Args, class... Given>
std::vector<std::string> names_where(const Registry<Interface, Args...>& from,
                                     const Suits& suits, const Given&... args) {
  std::vector<std::string> out;
  for (const std::string& name : from.names()) {
    try {
      if (suits(*from.make(Json{{"type", name}}, args...))) out.push_back(name);
    } catch (const std::exception&) {
      // It does not work here, so it is no alternative.
    }
  }
  return out;
}

}  // namespace nestgrad
