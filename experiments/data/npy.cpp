#include <ATen/ATen.h>

#include "experiments/data/data.h"
#include "experiments/data/npy_file.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kMostClasses = 65536;

/// Two arrays of NumPy, inputs and classes.
class Npy : public DataSource {
 public:
  static Schema schema() {
    return Schema(
               "Two arrays written by numpy.save: little-endian f4, f8, u1, i4 "
               "or i8 in C order.")
        .text("inputs", kRequired,
              "File of the inputs, [examples, shape of an example...], e.g. "
              "[examples, features] or [examples, channels, height, width]. "
              "Type u1 means pixels, which become numbers from 0 to 1.")
        .text("targets", kRequired,
              "File of the classes, [examples], whole numbers from 0.");
  }

  explicit Npy(const Config& config)
      : inputs_(config.path("inputs")), targets_(config.path("targets")) {}

  Examples load(const Key&) const override {
    Dataset data;
    data.inputs = inputs();
    data.targets = targets();
    require(data.targets.size(0) == data.size(),
            "'{}': expected {} classes, one for every example in '{}', found "
            "{}",
            targets_, data.size(), inputs_, data.targets.size(0));
    data.classes = data.targets.max().item<std::int64_t>() + 1;
    return {data, {}};
  }

 private:
  /// Bytes, or finite floating-point numbers.
  Tensor inputs() const {
    const Tensor inputs = read_npy(inputs_);
    require(inputs.dim() >= 2,
            "'{}': expected 2 or more dimensions, the first of which counts "
            "the examples, found {}",
            inputs_, inputs.dim());
    if (inputs.scalar_type() == at::kByte) return inputs;
    if (!inputs.is_floating_point()) return inputs.to(at::kFloat);
    require(at::isfinite(inputs).all().item<bool>(),
            "'{}': expected finite numbers, found NaN or infinity", inputs_);
    return inputs;
  }

  Tensor targets() const {
    const Tensor targets = read_npy(targets_);
    require(targets.dim() == 1 && !targets.is_floating_point(),
            "'{}': expected one dimension of whole numbers (u1, i4 or i8), "
            "found {} of {}",
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
};

NESTGRAD_REGISTER(DataRegistry, "npy", Npy)

}  // namespace
}  // namespace nestgrad
