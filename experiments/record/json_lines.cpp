#include "experiments/record/json_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/platform/files.h"

namespace nestgrad {

JsonLines::JsonLines(std::string path)
    : path_(std::move(path)),
      file_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
  if (file_ < 0) fail();
}

JsonLines::~JsonLines() { ::close(file_); }

void JsonLines::fail() const {
  throw Error(
      fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
}

void JsonLines::keep() {
  const std::string text = read_file(path_);
  const std::size_t end = text.rfind('\n');
  length_ = end == std::string::npos ? 0 : static_cast<std::int64_t>(end) + 1;
  if (::ftruncate(file_, length_) != 0) fail();
}

void JsonLines::append(const Json& line) {
  const std::string text = to_line(line) + "\n";
  if (length_ == 0 && ::ftruncate(file_, 0) != 0) fail();
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count =
        ::pwrite(file_, text.data() + done, text.size() - done,
                 length_ + static_cast<std::int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail();
    done += static_cast<std::size_t>(count);
  }
  length_ += static_cast<std::int64_t>(text.size());
}

void JsonLines::flush() {
  if (::fdatasync(file_) != 0 && errno != EINVAL) fail();
}

std::vector<Json> JsonLines::lines() const {
  return parse_json_lines(
      read_file(path_).substr(0, static_cast<std::size_t>(length_)));
}

void JsonLines::persist(Archive& archive) {
  archive("length", length_);
  if (!archive.restoring()) return;
  require(::lseek(file_, 0, SEEK_END) >= length_,
          "{}: lines that existed at the checkpoint are missing", path_);
  if (::ftruncate(file_, length_) != 0) fail();
}

std::vector<Json> parse_json_lines(const std::string& text) {
  std::vector<Json> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    Json line = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                            text.begin() + static_cast<std::ptrdiff_t>(end),
                            nullptr, false);
    require(line.is_object(), "line {} is not a JSON object", out.size() + 1);
    out.push_back(std::move(line));
    begin = end + 1;
  }
  return out;
}

}  // namespace nestgrad
