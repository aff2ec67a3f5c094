#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "core/platform/files.h"
#include "experiments/data/arrays/idx_file.h"
#include "experiments/data/data.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kKinds = 10;
constexpr std::int64_t kSide = 28;

/// The labels that the training set of clothes begins with.
constexpr std::int64_t kFirstClothes[] = {9, 0, 0, 3, 0, 2, 7, 2, 5, 5};

/// The names of the classes; none if the labels are those of other images.
std::vector<std::string> names(const Tensor& labels) {
  constexpr std::size_t kFirst = std::size(kFirstClothes);
  if (labels.size(0) < static_cast<std::int64_t>(kFirst)) return {};
  const auto* const first = labels.data_ptr<std::int64_t>();
  if (!std::equal(first, first + kFirst, kFirstClothes)) return {};
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
}

/// 70,000 grey images of clothes (Xiao, Rasul, Vollgraf 2017).
class FashionMnist : public DataSource {
 public:
  static Schema schema() {
    return Schema(
               "Fashion-MNIST: 60,000 images of clothes of 10 kinds for "
               "training and 10,000 for testing, 1 x 28 x 28. A folder with "
               "the files of MNIST works, too.")
        .text("folder", "/usr/share/datasets/fashion-mnist",
              "Folder of train-images-idx3-ubyte.gz and its three companions. "
              "The default is the folder of the Debian package "
              "dataset-fashion-mnist.");
  }

  explicit FashionMnist(const Config& config)
      : folder_(config.path("folder")) {}

  Examples load(const Key&) const override {
    require(folder_exists(folder_.string()),
            "'{}': there is no such folder; fashion_mnist expects the files "
            "that the Debian package dataset-fashion-mnist installs",
            folder_.string());
    Examples out{part("train"), part("t10k")};
    out.training.target_names = out.test.target_names =
        names(out.training.targets);
    return out;
  }

 private:
  Dataset part(const std::string& name) const {
    const std::string labels = file(name + "-labels-idx1-ubyte");
    const std::string images = file(name + "-images-idx3-ubyte");
    Dataset data = read_idx(images, labels);
    require(data.inputs.dim() == 4 && data.inputs.scalar_type() == at::kByte,
            "'{}': expected images of bytes, found {} axes of {}", images,
            data.inputs.dim(), c10::toString(data.inputs.scalar_type()));
    require(data.inputs.size(2) == kSide && data.inputs.size(3) == kSide,
            "'{}': expected images of {} x {} pixels, found {} x {}", images,
            kSide, kSide, data.inputs.size(2), data.inputs.size(3));
    require(data.classes <= kKinds,
            "'{}': expected labels from 0 to {}, found {}", labels, kKinds - 1,
            data.classes - 1);
    data.classes = kKinds;
    return data;
  }

  std::string file(const std::string& name) const {
    const std::string plain = folder_ / name;
    return file_exists(plain) ? plain : plain + ".gz";
  }

  std::filesystem::path folder_;
};

NESTGRAD_REGISTER(DataRegistry, "fashion_mnist", FashionMnist)

}  // namespace
}  // namespace nestgrad
