#include "experiments/data/array_examples.h"
#include "experiments/data/arrays/idx_file.h"
#include "experiments/data/data.h"
#include "experiments/data/labels.h"

namespace nestgrad {
namespace {

/// Arrays in the file format of MNIST.
class Idx : public DataSource {
 public:
  static Schema schema() {
    return with_classes_key(
        Schema("Inputs and labels in IDX files, the format of MNIST, gzipped "
               "or not.")
            .text("images", kRequired,
                  "File of the inputs, of any type and with two axes or more: "
                  "[examples, features], grey images [examples, height, "
                  "width], [examples, channels, height, width]. Unsigned bytes "
                  "mean pixels, which become numbers from 0 to 1.")
            .text("labels", kRequired,
                  "File of their labels, whole numbers of any type.")
            .text("valid_images", kAbsent,
                  "File of the validation inputs, if there are any.")
            .text("valid_labels", kAbsent, "File of their labels.")
            .text("test_images", kAbsent,
                  "File of the test inputs, if there are any.")
            .text("test_labels", kAbsent, "File of their labels."));
  }

  explicit Idx(const Config& config)
      : training_{config.path("images"), config.path("labels")},
        valid_(paired_paths(config, "valid_images", "valid_labels")),
        test_(paired_paths(config, "test_images", "test_labels")) {
    keys_.told_classes = read_classes(config);
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
    return {array_inputs(read_idx(path), "'" + path + "'")};
  }

 private:
  using Files = std::pair<std::string, std::string>;

  static ArrayPart part(const Files& files) {
    const std::string place = "'" + files.first + "'";
    const Dataset data = read_idx(files.first, files.second);
    return {array_inputs(data.inputs, place), place, data.targets,
            "'" + files.second + "'"};
  }

  TargetKeys keys_;
  Files training_;
  std::optional<Files> valid_, test_;
};

NESTGRAD_REGISTER(DataRegistry, "idx", Idx)

}  // namespace
}  // namespace nestgrad
