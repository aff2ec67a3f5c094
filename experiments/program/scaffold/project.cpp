#include "experiments/program/scaffold/project.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "core/config/registry.h"
#include "core/platform/files.h"
#include "core/platform/text.h"
#include "experiments/report/assets.h"

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = "program/scaffold/templates/";

/// "signed_gradient" -> "SignedGradient"
std::string camel_case(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = false;
  }
  return out;
}

void require_name(const std::string& kind, const std::string& name) {
  const bool fits = !name.empty() &&
                    std::islower(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), [](unsigned char c) {
                      return std::islower(c) || std::isdigit(c) || c == '_';
                    });
  require(fits,
          "'{}' is no name: lower-case letters, digits and \"_\", a letter "
          "first",
          name);
  const auto& all = RegistryBase::all();
  const auto registry = all.find(kind + "s");
  if (registry == all.end() || !registry->second->contains(name)) return;
  throw Error(fmt::format("there is {} named '{}' already",
                          registry->second->a_noun(), name));
}

/// The prefix under which this program is installed, or a placeholder if it is
/// not installed.
std::string prefix() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path prefix = program.parent_path().parent_path();
  for (const char* lib : {"lib", "lib64"}) {
    if (fs::exists(prefix / lib / "cmake/nestgrad", error)) {
      return prefix.string();
    }
  }
  for (const std::string& name : names_in((prefix / "lib").string())) {
    if (fs::exists(prefix / "lib" / name / "cmake/nestgrad", error)) {
      return prefix.string();
    }
  }
  return "PREFIX";
}

}  // namespace

std::vector<std::string> project_kinds() {
  std::set<std::string> kinds;
  for (const auto& [path, text] : assets()) {
    if (path.rfind(kRoot, 0) != 0) continue;
    const std::string rest = path.substr(kRoot.size());
    const std::size_t slash = rest.find('/');
    if (slash != std::string::npos) kinds.insert(rest.substr(0, slash));
  }
  return {kinds.begin(), kinds.end()};
}

void new_project(const std::string& kind, const std::string& name,
                 const std::string& folder) {
  const std::vector<std::string> kinds = project_kinds();
  require(std::count(kinds.begin(), kinds.end(), kind) > 0,
          "there is no project of '{}'; there are: {}", kind,
          fmt::join(kinds, ", "));
  require_name(kind, name);
  require(!file_exists(folder), "{}: is there already", folder);
  make_folders(folder);
  for (const auto& [path, content] : assets()) {
    // Templates of all kinds lie beside the folders of single kinds.
    const std::string of_kind = kRoot + kind + "/";
    std::string file;
    if (path.rfind(of_kind, 0) == 0) {
      file = path.substr(of_kind.size());
    } else if (path.rfind(kRoot, 0) == 0 &&
               path.find('/', kRoot.size()) == std::string::npos) {
      file = path.substr(kRoot.size());
    } else {
      continue;
    }
    std::string text = content;
    for (std::string* part : {&file, &text}) {
      replace_all(*part, "@kind@", kind);
      replace_all(*part, "@name@", name);
      replace_all(*part, "@Name@", camel_case(name));
      replace_all(*part, "@prefix@", prefix());
    }
    replace_all(file, ".in", "");
    write_file((fs::path(folder) / file).string(), text);
  }
}

}  // namespace nestgrad
