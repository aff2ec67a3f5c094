#include "core/config/registry.h"

#include <string_view>

namespace nestgrad {
namespace {

// A static of a function, so that it exists when the first registration runs.
std::map<std::string, const RegistryBase*>& registries() {
  static std::map<std::string, const RegistryBase*> by_kind;
  return by_kind;
}

std::vector<std::string>& noted_clashes() {
  static std::vector<std::string> sentences;
  return sentences;
}

}  // namespace

RegistryBase::RegistryBase(std::string kind, SchemaFunction common)
    : kind_(std::move(kind)), common_(common) {
  const bool is_new = registries().emplace(kind_, this).second;
  require(is_new, "there are two registries of {}", kind_);
}

const std::map<std::string, const RegistryBase*>& RegistryBase::all() {
  return registries();
}

const std::vector<std::string>& RegistryBase::clashes() {
  return noted_clashes();
}

std::string RegistryBase::noun() const {
  std::string noun = kind_;
  for (char& c : noun) {
    if (c == '_') c = ' ';
  }
  const bool ends_in_y =
      noun.size() > 3 && noun.substr(noun.size() - 3) == "ies";
  if (ends_in_y) return noun.substr(0, noun.size() - 3) + "y";
  const bool ends_in_ch =
      noun.size() > 4 && noun.substr(noun.size() - 4) == "ches";
  if (ends_in_ch) return noun.substr(0, noun.size() - 2);
  if (!noun.empty() && noun.back() == 's') noun.pop_back();
  return noun;
}

std::string RegistryBase::a_noun() const {
  const std::string noun = this->noun();
  const bool has_vowel =
      !noun.empty() && std::string_view("aeiou").find(noun[0]) < 5;
  return (has_vowel ? "an " : "a ") + noun;
}

std::vector<std::string> RegistryBase::names() const {
  std::vector<std::string> names;
  for (const auto& entry : schemas_) names.push_back(entry.first);
  return names;
}

Schema RegistryBase::schema(const std::string& name) const {
  require(contains(name), "{}: there is no '{}'", kind_, name);
  Schema schema = schemas_.at(name)();
  if (common_ != nullptr) schema.also(common_());
  return schema;
}

bool RegistryBase::add_schema(const std::string& name, SchemaFunction schema) {
  const bool is_new = schemas_.emplace(name, schema).second;
  if (!is_new) {
    noted_clashes().push_back(
        fmt::format("there are two {} named '{}'", kind_, name));
  }
  return is_new;
}

}  // namespace nestgrad
