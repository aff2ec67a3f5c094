#include "core/platform/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "core/platform/error.h"

namespace nestgrad {
namespace fs = std::filesystem;

namespace {

/// Separates the name of a file from the number of a temporary name.
constexpr const char* kTemporary = ".tmp-";

constexpr std::size_t kChunk = std::size_t{1} << 20;

constexpr int kMostLinks = 40;  // as Linux

[[noreturn]] void fail(const char* action, const std::string& path,
                       const std::string& reason) {
  throw Error(fmt::format("cannot {} '{}': {}", action, path, reason));
}

/// Throws Error with the text of `errno`.
[[noreturn]] void fail(const char* action, const std::string& path) {
  fail(action, path, std::strerror(errno));
}

/// What is at `path`; file_type::not_found if nothing is. Throws Error if the
/// system does not tell.
fs::file_type type_of(const std::string& path) {
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (type == fs::file_type::none) fail("read", path, error.message());
  return type;
}

/// Where the symbolic links that start at `path` end, whether or not a file is
/// there.
std::string end_of_links(const std::string& path) {
  fs::path at = path;
  for (int i = 0; i < kMostLinks; ++i) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(at, no_link);
    if (no_link) return at;
    at = at.parent_path() / next;  // `next` alone if it is absolute
  }
  errno = ELOOP;
  fail("write", path);
}

/// A file descriptor that is closed at the end of its scope.
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  /// Negative, with `errno` set, if the file could not be opened.
  int number() const { return number_; }

  void open(const std::string& path, int flags) {
    number_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  }

  /// Returns false, with `errno` set, if the system could not store the data.
  bool close() {
    const int number = number_;
    number_ = -1;
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_ = -1;
};

/// A new file beside `path`. It is removed at the end of its scope unless it
/// was moved to `path`.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& path) : target_(path) {
    do {
      name_ = next_name();
      file_.open(name_, O_WRONLY | O_CREAT | O_EXCL);
    } while (file_.number() < 0 && errno == EEXIST);
    if (file_.number() < 0) fail("write", target_);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!moved_) ::unlink(name_.c_str());
  }

  void set_permissions(mode_t mode) { (void)::fchmod(file_.number(), mode); }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.number(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("write", target_);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  void move_to_target() {
    if (::fsync(file_.number()) != 0) fail("write", target_);
    if (!file_.close()) fail("write", target_);
    if (::rename(name_.c_str(), target_.c_str()) != 0) fail("write", target_);
    moved_ = true;
  }

 private:
  /// Unique among processes and threads.
  std::string next_name() const {
    static std::atomic<unsigned> counter{0};
    return fmt::format("{}{}{}-{}", target_, kTemporary, ::getpid(), counter++);
  }

  std::string target_;
  std::string name_;
  Descriptor file_;
  bool moved_ = false;
};

/// Whether a file name has the form of next_name().
bool is_temporary(const std::string& name) {
  const std::size_t at = name.rfind(kTemporary);
  if (at == std::string::npos) return false;
  const std::string numbers = name.substr(at + std::strlen(kTemporary));
  return numbers.find('-') != std::string::npos &&
         numbers.find_first_not_of("0123456789-") == std::string::npos;
}

/// Makes a renaming in this folder survive a power cut.
void flush_folder(const fs::path& folder) {
  const std::string name = folder.empty() ? "." : folder.string();
  Descriptor file;
  file.open(name, O_RDONLY);
  if (file.number() < 0) fail("flush", name);
  // EINVAL: this file system does not flush folders.
  if (::fsync(file.number()) != 0 && errno != EINVAL) fail("flush", name);
}

}  // namespace

std::string read_file(const std::string& path) {
  Descriptor file;
  file.open(path, O_RDONLY);
  struct stat status = {};
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) {
    fail("read", path);
  }
  // One extra byte, so that the end of the file is found without growing.
  std::string bytes(static_cast<std::size_t>(status.st_size) + 1, '\0');
  std::size_t used = 0;
  while (true) {
    if (used == bytes.size()) bytes.resize(used + kChunk);
    const ssize_t count =
        ::read(file.number(), bytes.data() + used, bytes.size() - used);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  bytes.resize(used);
  return bytes;
}

std::string found_in(const std::vector<std::string>& folders,
                     const std::string& path) {
  std::error_code error;
  // Whoever opens a path that the system does not follow tells the reason.
  const auto is_there = [&](const std::string& whole) {
    return fs::status(whole, error).type() != fs::file_type::not_found;
  };
  if (fs::path(path).is_absolute()) return is_there(path) ? path : "";
  const fs::path here = fs::current_path(error);
  for (const std::string& folder : folders) {
    // A path that this process sees itself stays as users wrote it.
    const std::string whole =
        folder == here ? path : (fs::path(folder) / path).string();
    if (is_there(whole)) return whole;
  }
  return "";
}

void write_file(const std::string& path, std::string_view bytes) {
  write_file(path, std::vector<std::string_view>{bytes});
}

void write_file(const std::string& path,
                const std::vector<std::string_view>& pieces) {
  struct stat status = {};
  const bool replaces = ::stat(path.c_str(), &status) == 0;
  // Renaming onto a device (/dev/null) would replace the device.
  require(!replaces || S_ISREG(status.st_mode),
          "cannot write '{}': it exists and is not a regular file", path);
  const std::string target = end_of_links(path);
  TemporaryFile file(target);
  if (replaces) file.set_permissions(status.st_mode & 07777);
  for (const std::string_view bytes : pieces) file.write(bytes);
  file.move_to_target();
  flush_folder(fs::path(target).parent_path());
}

bool file_exists(const std::string& path) {
  return type_of(path) != fs::file_type::not_found;
}

bool folder_exists(const std::string& path) {
  return type_of(path) == fs::file_type::directory;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  // A loop over a range would throw while it goes on.
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fail("read", folder, error.message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void make_folders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error, "{}: cannot create this folder: {}", path, error.message());
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail("remove", path);
}

void remove_temporary_files(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    if (is_temporary(name)) remove_file(folder + "/" + name);
  }
}

}  // namespace nestgrad
