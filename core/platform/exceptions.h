#pragma once

#include <exception>
#include <string>

namespace nestgrad {

// What exceptions of LibTorch and of the standard library mean.

/// The first line of the message, without LibTorch's backtrace.
std::string one_line(const std::exception& error);

/// Whether an allocation has failed, or a size was asked for that no machine
/// has: std::bad_alloc, std::length_error, or what LibTorch throws then.
bool is_out_of_memory(const std::exception& error);

/// Whether that was memory of a device that is not the CPU.
bool is_out_of_device_memory(const std::exception& error);

/// How much memory the allocation that failed wanted: "25.0 MiB"; "" if the
/// exception does not say. REQUIRES is_out_of_memory(error).
std::string wanted_memory(const std::exception& error);

}  // namespace nestgrad
