#include <ATen/ATen.h>

#include "core/platform/warnings.h"
#include "experiments/data/data.h"
#include "experiments/data/labels.h"
#include "experiments/data/npy_file.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostClasses = 65536;

/// Images whose pixels are all below this are too dark to be images.
constexpr int kDark = 32;

/// Two arrays of NumPy, inputs and classes.
class Npy : public DataSource {
 public:
  static Schema schema() {
    return with_classes_key(
        Schema("Two arrays written by numpy.save: little-endian f4, f8, u1, i4 "
               "or i8 in C order.")
            .text(
                "inputs", kRequired,
                "File of the inputs, [examples, shape of an example...], e.g. "
                "[examples, features] or [examples, channels, height, width]. "
                "Type u1 means pixels, which become numbers from 0 to 1.")
            .text("targets", kRequired,
                  "File of the classes, [examples], whole numbers from 0."));
  }

  explicit Npy(const Config& config)
      : inputs_(config.path("inputs")),
        targets_(config.path("targets")),
        told_classes_(read_classes(config)) {}

  Examples load(const Key&) const override {
    Dataset data;
    data.inputs = inputs();
    data.targets = targets();
    require(data.targets.size(0) == data.size(),
            "'{}': expected {} classes, one for every example in '{}', found "
            "{}",
            targets_, data.size(), inputs_, data.targets.size(0));
    Labels labels;
    labels.where = "'" + targets_ + "'";
    labels.targets = data.targets;
    labels.classes = data.targets.max().item<std::int64_t>() + 1;
    labels.told = told_classes_;
    data.classes = number_of_classes(labels);
    Examples out{data, {}};
    out.place = [file = inputs_](std::int64_t example, std::int64_t number) {
      return fmt::format("'{}': number {} of example {}, both counted from 0,",
                         file, number, example);
    };
    return out;
  }

 private:
  /// Bytes, or finite floating-point numbers.
  Tensor inputs() const {
    const Tensor inputs = read_npy(inputs_);
    require(inputs.dim() >= 2,
            "'{}': expected 2 or more dimensions, the first of which counts "
            "the examples, found {}",
            inputs_, inputs.dim());
    if (inputs.scalar_type() == at::kByte) {
      const auto largest = inputs.max().item<int>();
      if (largest < kDark) {
        add_warning(fmt::format(
            "'{}': bytes (u1) are taken for pixels and divided by 255, but the "
            "largest is {}; save numbers as f4",
            inputs_, largest));
      }
      return inputs;
    }
    // Not float32, which has too few digits for whole numbers.
    if (!inputs.is_floating_point()) return inputs.to(at::kDouble);
    require(at::isfinite(inputs).all().item<bool>(),
            "'{}': expected finite numbers, found NaN or infinity", inputs_);
    return inputs;
  }

  Tensor targets() const {
    const Tensor targets = read_npy(targets_);
    require(targets.dim() == 1 && !targets.is_floating_point(),
            "'{}': expected one dimension of whole numbers (u1, i4 or i8), "
            "found {} of {}; targets are numbers of classes, not quantities or "
            "probabilities",
            targets_, targets.dim(), c10::toString(targets.scalar_type()));
    const Tensor classes = targets.to(at::kLong);
    const auto least = classes.min().item<std::int64_t>();
    const auto largest = classes.max().item<std::int64_t>();
    require(least >= 0 && largest < kMostClasses,
            "'{}': expected classes from 0 to at most {}, found {}", targets_,
            kMostClasses - 1, least < 0 ? least : largest);
    return classes;
  }

  std::string inputs_, targets_;
  std::int64_t told_classes_;
};

NESTGRAD_REGISTER(DataRegistry, "npy", Npy)

}  // namespace
}  // namespace nestgrad
