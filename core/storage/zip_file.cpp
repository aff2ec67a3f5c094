#include "core/storage/zip_file.h"

#include <zip.h>

#include <filesystem>

#include "core/platform/error.h"
#include "core/platform/files.h"

namespace nestgrad {
namespace {

zip_t* opened(const std::string& path) {
  require(!folder_exists(path), "cannot read '{}': it is a folder, not a file",
          path);
  int code = 0;
  zip_t* const zip = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (zip == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error(fmt::format("cannot read '{}': {}", path, reason));
  }
  return zip;
}

}  // namespace

ZipFile::ZipFile(const std::string& path) : zip_(opened(path), zip_discard) {
  std::error_code error;
  file_size_ = std::filesystem::file_size(path, error);
  require(!error, "cannot read '{}': {}", path, error.message());
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto place = static_cast<zip_uint64_t>(i);
    const char* const name = zip_get_name(zip_.get(), place, 0);
    require(name != nullptr, "'{}': entry {} is damaged", path, i);
    require(entries_.emplace(name, place).second,
            "'{}': two entries have the name '{}'", path, name);
  }
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_) out.push_back(entry.first);
  return out;
}

std::string ZipFile::read(const std::string& name) const {
  const auto found = entries_.find(name);
  require(found != entries_.end(), "it has no entry '{}'", name);
  zip_stat_t about;
  require(zip_stat_index(zip_.get(), found->second, 0, &about) == 0 &&
              (about.valid & ZIP_STAT_SIZE) != 0 &&
              (about.valid & ZIP_STAT_COMP_METHOD) != 0,
          "its entry '{}' is damaged", name);
  require(about.comp_method == ZIP_CM_STORE, "its entry '{}' is compressed",
          name);
  require(about.size <= file_size_,
          "its entry '{}' is said to be longer than the file", name);
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> entry(
      zip_fopen_index(zip_.get(), found->second, 0), zip_fclose);
  require(entry != nullptr, "its entry '{}' cannot be read: {}", name,
          zip_strerror(zip_.get()));
  std::string bytes(about.size, '\0');
  std::size_t length = 0;
  zip_int64_t n = 0;
  while (length < bytes.size() &&
         (n = zip_fread(entry.get(), bytes.data() + length,
                        bytes.size() - length)) > 0) {
    length += static_cast<std::size_t>(n);
  }
  // The checksum is compared when the end is read.
  char beyond = 0;
  require(length == bytes.size() && zip_fread(entry.get(), &beyond, 1) == 0,
          "its entry '{}' is damaged", name);
  return bytes;
}

}  // namespace nestgrad
