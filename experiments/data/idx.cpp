#include <ATen/ATen.h>

#include <algorithm>

#include "experiments/data/data.h"
#include "experiments/data/idx_file.h"
#include "experiments/data/labels.h"

namespace nestgrad {
namespace {

/// Images in the file format of MNIST.
class Idx : public DataSource {
 public:
  static Schema schema() {
    return with_classes_key(
        Schema("Grey images in IDX files, the format of MNIST, gzipped or not.")
            .text("images", kRequired, "File of the images.")
            .text("labels", kRequired, "File of their labels.")
            .text("test_images", kAbsent,
                  "File of the test images, if there are any.")
            .text("test_labels", kAbsent, "File of their labels."));
  }

  explicit Idx(const Config& config)
      : images_(config.path("images")),
        labels_(config.path("labels")),
        told_classes_(read_classes(config)) {
    if (!config.has("test_images") && !config.has("test_labels")) return;
    if (!config.has("test_images")) {
      config.fail("test_labels", "must come together with 'test_images'");
    }
    if (!config.has("test_labels")) {
      config.fail("test_images", "must come together with 'test_labels'");
    }
    test_images_ = config.path("test_images");
    test_labels_ = config.path("test_labels");
  }

  Examples load(const Key&) const override {
    Examples examples;
    examples.training = read_idx(images_, labels_);
    Labels labels;
    labels.where = "'" + labels_ + "'";
    labels.targets = examples.training.targets;
    labels.classes = examples.training.classes;
    labels.told = told_classes_;
    if (!test_images_.empty()) {
      examples.test = read_idx(test_images_, test_labels_);
      // A class may be missing in one of them.
      labels.classes = std::max(labels.classes, examples.test.classes);
      labels.targets = at::cat({labels.targets, examples.test.targets});
    }
    examples.training.classes = examples.test.classes =
        number_of_classes(labels);
    return examples;
  }

 private:
  std::string images_, labels_;
  std::int64_t told_classes_;
  std::string test_images_, test_labels_;  // empty: there are none
};

NESTGRAD_REGISTER(DataRegistry, "idx", Idx)

}  // namespace
}  // namespace nestgrad
