#include "experiments/setup/plugin.h"

#include <dlfcn.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "core/config/registry.h"
#include "core/platform/files.h"
#include "experiments/setup/plugin_mark.h"

namespace nestgrad {
namespace {

struct Plugin {
  std::string path;  // as it was given last
  std::string file;  // absolute
  std::string checksum;
};

std::vector<Plugin>& loaded() {
  static std::vector<Plugin> plugins;
  return plugins;
}

/// The text in a plugin's file after the first words of every mark; "" if these
/// are missing.
std::string mark_in(const std::string& bytes) {
  const std::string first_words = NESTGRAD_PLUGIN_FIRST_WORDS;
  const std::size_t begin = bytes.find(first_words);
  if (begin == std::string::npos) return "";
  const std::size_t from = begin + first_words.size();
  const std::size_t end = bytes.find('\0', from);
  if (end == std::string::npos || end - from > 200) return "";
  return bytes.substr(from, end - from);
}

}  // namespace

void load_plugin(const std::string& path,
                 const std::vector<std::string>& folders) {
  const std::string seen = found_in(folders, path);
  std::error_code error;
  const std::string file = std::filesystem::weakly_canonical(
      std::filesystem::absolute(seen.empty() ? path : seen, error), error);
  require(!error, "cannot read '{}': {}", path, error.message());
  for (Plugin& known : loaded()) {
    if (known.file != file) continue;
    known.path = path;
    return;
  }
  const std::string bytes = read_file(seen.empty() ? path : seen);
  // Loading a library runs its registrations, so the mark is read from the file
  // before.
  const std::string mark = mark_in(bytes), ours = NESTGRAD_PLUGIN_MARK;
  require(
      !mark.empty(),
      "{}: is not a nestgrad plugin; nestgrad_add_plugin() in a CMakeLists.txt "
      "makes one ('nestgrad new estimator NAME' writes an example)",
      path);
  require(mark == ours,
          "{}: was built for nestgrad {}, but this is {}; rebuild it against "
          "this version",
          path, mark, ours);
  const std::size_t clashes = RegistryBase::clashes().size();
  // Loaded for the life of the process: its registrations point into it.
  require(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr,
          "cannot load the plugin {}", dlerror());
  require(RegistryBase::clashes().size() == clashes, "{}: {}", path,
          RegistryBase::clashes().back());
  loaded().push_back(
      {path, file,
       fmt::format("{:08x}",
                   crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()),
                           bytes.size()))});
}

void load_plugins(const Json& config, const std::vector<std::string>& folders) {
  const auto found = config.is_object() ? config.find("plugins") : config.end();
  if (found == config.end() || !found->is_array()) return;
  for (const Json& path : *found) {
    if (!path.is_string()) continue;
    load_plugin(path.get<std::string>(),
                folders.empty() ? std::vector<std::string>{"."} : folders);
  }
}

Json with_loaded_plugins(Json config) {
  if (loaded().empty() || !config.is_object()) return config;
  Json all = config.value("plugins", Json::array());
  if (!all.is_array()) return config;  // reported by the check of `config`
  for (const Plugin& plugin : loaded()) {
    if (std::count(all.begin(), all.end(), plugin.path) == 0) {
      all.push_back(plugin.path);
    }
  }
  config["plugins"] = std::move(all);
  return config;
}

Json plugin_facts() {
  Json facts = Json::object();
  for (const Plugin& plugin : loaded()) facts[plugin.path] = plugin.checksum;
  return facts;
}

}  // namespace nestgrad
