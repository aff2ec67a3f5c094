#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/mutated_json.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {

/// Something that reads what a user or an earlier run wrote.
struct Reader {
  std::string name;
  std::vector<std::string> seeds;  ///< good inputs
  std::function<void(const std::string&)> read;

  /// Damages a good input; without, some of its bytes are changed.
  std::function<std::string(const std::string&, Random&)> mutate = {};

  /// Whether an input may legitimately ask for too much memory.
  bool may_want_memory = false;
};

// Readers of files write inputs into `folder`, which must outlive them.

std::vector<Reader> storage_readers(const TemporaryFolder& folder);
std::vector<Reader> data_readers(const TemporaryFolder& folder);
std::vector<Reader> exported_readers(const TemporaryFolder& folder);
std::vector<Reader> record_readers(const TemporaryFolder& folder);
std::vector<Reader> config_readers();

}  // namespace nestgrad
