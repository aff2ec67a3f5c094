#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/problems/coresets/coreset.h"

namespace nestgrad {
namespace {

/// Learned examples leave the range of real ones, but not by this factor.
constexpr double kFarOff = 50;

class FromFile : public Coreset {
 public:
  static Schema schema() {
    return Schema("The examples in a file that an earlier run wrote.")
        .text("file", kRequired,
              "A .npz file with `inputs` in the units of the source (pixels "
              "from 0 to 1, or bytes of type u1) and `labels`, probabilities "
              "[examples, classes]. Other arrays are not read.");
  }
  explicit FromFile(const Config& config) : path_(config.path("file")) {}

  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key&) const override {
    const std::map<std::string, Tensor> arrays =
        read_npz(path_, {"inputs", "labels"});
    for (const char* name : {"inputs", "labels"}) {
      require(arrays.count(name) == 1, "'{}': has no array '{}'", path_, name);
    }
    std::vector<std::int64_t> sizes = data.train.inputs.sizes().vec();
    sizes[0] = examples;
    require_shape("inputs", arrays.at("inputs"), sizes);
    require_shape("labels", arrays.at("labels"),
                  {examples, data.train.classes});
    const Tensor labels = arrays.at("labels").to(data.train.inputs.options());
    require((labels >= 0).all().item<bool>() &&
                at::allclose(labels.sum(1), at::ones_like(labels.sum(1)), 1e-3),
            "'{}': the labels are not probabilities", path_);
    return {inputs(arrays.at("inputs"), data), labels};
  }

 private:
  /// As the source's inputs are prepared.
  Tensor inputs(const Tensor& array, const Splits& data) const {
    const bool pixels = array.scalar_type() == at::kByte;
    const Tensor given = pixels ? array.to(at::kFloat).div(255) : array;
    const Tensor out = data.prepared(given);
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
    const double real = reach(data.in_source_units(some.inputs));
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

  std::string path_;
};

NESTGRAD_REGISTER(CoresetRegistry, "file", FromFile)

}  // namespace
}  // namespace nestgrad
