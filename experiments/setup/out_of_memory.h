#pragma once

#include <stdexcept>
#include <string>

#include "core/config/json_file.h"
#include "core/platform/exceptions.h"

namespace nestgrad {

/// There is not enough memory. The message says how much was wanted and what
/// lowers it.
class OutOfMemory : public std::runtime_error {
 public:
  /// `error`: what the failed allocation threw. `config`: of the experiment,
  /// null if there is none.
  explicit OutOfMemory(const std::exception& error, const Json& config = {});
};

/// work(), which runs the experiment of `config`. Throws OutOfMemory instead of
/// what a failed allocation throws.
template <class Work>
auto within_memory(const Json& config, Work&& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    throw OutOfMemory(error, config);
  }
}

}  // namespace nestgrad
