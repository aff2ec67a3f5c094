#include "experiments/sweep/ledger.h"

#include <chrono>
#include <thread>

#include "core/platform/files.h"
#include "experiments/setup/process.h"

namespace nestgrad {

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
  const std::vector<Json> lines = parse_json_lines(read_file(path()));
  std::vector<SweepEntry> out;
  for (; known_ < lines.size(); ++known_) {
    const SweepEntry entry =
        as_written(folder_, [&] { return SweepEntry::from(lines[known_]); });
    const Place place(entry.run, entry.rung);
    entries_[place] = entry;
    if (known_ >= earlier_) ++attempts_[place];
    out.push_back(entry);
  }
  return out;
}

void Ledger::add(const SweepEntry& entry) {
  std::unique_ptr<FileLock> turn;
  while (!(turn = claim("runs.jsonl"))) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
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
