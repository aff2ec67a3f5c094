#pragma once

#include <zlib.h>

#include <map>
#include <string>

#include "core/platform/files.h"
#include "core/storage/zip_file.h"

namespace nestgrad {

/// The contents of a zip archive by name.
using ZipEntries = std::map<std::string, std::string>;

/// The bytes of a zip archive with these entries, without compression.
inline std::string stored_zip(const ZipEntries& entries) {
  std::string bytes, directory;
  const auto number = [](std::string& to, std::size_t value, int width) {
    for (int i = 0; i < width; ++i, value >>= 8) {
      to += static_cast<char>(value & 0xff);
    }
  };
  for (const auto& [name, content] : entries) {
    std::string about;
    number(about, 0, 8);  // flags, method, time; then the date
    about.replace(6, 2, std::string("\x21\0", 2));
    number(about,
           crc32(0, reinterpret_cast<const Bytef*>(content.data()),
                 static_cast<uInt>(content.size())),
           4);
    number(about, content.size(), 4);
    number(about, content.size(), 4);
    number(about, name.size(), 2);
    number(about, 0, 2);
    directory += std::string("PK\x01\x02\x0a\0\x0a\0", 8) + about;
    number(directory, 0, 10);
    number(directory, bytes.size(), 4);
    directory += name;
    bytes += std::string("PK\x03\x04\x0a\0", 6) + about + name + content;
  }
  const std::size_t begin = bytes.size();
  bytes += directory + std::string("PK\x05\x06\0\0\0\0", 8);
  number(bytes, entries.size(), 2);
  number(bytes, entries.size(), 2);
  number(bytes, directory.size(), 4);
  number(bytes, begin, 4);
  number(bytes, 0, 2);
  return bytes;
}

/// All entries of a zip archive.
inline ZipEntries zip_entries(const std::string& path) {
  const ZipFile zip(path);
  ZipEntries out;
  for (const std::string& name : zip.names()) out[name] = zip.read(name);
  return out;
}

}  // namespace nestgrad
