#pragma once

#include <string>
#include <string_view>
#include <vector>

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

/// The same for bytes that lie in several pieces.
void write_file(const std::string& path,
                const std::vector<std::string_view>& pieces);

/// Removes what processes that were killed in write_file() have left in a
/// folder. Nobody else may be writing there. Throws Error if it is refused.
void remove_temporary_files(const std::string& folder);

}  // namespace nestgrad
