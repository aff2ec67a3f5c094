#include <ATen/ATen.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/warnings.h"
#include "experiments/data/data.h"
#include "experiments/data/images/resized.h"
#include "experiments/data/saved_preparation.h"

namespace nestgrad {
namespace {

using Path = std::filesystem::path;
using Names = std::vector<std::string>;

/// The folders in a folder, in alphabetical order, without hidden ones.
Names folders_in(const Path& folder) {
  Names out;
  for (const std::string& name : names_in(folder.string())) {
    if (name[0] != '.' && folder_exists((folder / name).string())) {
      out.push_back(name);
    }
  }
  return out;
}

bool has_folders(const Path& folder) { return !folders_in(folder).empty(); }

bool is_image(const Path& file) {
  std::string end = file.extension().string();
  for (char& c : end) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

/// Warns of entries of a folder that are not used. `what` they are: "not named
/// .png".
void warn_of_others(const Path& folder, const Names& others, const char* what) {
  if (others.empty()) return;
  add_warning(fmt::format(
      "'{}': {} {}, '{}' for instance, {} left out", folder.string(),
      others.size() == 1 ? "1 entry" : fmt::format("{} entries", others.size()),
      what, others[0], others.size() == 1 ? "is" : "are"));
}

/// Warns of files that stand beside folders.
void warn_of_files(const Path& folder) {
  Names files;
  for (const std::string& name : names_in(folder.string())) {
    if (name[0] != '.' && !folder_exists((folder / name).string())) {
      files.push_back(name);
    }
  }
  warn_of_others(folder, files, "not in the folder of a class");
}

/// Images in folders that are named after their classes.
class ImageFolder : public DataSource {
 public:
  static Schema schema() {
    return Schema(
               "PNG and JPEG images, one folder per class: "
               "FOLDER/CLASS/NAME.png. With folders `train` and, if there are "
               "any, `valid` and `test`, each has the folders of the classes.")
        .text("folder", kRequired, "The folder.")
        .integers("size", kAbsent,
                  "[height, width] to which all images are stretched (bilinear "
                  "with antialiasing). Left out: all must have the same size.",
                  at_least(1))
        .integer("channels", 3,
                 "3: red, green, blue; 1: grey. What is transparent is laid on "
                 "white.",
                 from_to(1, 3));
  }

  explicit ImageFolder(const Config& config)
      : folder_(config.path("folder")), channels_(config.integer("channels")) {
    if (channels_ == 2) config.fail("channels", "must be 1 or 3, is 2");
    if (!config.has("size")) return;
    size_ = config.integers("size");
    if (size_.size() != 2) config.fail("size", "must be [height, width]");
  }

  Examples load(const Key&) const override {
    require(folder_exists(folder_.string()), "'{}': there is no such folder",
            folder_.string());
    const bool has_parts = has_folders(folder_ / "train");
    if (has_parts) {
      require_parts();
      warn_of_files(folder_);
    }
    const Path training = has_parts ? folder_ / "train" : folder_;
    const Names classes = folders_in(training);
    require(classes.size() >= 2,
            "'{}': expected two or more folders of images, one per class, "
            "found {}",
            training.string(), classes.size());
    std::vector<std::int64_t> size = size_;
    Examples out;
    out.training = read(training, classes, true, size);
    if (!has_parts) return out;
    if (has_folders(folder_ / "valid")) {
      out.valid = read(folder_ / "valid", classes, false, size);
    }
    if (has_folders(folder_ / "test")) {
      out.test = read(folder_ / "test", classes, false, size);
    }
    return out;
  }

  /// An image, or the images of a folder and of the folders in it.
  NewExamples load_new(const std::string& path,
                       const Preparation& trained) const override {
    std::vector<Path> files;
    if (!folder_exists(path)) {
      files.emplace_back(path);
    } else if (has_folders(path)) {
      for (const std::string& name : names_in(path)) {
        if (name[0] == '.' || !is_image(name)) continue;
        const Path file = Path(path) / name;
        if (!folder_exists(file.string())) files.push_back(file);
      }
      for (const std::string& name : folders_in(path)) {
        const std::vector<Path> images = images_in(Path(path) / name);
        files.insert(files.end(), images.begin(), images.end());
      }
    } else {
      files = images_in(path);
    }
    require(!files.empty(), "'{}': has no PNG or JPEG images", path);
    std::vector<std::int64_t> size = size_;
    if (size.empty()) {
      require(trained.shape.size() == 3,
              "'{}': the network was not trained on images", path);
      size = {trained.shape[1], trained.shape[2]};
    }
    NewExamples out{Dataset{pixels_of(files, size)}};
    for (const Path& file : files) out.names.push_back(file.string());
    return out;
  }

 private:
  /// Throws Error if there is a folder beside those of the parts.
  void require_parts() const {
    for (const std::string& name : folders_in(folder_)) {
      require(name == "train" || name == "valid" || name == "test",
              "'{}': a folder beside train must be called valid or test, not "
              "'{}'",
              folder_.string(), name);
    }
  }

  /// The images of a part. `size` is set by the first image if it is empty.
  Dataset read(const Path& part, const Names& classes, bool is_training,
               std::vector<std::int64_t>& size) const {
    warn_of_files(part);
    for (const std::string& name : folders_in(part)) {
      require(std::count(classes.begin(), classes.end(), name) > 0,
              "'{}': no training images are of this class",
              (part / name).string());
    }
    std::vector<Path> files;
    std::vector<std::int64_t> targets;
    for (std::size_t c = 0; c < classes.size(); ++c) {
      const std::vector<Path> images = images_in(part / classes[c]);
      // Classes may be missing in the other parts.
      require(!images.empty() || !is_training,
              "'{}': has no PNG or JPEG images", (part / classes[c]).string());
      files.insert(files.end(), images.begin(), images.end());
      targets.resize(files.size(), static_cast<std::int64_t>(c));
    }
    require(!files.empty(), "'{}': has no PNG or JPEG images", part.string());
    return {pixels_of(files, size), at::tensor(targets, at::kLong),
            static_cast<std::int64_t>(classes.size()), classes};
  }

  /// [files, channels, height, width]. `size` is set by the first image if it
  /// is empty.
  Tensor pixels_of(const std::vector<Path>& files,
                   std::vector<std::int64_t>& size) const {
    Tensor pixels;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const Tensor image = read_image(files[i], size);
      if (i == 0) {
        pixels = at::empty({static_cast<std::int64_t>(files.size()), channels_,
                            size[0], size[1]},
                           at::kByte);
      }
      pixels[static_cast<std::int64_t>(i)].copy_(image);
    }
    return pixels;
  }

  /// In alphabetical order. Warns of other files.
  static std::vector<Path> images_in(const Path& folder) {
    std::vector<Path> images;
    Names others;
    for (const std::string& name : names_in(folder.string())) {
      if (name[0] == '.') continue;
      if (is_image(name)) {
        images.push_back(folder / name);
      } else {
        others.push_back(name);
      }
    }
    warn_of_others(folder, others, "not named .png, .jpg or .jpeg");
    return images;
  }

  Tensor read_image(const Path& file, std::vector<std::int64_t>& size) const {
    try {
      const Image image = decode_image(read_file(file.string()));
      if (size.empty()) size = {image.height, image.width};
      require(
          !size_.empty() || (image.height == size[0] && image.width == size[1]),
          "the image has {} x {} pixels, others have {} x {}; give all "
          "one size with \"size\": [height, width]",
          image.height, image.width, size[0], size[1]);
      return resized(image, channels_, size[0], size[1]);
    } catch (const Error& error) {
      throw Error(fmt::format("'{}': {}", file.string(), error.what()));
    }
  }

  Path folder_;
  std::int64_t channels_;
  std::vector<std::int64_t> size_;  // empty: that of the images
};

NESTGRAD_REGISTER(DataRegistry, "image_folder", ImageFolder)

}  // namespace
}  // namespace nestgrad
