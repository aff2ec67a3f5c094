#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "experiments/problems/coresets/coreset.h"
#include "experiments/problems/coresets/examples_file.h"

namespace nestgrad {
namespace {

/// Learned examples leave the range of real ones, but not by this factor.
constexpr double kFarOff = 50;

class FromFile : public Coreset {
 public:
  static Schema schema() {
    return Schema(
               "The examples in a file of an earlier run or another program.")
        .text("file", kRequired,
              "A .npz file with `inputs` in the units of the source (pixels "
              "from 0 to 1, or bytes of type u1) and `labels`: classes, or "
              "numbers [examples, classes], which are probabilities or "
              "weights if the loss is the cross entropy. Or a .npy file of "
              "inputs, or a .pt "
              "file of torch.save with both.")
        .text("labels", kAbsent, "The .npy or .pt file of the labels.")
        .boolean("standardized", false,
                 "Whether inputs are prepared already, as `data` says, in "
                 "place of the units of the source.");
  }

  explicit FromFile(const Config& config)
      : path_(config.path("file")),
        labels_path_(config.has("labels") ? config.path("labels") : ""),
        standardized_(config.boolean("standardized")) {}

  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key&) const override {
    const ExamplesInFile found = read_examples(path_, labels_path_);
    const Tensor images = shaped(found.inputs, data.shape());
    std::vector<std::int64_t> sizes = data.train.inputs.sizes().vec();
    sizes[0] = examples;
    require_shape("inputs", images, sizes);
    return {inputs(images, data), labels(found.labels, examples, data)};
  }

 private:
  /// Images [examples, height, width, channels], or [examples, height, width]
  /// of one channel, with the axes in our order.
  static Tensor shaped(const Tensor& inputs, const Shape& shape) {
    if (shape.size() != 3) return inputs;
    const std::int64_t n = inputs.size(0);
    const at::IntArrayRef sizes = inputs.sizes();
    if (sizes.equals({n, shape[0], shape[1], shape[2]})) return inputs;
    if (shape[0] == 1 && sizes.equals({n, shape[1], shape[2]})) {
      return inputs.unsqueeze(1);
    }
    if (sizes.equals({n, shape[1], shape[2], shape[0]})) {
      return inputs.permute({0, 3, 1, 2}).contiguous();
    }
    return inputs;
  }

  /// [examples, classes]
  Tensor labels(const Tensor& given, std::int64_t examples,
                const Splits& data) const {
    const std::int64_t classes = data.train.classes;
    const at::TensorOptions options = data.train.inputs.options();
    if (given.dim() == 2) {
      require_shape("labels", given, {examples, classes});
      require(given.isfinite().all().item<bool>(),
              "'{}': 'labels' has numbers that are not finite", path_);
      return given.to(options);
    }
    require_shape("labels", given, {examples});
    const Tensor whole = given.to(at::kLong);
    require(at::equal(whole.to(at::kDouble), given.to(at::kDouble)) &&
                ((whole >= 0).logical_and(whole < classes)).all().item<bool>(),
            "'{}': the labels should be classes from 0 to {}", path_,
            classes - 1);
    return at::one_hot(whole, classes).to(options);
  }

  /// As the source's inputs are prepared.
  Tensor inputs(const Tensor& array, const Splits& data) const {
    const bool pixels = array.scalar_type() == at::kByte;
    const Tensor given = pixels ? array.to(at::kFloat).div(255) : array;
    const Tensor out = standardized_ ? given.to(data.train.inputs.options())
                                     : data.prepared(given);
    require(out.isfinite().all().item<bool>(),
            "'{}': 'inputs' has numbers that are not finite{}", path_,
            given.isfinite().all().item<bool>()
                ? " in float32; take \"precision\": \"float64\""
                : "");
    const auto reach = [](const Tensor& t) {
      return t.abs().max().item<double>();
    };
    const Dataset some =
        data.train.loaded(0, std::min<std::int64_t>(data.train.size(), 1000));
    const double real =
        reach(standardized_ ? some.inputs : data.in_source_units(some.inputs));
    const double here = reach(given);
    if (here > kFarOff * real) {
      add_warning(fmt::format(
          "'{}': 'inputs' reaches {:.4g}, but the data only {:.4g}: it should "
          "be in the units of the data, pixels from 0 to 1",
          path_, here, real));
    }
    return out;
  }

  void require_shape(const char* name, const Tensor& array,
                     const std::vector<std::int64_t>& sizes) const {
    require(array.sizes() == at::IntArrayRef(sizes),
            "'{}': '{}' should be [{}] here, is [{}]", path_, name,
            fmt::join(sizes, ", "), fmt::join(array.sizes(), ", "));
  }

  std::string path_, labels_path_;
  bool standardized_;
};

NESTGRAD_REGISTER(CoresetRegistry, "file", FromFile)

}  // namespace
}  // namespace nestgrad
