#include "core/storage/archive.h"

#include "core/config/json_file.h"
#include "core/platform/error.h"

namespace nestgrad {
namespace {

template <class T>
const T& found(const std::map<std::string, T>& values,
               const std::string& path) {
  const auto it = values.find(path);
  require(it != values.end(), "the saved state lacks '{}'", path);
  return it->second;
}

template <class T>
void put(std::map<std::string, T>& values, const std::string& path, T value) {
  require(values.emplace(path, std::move(value)).second, "'{}' is saved twice",
          path);
}

}  // namespace

void Archive::operator()(const std::string& name, ParameterSet& value) {
  visit(joined(name), value);
}
void Archive::operator()(const std::string& name, std::int64_t& value) {
  visit(joined(name), value);
}
void Archive::operator()(const std::string& name, double& value) {
  visit(joined(name), value);
}

void Archive::operator()(const std::string& name, bool& value) {
  std::int64_t number = value ? 1 : 0;
  (*this)(name, number);
  value = number != 0;
}

void Archive::operator()(const std::string& name, Key& value) {
  auto bits = static_cast<std::int64_t>(value.bits());
  (*this)(name, bits);
  value = Key(static_cast<std::uint64_t>(bits));
}

void Archive::operator()(const std::string& name, std::string& value) {
  visit(joined(name), value);
}
void Archive::operator()(const std::string& name,
                         std::map<std::string, double>& value) {
  // The set of names is part of the state. It is saved as one text.
  Json names = Json::array();
  for (const auto& entry : value) names.push_back(entry.first);
  std::string text = names.dump();
  (*this)(name + "/names", text);
  if (restoring()) value.clear();
  for (const Json& key : Json::parse(text)) {
    (*this)(name + "/" + key.get<std::string>(), value[key.get<std::string>()]);
  }
}

void Snapshot::persist(Archive& archive) {
  for (auto& [path, value] : sets) archive(path, value);
  for (auto& [path, value] : integers) archive(path, value);
  for (auto& [path, value] : numbers) archive(path, value);
  for (auto& [path, value] : texts) archive(path, value);
}

void SavingArchive::visit(const std::string& path, ParameterSet& value) {
  const ParameterSet set = value.detach();
  put(snapshot_.sets, path, tensors_ == Tensors::kCopied ? set.clone() : set);
}
void SavingArchive::visit(const std::string& path, std::int64_t& value) {
  put(snapshot_.integers, path, value);
}
void SavingArchive::visit(const std::string& path, double& value) {
  put(snapshot_.numbers, path, value);
}
void SavingArchive::visit(const std::string& path, std::string& value) {
  put(snapshot_.texts, path, value);
}

void RestoringArchive::visit(const std::string& path, ParameterSet& value) {
  value = found(snapshot_.sets, path).clone();
}
void RestoringArchive::visit(const std::string& path, std::int64_t& value) {
  value = found(snapshot_.integers, path);
}
void RestoringArchive::visit(const std::string& path, double& value) {
  value = found(snapshot_.numbers, path);
}
void RestoringArchive::visit(const std::string& path, std::string& value) {
  value = found(snapshot_.texts, path);
}

}  // namespace nestgrad
