#include "experiments/data/array_examples.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/arrays/npy_header.h"

namespace nestgrad {
namespace {

/// Larger files stay on the disk unless a configuration says otherwise.
constexpr std::int64_t kLarge = std::int64_t{2} << 30;

/// Arrays of NumPy in files of their own, inputs and targets.
class Npy : public DataSource {
 public:
  static Schema schema() {
    const std::string optional =
        "Left out: that part is taken from the training examples.";
    return TargetKeys::with(
        Schema("Arrays written by numpy.save, one file each.")
            .text(
                "inputs", kRequired,
                "File of the inputs, [examples, shape of an example...], e.g. "
                "[examples, features] or [examples, channels, height, width], "
                "numbers of any type. Type u1 means pixels, which become "
                "numbers from 0 to 1.")
            .text("targets", kRequired,
                  "File of the targets: classes, [examples], whole numbers "
                  "from 0; or numbers, as `targets_are` says.")
            .text("valid_inputs", kAbsent,
                  "Inputs of the validation examples. " + optional)
            .text("valid_targets", kAbsent, "Their targets.")
            .text("test_inputs", kAbsent,
                  "Inputs of the test examples. " + optional)
            .text("test_targets", kAbsent, "Their targets.")
            .boolean("in_memory", kAbsent,
                     "Whether inputs are read into memory as a whole. false: "
                     "they stay in the file, and the rows of a minibatch are "
                     "read when they are used, so that a set may be larger "
                     "than memory. Left out: false for files above 2 GiB."),
        kTargetsAre);
  }

  explicit Npy(const Config& config)
      : keys_(TargetKeys::read(config, kTargetsAre)),
        training_{config.path("inputs"), config.path("targets")},
        valid_(paired_paths(config, "valid_inputs", "valid_targets")),
        test_(paired_paths(config, "test_inputs", "test_targets")) {
    if (config.has("in_memory")) in_memory_ = config.boolean("in_memory");
  }

  Examples load(const Key&) const override {
    ArrayParts parts;
    parts.training = part(training_);
    if (valid_) parts.valid = part(*valid_);
    if (test_) parts.test = part(*test_);
    return examples_of(parts, keys_);
  }

  NewExamples load_new(const std::string& path,
                       const Preparation&) const override {
    return {inputs(path, is_large(path))};
  }

 private:
  using Files = std::pair<std::string, std::string>;

  static constexpr const char* kTargetsAre = "targets_are";

  ArrayPart part(const Files& files) const {
    const bool stays = in_memory_ ? !*in_memory_ : is_large(files.first);
    return {inputs(files.first, stays), "'" + files.first + "'",
            read_npy(files.second), "'" + files.second + "'"};
  }

  static Dataset inputs(const std::string& path, bool stays_in_file) {
    const std::string place = "'" + path + "'";
    return stays_in_file ? array_inputs(open_npy(path), place)
                         : array_inputs(read_npy(path), place);
  }

  /// Whether it is so large that it stays on the disk, and can.
  static bool is_large(const std::string& path) {
    ByteFile file(path);
    return file.size() > kLarge && !file.compressed() &&
           !read_npy_header(file).fortran_order;
  }

  TargetKeys keys_;
  Files training_;
  std::optional<Files> valid_, test_;
  std::optional<bool> in_memory_;
};

NESTGRAD_REGISTER(DataRegistry, "npy", Npy)

}  // namespace
}  // namespace nestgrad
