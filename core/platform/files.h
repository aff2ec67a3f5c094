#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nestgrad {

/// All bytes of a file. Throws Error with the reason if it cannot be read.
std::string read_file(const std::string& path);

/// The path of a file or a folder that exists: of an absolute path itself, of a
/// relative one in the first of `folders` that has it. "" if there is none.
std::string found_in(const std::vector<std::string>& folders,
                     const std::string& path);

/// Replaces a whole file, or leaves it as it was. The bytes are written to a
/// temporary file in the same folder and flushed to the disk; then it is
/// renamed to `path`. On failure (a full disk, say) throws Error with the
/// reason and removes the temporary file.
///
/// `path` must be new or a regular file. A symbolic link is replaced, not
/// followed.
void write_file(const std::string& path, std::string_view bytes);

/// The same for bytes in several pieces.
void write_file(const std::string& path,
                const std::vector<std::string_view>& pieces);

/// Removes the temporary files that killed processes have left in a folder.
/// REQUIRES that no process is writing there. Throws Error if removal fails.
void remove_temporary_files(const std::string& folder);

}  // namespace nestgrad
