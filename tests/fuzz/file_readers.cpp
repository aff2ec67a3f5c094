#include <fmt/format.h>
#include <zlib.h>

#include "core/platform/files.h"
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
  const std::string npy =
      std::string("\x93NUMPY\x01\x00\x46\x00", 10) +
      fmt::format("{:69}\n",
                  "{'descr': '<f4', 'fortran_order': False, "
                  "'shape': (2, 3), }") +
      std::string(24, 'x');
  const std::string idx = read_file(folder.path("i"));
  std::string text;
  for (int i = 0; i < 20; ++i) text += "the cat sat on the mat, twice.\n";
  return {{"npy",
           {npy},
           as_file(folder, [](const std::string& path) { read_npy(path); })},
          {"npz",
           {read_file(folder.path("n"))},
           as_file(folder, [](const std::string& path) { read_npz(path); })},
          {"idx", {idx, gzipped(idx)}, loads(folder, "idx", "images")},
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
