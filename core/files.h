#pragma once

#include <string>
#include <string_view>

namespace nestgrad {

/// All bytes of a file. Throws Error, with the reason, if it cannot be read.
std::string read_file(const std::string& path);

/// Writes a whole file, or leaves what was there before: the bytes go to a
/// temporary name in the same folder, are flushed to the disk and take the
/// place of `path` in one step. Throws Error, with the reason (a full disk,
/// say), and then removes the temporary file.
///
/// `path` must be new or a regular file; a symbolic link is replaced, not
/// followed.
void write_file(const std::string& path, std::string_view bytes);

}  // namespace nestgrad
