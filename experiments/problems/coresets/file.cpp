#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "experiments/data/npy_file.h"
#include "experiments/problems/coresets/coreset.h"

namespace nestgrad {
namespace {

class FromFile : public Coreset {
 public:
  static Schema schema() {
    return Schema("The examples in a file that an earlier run wrote.")
        .text("file", kRequired,
              "A .npz file with `inputs` in the units of the source (pixels "
              "from 0 to 1) and `labels`, probabilities [examples, classes].");
  }
  explicit FromFile(const Config& config) : path_(config.path("file")) {}

  SoftExamples make(const Splits& data, std::int64_t examples,
                    const Key&) const override {
    const std::map<std::string, Tensor> arrays = read_npz(path_);
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
    return {data.prepared(arrays.at("inputs")), labels};
  }

 private:
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
