#include <ATen/ATen.h>

#include <filesystem>
#include <sstream>
#include <vector>

#include "core/platform/files.h"
#include "experiments/data/arrays/byte_file.h"
#include "experiments/data/data.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kPixels = 3 * 32 * 32;

/// The layout of a record in a binary CIFAR file: some bytes of labels, then
/// the pixels, channel by channel.
struct Record {
  std::int64_t label_bytes;
  std::int64_t label;  // which of the label bytes is used
  std::int64_t classes;
};

/// The records of one file, uint8 [examples, bytes of a record].
Tensor read_records(const std::filesystem::path& path, const Record& record) {
  ByteFile file(path.string());
  const std::int64_t bytes = record.label_bytes + kPixels;
  const std::int64_t size = file.size();
  if (size % bytes != 0) {
    file.fail(
        fmt::format("expected records of {} bytes, but the file has {} bytes",
                    bytes, size));
  }
  const Tensor records = file.read({size / bytes, bytes}, at::kByte, "images");
  file.expect_end();
  const auto largest =
      records.select(1, record.label).max().item<std::int64_t>();
  if (largest >= record.classes) {
    file.fail(fmt::format("expected labels from 0 to {}, found {}",
                          record.classes - 1, largest));
  }
  return records;
}

Dataset read_files(const std::filesystem::path& folder,
                   const std::vector<std::string>& names, const Record& record,
                   const std::vector<std::string>& labels) {
  std::vector<Tensor> parts;
  for (const std::string& name : names) {
    parts.push_back(read_records(folder / name, record));
  }
  const Tensor all = parts.size() == 1 ? parts.front() : at::cat(parts);
  return {all.slice(1, record.label_bytes).view({-1, 3, 32, 32}),
          all.select(1, record.label).to(at::kLong), record.classes, labels};
}

void require_folder(const std::filesystem::path& folder, const char* archive) {
  require(folder_exists(folder.string()),
          "'{}': there is no such folder; expected the unpacked archive {} "
          "from https://www.cs.toronto.edu/~kriz/cifar.html",
          folder.string(), archive);
}

/// The names in a file of the archive, one a line; none if it is missing or has
/// another number of them.
std::vector<std::string> label_names(const std::filesystem::path& file,
                                     std::int64_t classes) {
  std::vector<std::string> names;
  if (!file_exists(file.string())) return names;
  std::istringstream lines(read_file(file.string()));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) names.push_back(line);
  }
  if (static_cast<std::int64_t>(names.size()) != classes) return {};
  return names;
}

/// Both data sets: Krizhevsky 2009, "Learning multiple layers of features from
/// tiny images".
class Cifar10 : public DataSource {
 public:
  static Schema schema() {
    return Schema(
               "CIFAR-10: 50,000 colour images of 10 kinds of objects for "
               "training and 10,000 for testing, 3 x 32 x 32.")
        .text("folder", kRequired,
              "Folder of the binary version (cifar-10-batches-bin).");
  }

  explicit Cifar10(const Config& config) : folder_(config.path("folder")) {}

  Examples load(const Key&) const override {
    require_folder(folder_, "cifar-10-binary.tar.gz");
    const Record record{1, 0, 10};
    std::vector<std::string> batches;
    for (int i = 1; i <= 5; ++i) {
      batches.push_back(fmt::format("data_batch_{}.bin", i));
    }
    const auto names =
        label_names(folder_ / "batches.meta.txt", record.classes);
    return {read_files(folder_, batches, record, names),
            read_files(folder_, {"test_batch.bin"}, record, names)};
  }

 private:
  std::filesystem::path folder_;
};

NESTGRAD_REGISTER(DataRegistry, "cifar10", Cifar10)

class Cifar100 : public DataSource {
 public:
  static Schema schema() {
    return Schema(
               "CIFAR-100: 50,000 colour images of 100 kinds of objects for "
               "training and 10,000 for testing, 3 x 32 x 32.")
        .text("folder", kRequired,
              "Folder of the binary version (cifar-100-binary).")
        .choice("labels", "fine",
                "The 100 kinds (fine) or their 20 groups (coarse).",
                {"fine", "coarse"});
  }

  explicit Cifar100(const Config& config)
      : folder_(config.path("folder")),
        record_(config.text("labels") == "fine" ? Record{2, 1, 100}
                                                : Record{2, 0, 20}) {}

  Examples load(const Key&) const override {
    require_folder(folder_, "cifar-100-binary.tar.gz");
    const auto names = label_names(
        folder_ / (record_.classes == 100 ? "fine_label_names.txt"
                                          : "coarse_label_names.txt"),
        record_.classes);
    return {read_files(folder_, {"train.bin"}, record_, names),
            read_files(folder_, {"test.bin"}, record_, names)};
  }

 private:
  std::filesystem::path folder_;
  Record record_;
};

NESTGRAD_REGISTER(DataRegistry, "cifar100", Cifar100)

}  // namespace
}  // namespace nestgrad
