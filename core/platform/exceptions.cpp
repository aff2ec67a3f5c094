#include "core/platform/exceptions.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <new>
#include <regex>
#include <stdexcept>

namespace nestgrad {
namespace {

/// The whole message, without a backtrace.
std::string message(const std::exception& error) {
  const auto* const torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

/// Whether one of these texts is in the message.
bool says_one_of(const std::exception& error,
                 std::initializer_list<const char*> texts) {
  const std::string whole = message(error);
  return std::any_of(texts.begin(), texts.end(), [&](const char* text) {
    return whole.find(text) != std::string::npos;
  });
}

}  // namespace

std::string one_line(const std::exception& error) {
  const std::string text = message(error);
  return text.substr(0, text.find('\n'));
}

bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const std::length_error*>(&error) != nullptr ||
         is_out_of_device_memory(error) ||
         // A script's errors are plain runtime errors: only the text tells.
         says_one_of(error, {"DefaultCPUAllocator: ", "alloc_cpu() seems",
                             "Storage size calculation overflowed",
                             "numel: integer multiplication overflow"});
}

bool is_out_of_device_memory(const std::exception& error) {
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         says_one_of(
             error,
             {" out of memory. Tried", "CUDA error: out of memory",
              "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"});
}

std::string wanted_memory(const std::exception& error) {
  static const std::regex pattern(
      "[Tt]ried to allocate ([0-9.]+) ?([A-Za-z]+)");
  std::smatch found;
  const std::string text = message(error);
  if (!std::regex_search(text, found, pattern)) return "";
  if (found[2] != "bytes") return found[1].str() + " " + found[2].str();
  return fmt::format("{:.1f} MiB", std::stod(found[1]) / (1024.0 * 1024.0));
}

}  // namespace nestgrad
