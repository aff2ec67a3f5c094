#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/platform/error.h"
#include "core/storage/safetensors.h"
#include "experiments/data/array_examples.h"
#include "experiments/data/arrays/npz_file.h"

// Sources whose file holds several arrays by name.

namespace nestgrad {
namespace {

using Arrays = std::map<std::string, Tensor>;

/// The common part: which arrays are taken from which file.
class ArchiveSource : public DataSource {
 public:
  Examples load(const Key&) const override {
    const Arrays own = arrays(file_, wanted());
    ArrayParts parts;
    parts.training = part(own, "", file_);
    parts.valid = part_of(own, "valid_", valid_file_);
    parts.test = part_of(own, "test_", test_file_);
    return examples_of(parts, keys_);
  }

  NewExamples load_new(const std::string& path,
                       const Preparation&) const override {
    return {inputs(arrays(path, {inputs_}), "", path)};
  }

 protected:
  /// `array`: what the format calls an array.
  static Schema keys(std::string meaning, const std::string& array) {
    const auto other = [&](const std::string& part) {
      return fmt::format(
          "File of the {0} examples, with the same names. Left out: the {1}s "
          "{2}_inputs and {2}_targets (the two names after {2}_) of `file` or, "
          "without them, a part of the training examples.",
          part, array, part == "validation" ? "valid" : part);
    };
    return TargetKeys::with(
        Schema(std::move(meaning))
            .text("file", kRequired, "Path of the file.")
            .text("inputs_array", "inputs",
                  fmt::format("Name of the {} of inputs, [examples, shape of "
                              "an example...]. Bytes mean pixels, which become "
                              "numbers from 0 to 1.",
                              array))
            .text("targets_array", "targets",
                  fmt::format("Name of the {} of targets.", array))
            .text("valid_file", kAbsent, other("validation"))
            .text("test_file", kAbsent, other("test")),
        "targets");
  }

  explicit ArchiveSource(const Config& config)
      : keys_(TargetKeys::read(config, "targets")),
        file_(config.path("file")),
        inputs_(config.text("inputs_array")),
        targets_(config.text("targets_array")) {
    if (config.has("valid_file")) valid_file_ = config.path("valid_file");
    if (config.has("test_file")) test_file_ = config.path("test_file");
  }

 private:
  /// Those of these arrays that a file has.
  virtual Arrays arrays(const std::string& file,
                        const std::vector<std::string>& wanted) const = 0;

  /// The names of all arrays of a file.
  virtual std::vector<std::string> names(const std::string& file) const = 0;

  /// The names of all arrays that load() may use.
  std::vector<std::string> wanted() const {
    std::vector<std::string> names;
    for (const char* prefix : {"", "valid_", "test_"}) {
      names.push_back(prefix + inputs_);
      names.push_back(prefix + targets_);
    }
    return names;
  }

  /// `prefix`: "valid_" or "test_", also of the key for `file`.
  ArrayPart part_of(const Arrays& own, const std::string& prefix,
                    const std::string& file) const {
    const bool has_inputs = own.count(prefix + inputs_) > 0;
    const bool has_targets = own.count(prefix + targets_) > 0;
    const std::string& there = prefix + (has_inputs ? inputs_ : targets_);
    const std::string& other = prefix + (has_inputs ? targets_ : inputs_);
    require(file.empty() || (!has_inputs && !has_targets),
            "'{}': has '{}', so \"{}file\" must be left out", file_, there,
            prefix);
    if (!file.empty()) return part(arrays(file, wanted()), "", file);
    require(has_inputs == has_targets, "'{}': has '{}' but no '{}'", file_,
            there, other);
    return has_inputs ? part(own, prefix, file_) : ArrayPart();
  }

  ArrayPart part(const Arrays& all, const std::string& prefix,
                 const std::string& file) const {
    return {inputs(all, prefix, file), place(prefix + inputs_, file),
            array(all, prefix + targets_, file),
            place(prefix + targets_, file)};
  }

  Dataset inputs(const Arrays& all, const std::string& prefix,
                 const std::string& file) const {
    return array_inputs(array(all, prefix + inputs_, file),
                        place(prefix + inputs_, file));
  }

  Tensor array(const Arrays& all, const std::string& name,
               const std::string& file) const {
    const auto found = all.find(name);
    if (found != all.end()) return found->second;
    constexpr std::size_t kShown = 10;
    std::vector<std::string> others = names(file);
    const std::size_t count = others.size();
    others.resize(std::min(count, kShown));
    throw Error(fmt::format(
        "'{}': has no '{}', only '{}'{}", file, name, fmt::join(others, "', '"),
        count > kShown ? fmt::format(" and {} more", count - kShown) : ""));
  }

  static std::string place(const std::string& name, const std::string& file) {
    return fmt::format("'{}': {}", file, name);
  }

  TargetKeys keys_;
  std::string file_, inputs_, targets_;
  std::string valid_file_, test_file_;  // empty: there are none
};

class Npz : public ArchiveSource {
 public:
  static Schema schema() {
    return keys(
        "A .npz file of numpy.savez or numpy.savez_compressed, with arrays of "
        "numbers of any type.",
        "array");
  }
  explicit Npz(const Config& config) : ArchiveSource(config) {}

 private:
  Arrays arrays(const std::string& file,
                const std::vector<std::string>& wanted) const override {
    return read_npz(file, wanted);
  }
  std::vector<std::string> names(const std::string& file) const override {
    return npz_names(file);
  }
};

class Safetensors : public ArchiveSource {
 public:
  static Schema schema() {
    return keys(
        "A .safetensors file, such as PyTorch users save. Element types: F16, "
        "BF16, F32, F64, I8, I16, I32, I64, U8, BOOL.",
        "tensor");
  }
  explicit Safetensors(const Config& config) : ArchiveSource(config) {}

 private:
  Arrays arrays(const std::string& file,
                const std::vector<std::string>& wanted) const override {
    const ParameterSet set = load_safetensors(file, wanted);
    Arrays out;
    for (std::size_t i = 0; i < set.size(); ++i) {
      require(set.tensors()[i].numel() > 0, "'{}': '{}' is empty", file,
              set.name(i));
      out[set.name(i)] = set.tensors()[i];
    }
    return out;
  }
  std::vector<std::string> names(const std::string& file) const override {
    return safetensors_names(file);
  }
};

NESTGRAD_REGISTER(DataRegistry, "npz", Npz)
NESTGRAD_REGISTER(DataRegistry, "safetensors", Safetensors)

}  // namespace
}  // namespace nestgrad
