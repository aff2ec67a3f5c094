#include <fmt/format.h>
#include <zlib.h>

#include "core/platform/files.h"
#include "core/platform/text.h"
#include "core/storage/safetensors.h"
#include "core/storage/snapshot_file.h"
#include "experiments/data/arrays/idx_file.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/data/data.h"
#include "experiments/export/tensorboard.h"
#include "experiments/report/report.h"
#include "experiments/sweep/sweep_results.h"
#include "tests/fuzz/damage.h"
#include "tests/fuzz/readers.h"
#include "tests/support/images.h"

namespace nestgrad {
namespace {

std::string sweep_of_two_arms() {
  return R"({"config": {"problem": "ridge", "hyperparameters": {"weight_decay": {}}},
      "vary": {"outer.lr": {"values": [0.1, 0.2]}},
      "random_search": {"trials": 1}})";
}

/// Calls `read` with a file that holds the input.
std::function<void(const std::string&)> as_file(
    const TemporaryFolder& folder,
    std::function<void(const std::string&)> read) {
  return [&folder, read](const std::string& input) {
    read(folder.write("input", input));
  };
}

std::string gzipped(const std::string& bytes) {
  const TemporaryFolder folder;
  const gzFile file = gzopen(folder.path("z").c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return read_file(folder.path("z"));
}

/// Damage that the checksum of a checkpoint does not tell.
std::string with_right_checksum(const std::string& whole, Random& random) {
  const std::string body =
      damaged(whole.substr(whole.find('\n') + 1), {whole}, random);
  const uLong sum =
      crc32_z(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(body.data()),
              body.size());
  return fmt::format("nestgrad checkpoint 1 {:08x} {}\n", sum, body.size()) +
         body;
}

/// Loads data of this type, whose file is the input.
std::function<void(const std::string&)> loads(
    const TemporaryFolder& folder, const char* type, const char* key,
    const Json& others = Json::object()) {
  return as_file(folder, [&folder, type, key, others](const std::string& path) {
    Json json = {{"type", type}, {"train", 2}, {"valid", 1}};
    json.update(others);
    json[key] = path;
    if (std::string(type) == "idx") json["labels"] = folder.path("l");
    (void)load_splits(Config(complete(DataRegistry::instance(), json)), Key(1),
                      at::kFloat);
  });
}

/// Images in folders, one of which is the input.
Reader image_reader(const TemporaryFolder& folder, const std::string& name,
                    std::vector<std::string> seeds) {
  for (const char* kind : {"/train/a", "/train/b", "/test/a"}) {
    make_folders(folder.path(name + kind));
  }
  folder.write(name + "/train/a/1.png", seeds.front());
  folder.write(name + "/train/b/1.png", seeds.front());
  return {name, std::move(seeds), [&folder, name](const std::string& input) {
            folder.write(name + "/test/a/1.png", input);
            const Json json = {{"type", "image_folder"},
                               {"folder", folder.path(name)},
                               {"size", {3, 5}}};
            (void)DataRegistry::instance()
                .make(Config(complete(DataRegistry::instance(), json)))
                ->load(Key(1));
          }};
}

/// Damage that the checksums of a PNG file do not tell.
std::string with_right_sums(const std::string& whole, Random& random) {
  std::string bytes = damaged(whole, {whole}, random);
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length = length << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    if (length > bytes.size() - at - 12) break;
    const std::string body = bytes.substr(at + 4, 4 + length);
    const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                            static_cast<uInt>(body.size()));
    bytes.replace(at + 8 + length, 4,
                  big_endian(static_cast<std::uint32_t>(sum)));
    at += 12 + length;
  }
  return bytes;
}

std::vector<Reader> image_readers(const TemporaryFolder& folder) {
  const std::string pixels = raw_bytes(at::arange(192, at::kByte));
  std::string rows;
  for (std::size_t i = 0; i < 8; ++i) rows += '\0' + pixels.substr(24 * i, 24);
  const std::string palette =
      png_chunk("PLTE", pixels) + png_chunk("tRNS", pixels.substr(0, 9));
  std::string indices;
  for (int i = 0; i < 4; ++i) indices += {0, 1, 2, 3, 4};
  const std::vector<std::string> png = {
      png_bytes(8, 8, 8, 2, rows), png_bytes(8, 6, 8, 6, rows),
      png_bytes(8, 12, 16, 0, rows), png_bytes(4, 4, 8, 3, indices, palette),
      // The rows of all passes of an interlaced image.
      png_bytes(8, 4, 16, 2, std::string(206, '\0'), "", 1)};
  Reader right_sums = image_reader(folder, "PNG images, checksums right", png);
  right_sums.mutate = with_right_sums;
  return {image_reader(folder, "PNG images", png), right_sums,
          image_reader(folder, "JPEG images",
                       {jpeg_bytes(8, 8, JCS_RGB, 3, pixels),
                        jpeg_bytes(8, 24, JCS_GRAYSCALE, 1, pixels),
                        jpeg_bytes(8, 8, JCS_RGB, 3, pixels,
                                   /*progressive=*/true)})};
}

/// The rows of a .npy file, read one by one.
void read_rows(const std::string& path) {
  const StoredRows rows = open_npy(path);
  (void)rows.rows(at::tensor({rows.shape()[0] - 1, std::int64_t{0}}));
}

/// Arrays of all types and both orders.
std::vector<std::string> npy_files() {
  std::vector<std::string> out;
  for (const char* type : {"|b1", "|u1", "|i1", "<u2", ">i2", "<f2", ">f4",
                           "<u4", ">i8", "<u8", "<f8", ">f8"}) {
    const auto size = static_cast<std::size_t>(type[2] - '0');
    std::string header = npy_header(type, "(2, 3)");
    if (out.size() % 3 == 2) {
      replace_all(header, "False", "True");
    }
    out.push_back(npy_bytes(header, std::string(6 * size, '\x11')));
  }
  return out;
}

/// IDX files of all types.
std::vector<std::string> idx_files() {
  std::vector<std::string> out;
  for (const auto& [code, size] :
       {std::pair(8, 1), std::pair(9, 1), std::pair(11, 2), std::pair(12, 4),
        std::pair(13, 4), std::pair(14, 8)}) {
    out.push_back(std::string{0, 0, static_cast<char>(code), 2} +
                  big_endian(6) + big_endian(2) +
                  raw_bytes(at::arange(12 * size, at::kByte).remainder(32)));
  }
  return out;
}

/// CIFAR-100, whose training file is the input.
Reader cifar_reader(const TemporaryFolder& folder) {
  std::string records(3 * 3074, '\x01');
  records.back() = '\x02';  // not three times the same picture
  folder.write("test.bin", records);
  return {"cifar", {records}, [&folder](const std::string& input) {
            folder.write("train.bin", input);
            const Json json = {{"type", "cifar100"},
                               {"folder", folder.path("")},
                               {"train", 1},
                               {"valid", 1}};
            load_splits(Config(complete(DataRegistry::instance(), json)),
                        Key(1), at::kFloat);
          }};
}

}  // namespace

std::vector<Reader> storage_readers(const TemporaryFolder& folder) {
  const ParameterSet set{{"a", at::arange(12, at::kFloat).view({3, 4}).t()},
                         {"b", at::ones({2, 0, 3}, at::kDouble)},
                         {"c", at::arange(5, at::kLong)}};
  save_safetensors(folder.path("s"), set, {{"k", "v"}});
  Snapshot snapshot;
  snapshot.sets["run/weights"] = set;
  snapshot.integers["step"] = 7;
  snapshot.numbers["loss"] = 0.5;
  snapshot.texts["trouble"] = "none";
  save_snapshot(folder.path("c"), snapshot, {{"config", {{"seed", 1}}}});
  const std::string tensors = read_file(folder.path("s"));
  const std::string checkpoint = read_file(folder.path("c"));
  const auto load =
      as_file(folder, [](const std::string& path) { load_snapshot(path); });
  return {
      {"safetensors",
       {tensors},
       as_file(folder,
               [](const std::string& path) { load_safetensors(path); })},
      {"checkpoint", {checkpoint}, load},
      {"checkpoint, checksum right", {checkpoint}, load, with_right_checksum}};
}

std::vector<Reader> data_readers(const TemporaryFolder& folder) {
  save_npz(folder.path("n"), {{"inputs", at::rand({4, 3})},
                              {"targets", at::arange(4, at::kLong)}});
  const Dataset images{at::arange(54, at::kByte).view({6, 1, 3, 3}),
                       at::arange(6, at::kLong).remainder(3), 3};
  write_idx(folder.path("i"), folder.path("l"), images);
  const std::string idx = read_file(folder.path("i"));
  std::string text;
  for (int i = 0; i < 20; ++i) text += "the cat sat on the mat, twice.\n";
  save_safetensors(folder.path("t"),
                   {{"inputs", at::rand({4, 3})},
                    {"targets", at::arange(4, at::kLong)},
                    {"test_inputs", at::rand({1, 3})},
                    {"test_targets", at::zeros({1}, at::kLong)}});
  const std::vector<std::string> npy = npy_files();
  std::vector<std::string> rows;
  for (const std::string& file : npy) {
    if (file.find("True") == std::string::npos) rows.push_back(file);
  }
  std::vector<Reader> readers = image_readers(folder);
  std::vector<Reader> others = {
      {"npy", npy,
       as_file(folder, [](const std::string& path) { read_npy(path); })},
      {"npy, row by row", rows, as_file(folder, read_rows)},
      {"npz",
       {read_file(folder.path("n"))},
       as_file(folder, [](const std::string& path) { read_npz(path); })},
      {"idx", {idx, gzipped(idx)}, loads(folder, "idx", "images")},
      {"idx of all types", idx_files(), loads(folder, "idx", "images")},
      {"npz source",
       {read_file(folder.path("n"))},
       loads(folder, "npz", "file")},
      {"safetensors source",
       {read_file(folder.path("t"))},
       loads(folder, "safetensors", "file")},
      cifar_reader(folder),
      {"csv",
       {"a,b,label\n1,2,x\n3,4.5,y\n-1,1e3,x\n0,0,y\n",
        "a,b\r\n1,\"2\"\r\n2,1\r\n3,1\r\n4,2\r\n"},
       loads(folder, "csv", "file")},
      {"csv, categories and missing values",
       {"x,city,y\n1,Rome,a\n,Bonn,b\n-3e2,,a\nNA,Rome,b\n5,?,b\n",
        "x,city,y\n1,M\xfcnchen,a\n2,Bonn,b\n3,null,a\n4,Bonn,b\n"},
       loads(folder, "csv", "file", {{"missing", "indicator"}})},
      {"csv, decimal commas and parts",
       {"x;y;z;part\n1,5;2;0,1;train\n-2,25;3;1;train\n7;1;0;train\n"
        "3;2,5;0;valid\n4,5;6;1;test\n"},
       loads(folder, "csv", "file",
             {{"separator", "semicolon"},
              {"decimal", "comma"},
              {"targets", "numbers"},
              {"target", {"y", "z"}},
              {"split_column", "part"},
              {"standardize_targets", true},
              {"standardize", true}})},
      {"text", {text}, loads(folder, "text", "file")}};
  readers.insert(readers.end(), others.begin(), others.end());
  return readers;
}

std::vector<Reader> record_readers(const TemporaryFolder& folder) {
  const std::string metrics =
      R"({"step":1,"seconds":0.1,"outer_loss":0.5,"status":"ok","d":0.1})"
      "\n"
      R"({"step":2,"seconds":0.2,"outer_loss":0.4,"status":"ok","d":0.2,"evaluated.valid_loss":1})"
      "\n";
  folder.write("config.json", R"({"hyperparameters": {"d": {}}})");
  folder.write("sweep.json", sweep_of_two_arms());
  const std::string runs =
      R"({"run":"trial-0001-seed-1","trial":0,"seed":1,"rung":2,"code":0,"metrics":{"valid_loss":0.5},"outer_steps":5,"tuning_seconds":1.5,"retraining_seconds":0.5})"
      "\n"
      R"({"run":"random-0001-seed-1","trial":0,"seed":1,"rung":0,"code":0,"metrics":{"valid_loss":0.4},"outer_steps":5,"tuning_seconds":1.5,"retraining_seconds":0})"
      "\n"
      R"({"run":"trial-0002-seed-1","trial":1,"seed":1,"rung":0,"code":3,"error":"x","outer_steps":2,"tuning_seconds":0.1,"retraining_seconds":0})"
      "\n";
  return {{"metrics.jsonl",
           {metrics},
           [&folder](const std::string& input) {
             folder.write("metrics.jsonl", input);
             (void)report_data({folder.path("")});
             (void)tensorboard_events(folder.path(""));
           }},
          {"runs.jsonl", {runs}, [&folder](const std::string& input) {
             folder.write("runs.jsonl", input);
             const SweepResults results(read_sweep(folder.path("")));
             (void)results.text();
             (void)results.csv();
           }}};
}

}  // namespace nestgrad
