// Feeds readers with inputs damaged by random changes:
//
//   nestgrad_fuzz [inputs per reader, default 100000] [part of a reader's name]
//
// A reader may accept an input or throw Error. Any other exception, a crash, an
// input that takes longer than 20 seconds, or an allocation of more than 512
// MiB (from a length in the file that was trusted) ends the program and leaves
// the input in fuzz-input. When built with sanitizers (`./dev fuzz`), so does
// every access out of bounds and every undefined operation.

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "core/platform/files.h"
#include "core/platform/stopwatch.h"
#include "core/storage/safetensors.h"
#include "core/storage/snapshot_file.h"
#include "experiments/data/data.h"
#include "experiments/data/idx_file.h"
#include "experiments/data/npy_file.h"
#include "experiments/export/tensorboard.h"
#include "experiments/report/report.h"
#include "experiments/setup/experiment.h"
#include "experiments/sweep/sweep_plan.h"
#include "experiments/sweep/sweep_results.h"
#include "tests/support/mutated_json.h"
#include "tests/support/temporary_folder.h"

#if defined(__SANITIZE_ADDRESS__)
// A failed allocation throws an exception, as without sanitizers.
extern "C" const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=512:"
         "detect_leaks=0";
}
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

namespace nestgrad {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kLongest = 20;  // seconds for one input

const char* input_in_work = nullptr;
std::size_t input_length = 0;
char failed_input[] = "fuzz-input";

/// Saves the current input. Uses only system calls, as a signal handler must.
extern "C" void keep_input(int signal) {
  const int file = creat(failed_input, 0666);
  if (file >= 0 && input_in_work != nullptr) {
    (void)!write(file, input_in_work, input_length);
  }
  const char text[] = "a reader crashed or hung; see fuzz-input\n";
  (void)!write(STDERR_FILENO, text, sizeof text - 1);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

/// `bytes` with a few random changes.
std::string damaged(std::string bytes, const std::vector<std::string>& others,
                    Random& random) {
  static const std::string kPieces[] = {
      std::string(8, '\xff'),
      std::string(8, '\0'),
      std::string("\x00\x00\x00\x00\x00\x00\x00\x80", 8),
      "\xff\xff\xff\x7f",
      "-1",
      "1e999",
      "9223372036854775808",
      "\"",
      "{",
      "[",
      "null",
      "\xc3",
      ",",
      "\n",
      "nan"};
  const std::size_t changes = 1 + below(random, 4);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = below(random, bytes.size() + 1);
    const std::string& piece = kPieces[below(random, std::size(kPieces))];
    switch (below(random, 7)) {
      case 0:  // a bit
        if (at < bytes.size())
          bytes[at] ^= static_cast<char>(1 << below(random, 8));
        break;
      case 1:  // a byte
        if (at < bytes.size())
          bytes[at] = static_cast<char>(below(random, 256));
        break;
      case 2:
        bytes.insert(at, piece);
        break;
      case 3:
        bytes.replace(at, piece.size(), piece);
        break;
      case 4:
        bytes.erase(at, 1 + below(random, 16));
        break;
      case 5:  // the end is missing
        bytes.resize(at);
        break;
      default: {  // a part of another input
        const std::string& other = others[below(random, others.size())];
        const std::size_t from = below(random, other.size() + 1);
        bytes.insert(at, other.substr(from, 1 + below(random, 64)));
      }
    }
  }
  return bytes;
}

struct Reader {
  std::string name;
  std::vector<std::string> seeds;
  std::function<void(const std::string&)> read;
  std::function<std::string(const std::string&, Random&)> mutate = {};
  /// Whether an input may legitimately ask for too much memory.
  bool may_want_memory = false;
};

/// The readers and their good inputs.
class Readers {
 public:
  explicit Readers(const TemporaryFolder& folder) : folder_(folder) {}

  std::vector<Reader> all() const {
    std::vector<Reader> out = files();
    const std::vector<std::string> configs = shipped();
    const auto complete_text = [](const std::string& text) {
      const JsonFile file = JsonFile::parse(text, "a.json");
      complete(experiment_schema(), file.json());
    };
    out.push_back({"config, bytes", configs, complete_text});
    out.push_back({"config, values", configs, complete_text, change_value});
    out.push_back({"config, built", small(),
                   [](const std::string& text) {
                     const JsonFile file = JsonFile::parse(text, "a.json");
                     const Json json =
                         complete(experiment_schema(), file.json());
                     if (json["device"] == "cpu") Experiment{Config(json)};
                   },
                   change_value, true});
    out.push_back(
        {"assignment",
         {"estimator.window=20", "a.0.b=[1, {}]"},
         [](const std::string& text) {
           JsonFile::parse(R"({"a": [{"b": 1}]})", "a.json").set(text);
         }});
    out.push_back({"sweep",
                   {sweep()},
                   [](const std::string& text) {
                     const JsonFile file = JsonFile::parse(text, "s.json");
                     const Json json = complete(sweep_schema(), file.json());
                     const SweepPlan plan{Config(json)};
                     plan.check();
                   },
                   change_value,
                   true});
    return out;
  }

 private:
  static std::string change_value(const std::string& text, Random& random) {
    Json json = Json::parse(text);
    const std::size_t changes = 1 + below(random, 3);
    for (std::size_t i = 0; i < changes; ++i) json = mutated(json, random);
    return json.dump();
  }

  static std::vector<std::string> shipped() {
    std::vector<std::string> out;
    for (const auto& entry :
         fs::directory_iterator(NESTGRAD_SOURCE_DIR "/configs")) {
      if (entry.is_regular_file()) out.push_back(read_file(entry.path()));
    }
    return out;
  }

  /// Configurations that take only a millisecond to build.
  static std::vector<std::string> small() {
    return {
        R"({"problem": "ridge", "hyperparameters": {"weight_decay": {"per": "weight"}},
            "inner": {"type": "sgd", "lr": 0.1}, "estimator": {"type": "ift"},
            "outer": {"type": "adam", "steps": 5}})",
        R"({"problem": {"type": "classification",
              "data": {"type": "gaussian_clusters", "train": 20, "valid": 10},
              "model": {"type": "mlp", "hidden": [4], "dropout": "$rate"}, "batch": 5},
            "hyperparameters": {"rate": {"initial": 0.2}, "weight_decay": {"initial": 0.1}},
            "inner": {"type": "adam", "lr": {"type": "cosine", "initial": 0.1, "steps": 10}},
            "estimator": {"type": "stn", "window": 4, "horizon": 8},
            "outer": {"type": "sgd", "lr": 0.1, "steps": 3, "stop": {"patience": 2}},
            "record": {"every": 2, "retrain": 5, "networks": 2}})",
        R"({"problem": {"type": "distillation", "examples": 4,
              "data": {"type": "spirals", "train": 20, "valid": 10},
              "model": "logistic"},
            "hyperparameters": {"inputs": {}, "lr": {"initial": 0.1}},
            "inner": {"type": "clipped", "max_norm": 1, "rule": {"type": "sgd", "lr": "$lr"}},
            "estimator": {"type": "unrolled", "window": 3, "horizon": 3, "checkpoints": "sqrt"}})",
        R"({"problem": {"type": "classification",
              "data": {"type": "xor", "train": 20, "valid": 10},
              "model": {"type": "sequential", "layers": [{"type": "linear", "out": 4}, "tanh",
                {"type": "linear", "out": 2}]}},
            "hyperparameters": {"example_weight": {}},
            "estimator": {"type": "ift", "solver": {"type": "nystrom", "rank": 3}}})"};
  }

  static std::string sweep() {
    return R"({"config": {"problem": "ridge", "hyperparameters": {"weight_decay": {}}},
      "set": {"outer.steps": 5}, "seeds": 2,
      "vary": {"outer.lr": {"low": 0.1, "high": 1, "scale": "log", "points": 3},
               "estimator": {"values": ["ift", "unrolled"]},
               "estimator.window": {"low": 1, "high": 5, "whole": true}},
      "search": {"type": "sobol", "trials": 4}, "halving": {"first": 1},
      "random_search": {"trials": 3, "vary": {"hyperparameters.weight_decay.initial":
        {"low": 1e-4, "high": 1, "count": 2}}}})";
  }

  /// Read again for each input.
  static std::string sweep_of_two_arms() {
    return R"({"config": {"problem": "ridge", "hyperparameters": {"weight_decay": {}}},
      "vary": {"outer.lr": {"values": [0.1, 0.2]}},
      "random_search": {"trials": 1}})";
  }

  std::string bytes(const std::string& name) const {
    return read_file(folder_.path(name));
  }

  /// Calls `read` with a file that contains the input.
  std::function<void(const std::string&)> as_file(
      std::function<void(const std::string&)> read) const {
    return [this, read](const std::string& input) {
      read(folder_.write("input", input));
    };
  }

  std::vector<Reader> files() const {
    const ParameterSet set{{"a", at::arange(12, at::kFloat).view({3, 4}).t()},
                           {"b", at::ones({2, 0, 3}, at::kDouble)},
                           {"c", at::arange(5, at::kLong)}};
    save_safetensors(folder_.path("s"), set, {{"k", "v"}});
    Snapshot snapshot;
    snapshot.sets["run/weights"] = set;
    snapshot.integers["step"] = 7;
    snapshot.numbers["loss"] = 0.5;
    snapshot.texts["trouble"] = "none";
    save_snapshot(folder_.path("c"), snapshot, {{"config", {{"seed", 1}}}});
    save_npz(folder_.path("n"), {{"inputs", at::rand({4, 3})},
                                 {"targets", at::arange(4, at::kLong)}});
    const Dataset images{at::arange(54, at::kByte).view({6, 1, 3, 3}),
                         at::arange(6, at::kLong), 6};
    write_idx(folder_.path("i"), folder_.path("l"), images);
    const std::string npy =
        std::string("\x93NUMPY\x01\x00\x46\x00", 10) +
        fmt::format("{:69}\n",
                    "{'descr': '<f4', 'fortran_order': False, "
                    "'shape': (2, 3), }") +
        std::string(24, 'x');
    const auto load = [this](const char* type, const char* key) {
      return as_file([this, type, key](const std::string& path) {
        Json json = {{"type", type}, {"train", 2}, {"valid", 1}};
        json[key] = path;
        if (std::string(type) == "idx") json["labels"] = folder_.path("l");
        (void)load_splits(Config(complete(DataRegistry::instance(), json)),
                          Key(1), at::kFloat);
      });
    };
    const std::string metrics =
        R"({"step":1,"seconds":0.1,"outer_loss":0.5,"status":"ok","d":0.1})"
        "\n"
        R"({"step":2,"seconds":0.2,"outer_loss":0.4,"status":"ok","d":0.2,"evaluated.valid_loss":1})"
        "\n";
    folder_.write("config.json", R"({"hyperparameters": {"d": {}}})");
    folder_.write("sweep.json", sweep_of_two_arms());
    const std::string runs =
        R"({"run":"trial-0001-seed-1","trial":0,"seed":1,"rung":2,"code":0,"metrics":{"valid_loss":0.5},"outer_steps":5,"tuning_seconds":1.5,"retraining_seconds":0.5})"
        "\n"
        R"({"run":"random-0001-seed-1","trial":0,"seed":1,"rung":0,"code":0,"metrics":{"valid_loss":0.4},"outer_steps":5,"tuning_seconds":1.5,"retraining_seconds":0})"
        "\n"
        R"({"run":"trial-0002-seed-1","trial":1,"seed":1,"rung":0,"code":3,"error":"x","outer_steps":2,"tuning_seconds":0.1,"retraining_seconds":0})"
        "\n";
    const std::string here = folder_.path("");
    const std::string records(3 * 3074, '\x01');  // of CIFAR-100
    folder_.write("test.bin", records);
    std::string text;
    for (int i = 0; i < 20; ++i) text += "the cat sat on the mat, twice.\n";
    return {
        {"safetensors", {bytes("s")}, as_file([](const std::string& path) {
           load_safetensors(path);
         })},
        {"checkpoint", {bytes("c")}, as_file([](const std::string& path) {
           load_snapshot(path);
         })},
        {"checkpoint, checksum right",
         {bytes("c")},
         as_file([](const std::string& path) { load_snapshot(path); }),
         with_right_checksum},
        {"npy", {npy}, as_file([](const std::string& p) { read_npy(p); })},
        {"npz", {bytes("n")}, as_file([](const std::string& p) {
           read_npz(p);
         })},
        {"idx", {bytes("i"), gzipped(bytes("i"))}, load("idx", "images")},
        {"cifar",
         {records},
         [this, here](const std::string& input) {
           folder_.write("train.bin", input);
           load_splits(
               Config(complete(DataRegistry::instance(), {{"type", "cifar100"},
                                                          {"folder", here},
                                                          {"train", 1},
                                                          {"valid", 1}})),
               Key(1), at::kFloat);
         }},
        {"csv",
         {"a,b,label\n1,2,x\n3,4.5,y\n-1,1e3,x\n0,0,y\n",
          "a,b\r\n1,\"2\"\r\n2,1\r\n3,1\r\n4,2\r\n"},
         load("csv", "file")},
        {"text", {text}, load("text", "file")},
        {"metrics.jsonl",
         {metrics},
         [this, here](const std::string& input) {
           folder_.write("metrics.jsonl", input);
           (void)report_data(here);
           (void)tensorboard_events(here);
         }},
        {"runs.jsonl",
         {runs},
         [this, here](const std::string& input) {
           folder_.write("runs.jsonl", input);
           const SweepResults results(read_sweep(here));
           (void)results.text();
           (void)results.csv();
         }},
    };
  }

  static std::string gzipped(const std::string& bytes) {
    const TemporaryFolder folder;
    const gzFile file = gzopen(folder.path("z").c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return read_file(folder.path("z"));
  }

  /// `whole`, damaged after its first line, with the correct checksum.
  static std::string with_right_checksum(const std::string& whole,
                                         Random& random) {
    const std::string body =
        damaged(whole.substr(whole.find('\n') + 1), {whole}, random);
    const uLong sum =
        crc32_z(crc32(0, nullptr, 0),
                reinterpret_cast<const Bytef*>(body.data()), body.size());
    return fmt::format("nestgrad checkpoint 1 {:08x} {}\n", sum, body.size()) +
           body;
  }

  const TemporaryFolder& folder_;
};

/// Returns a reader's wrong reaction to an input, or "".
std::string trouble(const Reader& reader, const std::string& input) {
  try {
    reader.read(input);
  } catch (const Error&) {
  } catch (const std::bad_alloc&) {
    if (!reader.may_want_memory) return "it wanted too much memory";
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool memory = what.find("allocate") != std::string::npos;
    if (!memory || !reader.may_want_memory) return what;
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

bool fuzz(const Reader& reader, int count) {
  for (const std::string& seed : reader.seeds) {
    // If a good input is refused, its damaged versions test nothing.
    try {
      reader.read(seed);
    } catch (const std::exception& error) {
      fmt::print("{}: a good input is refused: {}\n", reader.name,
                 error.what());
      return false;
    }
  }
  const Stopwatch watch;
  Random random(1);
  for (int i = 0; i < count; ++i) {
    const std::string& seed = reader.seeds[below(random, reader.seeds.size())];
    const std::string input = reader.mutate
                                  ? reader.mutate(seed, random)
                                  : damaged(seed, reader.seeds, random);
    input_in_work = input.data();
    input_length = input.size();
    alarm(kLongest);
    const std::string what = trouble(reader, input);
    alarm(0);
    if (!what.empty()) {
      fmt::print("{}: input {}: {}\n", reader.name, i, what);
      write_file(failed_input, input);
      return false;
    }
  }
  fmt::print("{:28} {:7} inputs, {:.1f} s\n", reader.name, count,
             watch.seconds());
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace nestgrad

int main(int argc, char** argv) {
  using namespace nestgrad;
  const int count = argc > 1 ? std::atoi(argv[1]) : 100000;
  const std::string wanted = argc > 2 ? argv[2] : "";
  for (const int signal : {SIGALRM, SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) {
    std::signal(signal, keep_input);
  }
  if (!kSanitized) {
    // The present address space of this process plus 512 MiB.
    long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(file, "%ld", &pages) != 1) pages = 1 << 20;
      std::fclose(file);
    }
    const rlim_t most =
        static_cast<rlim_t>(pages) * static_cast<rlim_t>(getpagesize()) +
        (rlim_t{512} << 20);
    const rlimit limit{most, most};
    setrlimit(RLIMIT_AS, &limit);
  }
  const TemporaryFolder folder;
  const Readers readers(folder);
  bool good = true;
  for (const Reader& reader : readers.all()) {
    if (reader.name.find(wanted) == std::string::npos) continue;
    good = fuzz(reader, count) && good;
  }
  return good ? 0 : 1;
}
