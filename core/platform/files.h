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
/// `path` must be new or a regular file, whose permissions are kept. A symbolic
/// link stays, and its target is written.
void write_file(const std::string& path, std::string_view bytes);

/// The same for bytes in several pieces.
void write_file(const std::string& path,
                const std::vector<std::string_view>& pieces);

// The functions of std::filesystem without an error code throw their own
// exception where a folder on the way may not be searched, where links form a
// circle, or where a name is too long. These throw Error with the path and the
// reason.

/// Whether a file or a folder is there. Symbolic links are followed.
bool file_exists(const std::string& path);

/// Whether a folder is there. Symbolic links are followed.
bool folder_exists(const std::string& path);

/// The names of all entries of a folder, sorted; none if there is no such
/// folder.
std::vector<std::string> names_in(const std::string& folder);

/// Creates a folder and those above it, as far as they are missing.
void make_folders(const std::string& path);

/// Removes a file, if it is there.
void remove_file(const std::string& path);

/// Removes the temporary files that killed processes have left in a folder.
/// REQUIRES that no process is writing there. Throws Error if removal fails.
void remove_temporary_files(const std::string& folder);

}  // namespace nestgrad
