#include "core/archive.h"

#include "core/error.h"

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

void SavingArchive::visit(const std::string& path, ParameterSet& value) {
  put(snapshot_.sets, path, value.detach().clone());
}
void SavingArchive::visit(const std::string& path, std::int64_t& value) {
  put(snapshot_.integers, path, value);
}
void SavingArchive::visit(const std::string& path, double& value) {
  put(snapshot_.numbers, path, value);
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

}  // namespace nestgrad
