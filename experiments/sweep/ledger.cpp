#include "experiments/sweep/ledger.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>

#include "core/platform/files.h"
#include "experiments/setup/process.h"

namespace nestgrad {
namespace {

/// The right to write into a file; waits for it.
class Turn {
 public:
  explicit Turn(const std::string& path)
      : file_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    int failed = -1;
    do {
      failed = ::flock(file_, LOCK_EX);
    } while (failed != 0 && errno == EINTR);
    if (failed == 0) return;
    ::close(file_);
    throw Error(fmt::format("{}: cannot be locked", path));
  }
  ~Turn() { ::close(file_); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  int file_;
};

/// The bytes of a file from number `first` on.
std::string text_from(const std::string& path, std::size_t first) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(first));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Ledger::Ledger(std::string folder, std::size_t earlier, std::int64_t retries)
    : folder_(std::move(folder)),
      earlier_(earlier),
      retries_(retries),
      lines_(path()) {}

std::size_t Ledger::lines_in(const std::string& folder) {
  const std::string path = folder + "/runs.jsonl";
  return file_exists(path) ? parse_json_lines(read_file(path)).size() : 0;
}

std::vector<SweepEntry> Ledger::news() {
  std::string text = text_from(path(), read_);
  text.resize(text.rfind('\n') + 1);  // a line may be incomplete
  read_ += text.size();
  std::vector<SweepEntry> out;
  for (const Json& line : parse_json_lines(text)) {
    const SweepEntry entry =
        as_written(folder_, [&] { return SweepEntry::from(line); });
    const Place place(entry.run, entry.rung);
    entries_[place] = entry;
    if (known_++ >= earlier_) ++attempts_[place];
    out.push_back(entry);
  }
  return out;
}

void Ledger::add(const SweepEntry& entry) {
  const Turn turn(path());
  lines_.keep();
  lines_.append(entry.json());
  lines_.flush();
}

const SweepEntry* Ledger::entry(const std::string& run,
                                std::size_t rung) const {
  const auto found = entries_.find({run, rung});
  return found == entries_.end() ? nullptr : &found->second;
}

bool Ledger::is_over(const std::string& run, std::size_t rung) const {
  const SweepEntry* const e = entry(run, rung);
  if (e == nullptr) return false;
  if (e->good() || e->code == kExitDiverged) return true;
  const auto found = attempts_.find({run, rung});
  return found != attempts_.end() && found->second > retries_;
}

std::unique_ptr<FileLock> Ledger::claim(const std::string& name) const {
  return FileLock::take(folder_ + "/logs/" + name + ".lock");
}

}  // namespace nestgrad
