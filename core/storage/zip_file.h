#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace nestgrad {

/// A zip archive whose entries are stored as they are, without compression:
/// what PyTorch writes.
class ZipFile {
 public:
  /// Throws Error, naming the file, if it cannot be opened as a zip archive or
  /// if two entries have one name.
  explicit ZipFile(const std::string& path);

  /// The names of all entries, sorted.
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const {
    return entries_.count(name) > 0;
  }

  /// The bytes of an entry. Throws Error, without the name of the file, if
  /// there is no such entry, if it is compressed or if it is damaged (its
  /// checksum tells). Never allocates more than the file is long.
  std::string read(const std::string& name) const;

 private:
  std::unique_ptr<zip, void (*)(zip*)> zip_;
  std::map<std::string, unsigned long long> entries_;  // places by name
  unsigned long long file_size_ = 0;
};

}  // namespace nestgrad
