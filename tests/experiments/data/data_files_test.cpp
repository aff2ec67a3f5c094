#include <ATen/ATen.h>
#include <zlib.h>

#include <random>
#include <vector>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::string gzipped(const std::string& bytes) {
  const TemporaryFolder folder;
  const gzFile file = gzopen(folder.path("z").c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return read_file(folder.path("z"));
}

std::string idx_images(std::uint32_t n, std::uint32_t height,
                       std::uint32_t width, const std::string& pixels) {
  return big_endian(0x803) + big_endian(n) + big_endian(height) +
         big_endian(width) + pixels;
}

std::string idx_labels(std::uint32_t n, const std::string& labels) {
  return big_endian(0x801) + big_endian(n) + labels;
}

// Two images of 1 x 3 pixels.
const std::string kImages = idx_images(2, 1, 3, {0, 51, 102, -1, 1, 2});
const std::string kLabels = idx_labels(2, {1, 4});

/// One sentence that names the file, and says `reason`.
void require_refusal(const Json& section, const std::string& path,
                     const std::string& reason) {
  std::string complaint = "nothing";
  try {
    load_source(section);
  } catch (const Error& error) {
    complaint = error.what();
  }
  CAPTURE(reason);
  CHECK_THAT(complaint, ContainsSubstring("'" + path + "'"));
  CHECK_THAT(complaint, ContainsSubstring(reason));
  CHECK(complaint.find('\n') == std::string::npos);
}

struct Damage {
  std::string bytes, reason;
};

TEST_CASE("idx files load, gzipped or not, with pixels from 0 to 255",
          "[data]") {
  const bool gzip = GENERATE(false, true);
  const TemporaryFolder folder;
  const Dataset data =
      load_source(
          {{"type", "idx"},
           {"images", folder.write("x", gzip ? gzipped(kImages) : kImages)},
           {"labels", folder.write("y", gzip ? gzipped(kLabels) : kLabels)}})
          .training;
  CHECK(at::equal(
      data.inputs,
      at::tensor({0, 51, 102, 255, 1, 2}, at::kByte).view({2, 1, 1, 3})));
  CHECK(at::equal(data.targets, at::tensor({1, 4}, at::kLong)));
  CHECK(data.classes == 5);
}

TEST_CASE("images become float32 from 0 to 1, and a test set stays apart",
          "[data]") {
  const TemporaryFolder folder;
  const Json section = {
      {"type", "idx"},
      {"images", folder.write("x", kImages)},
      {"labels", folder.write("y", kLabels)},
      {"test_images",
       folder.write("tx", idx_images(3, 1, 3, std::string(9, 51)))},
      {"test_labels", folder.write("ty", idx_labels(3, {7, 7, 7}))},
      {"classes", 8}};
  const Splits splits =
      load_splits(data_section(section), Key(1), at::TensorOptions(at::kFloat));
  CHECK(splits.train.size() == 1);
  CHECK(splits.valid.size() == 1);
  CHECK(splits.train.classes == 8);
  CHECK(splits.shape() == Shape{1, 1, 3});
  CHECK(at::equal(splits.test.inputs, at::full({3, 1, 1, 3}, 51.f / 255)));
  Json section_of_two = section;
  section_of_two["test"] = 2;
  CHECK(load_splits(data_section(section_of_two), Key(1), float64())
            .test.size() == 2);
  section_of_two["test"] = 4;
  CHECK_THROWS_WITH(
      load_splits(data_section(section_of_two), Key(1), float64()),
      ContainsSubstring("/data/test: must be at most 3, is 4"));
}

TEST_CASE("damaged idx images are refused", "[data]") {
  std::string bad_sum = gzipped(kImages);
  // The checksum begins 8 bytes before the end.
  char& byte = bad_sum[bad_sum.size() - 8];
  byte = static_cast<char>(byte ^ 1);
  const std::string whole = gzipped(kImages);
  const Damage damage = GENERATE_COPY(
      Damage{"", "the file is empty"},
      Damage{"abc", "expected 4 bytes of its header"},
      Damage{kImages.substr(0, 10), "bytes of its header, but the file ends"},
      Damage{kImages.substr(0, kImages.size() - 1),
             "expected 6 bytes of inputs, but the file ends after 5"},
      Damage{kImages + "x", "longer than expected"},
      Damage{kLabels, "expected 2 or more axes"},
      Damage{"\1" + kImages.substr(1), "starts with two zeros"},
      Damage{std::string("\0\0\x0a\1", 4), "there is no IDX type 0x0a"},
      Damage{std::string("\0\0\x08\x21", 4), "at most 32 axes, found 33"},
      Damage{idx_images(0, 1, 3, ""), "impossible shape, (0, 1, 3)"},
      Damage{idx_images(0xffffffff, 0xffffffff, 0xffffffff, "abc"),
             "impossible shape"},
      Damage{idx_images(100000, 1000, 1000, "abc"), "the file is too short"},
      Damage{gzipped(idx_images(100000, 1000, 1000, "abc")),
             "the file is too short"},
      Damage{gzipped(idx_images(100, 10, 10, "abc")),
             "expected 10000 bytes of inputs, but the file ends after 3"},
      Damage{gzipped(kImages + "x"), "longer than expected"},
      Damage{bad_sum, "damaged and cannot be decompressed"},
      Damage{whole.substr(0, whole.size() - 4), "cannot be decompressed"});
  // This version does not tell that the end of a file is missing. All bytes of
  // the images are there in this case.
  if (damage.reason == "cannot be decompressed" &&
      std::string(zlibVersion()) == "1.3.2") {
    return;
  }
  const TemporaryFolder folder;
  const std::string path = folder.write("x", damage.bytes);
  require_refusal({{"type", "idx"},
                   {"images", path},
                   {"labels", folder.write("y", kLabels)}},
                  path, damage.reason);
}

TEST_CASE("labels that do not fit the images are refused", "[data]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("y", idx_labels(3, "abc"));
  require_refusal({{"type", "idx"},
                   {"images", folder.write("x", kImages)},
                   {"labels", path}},
                  path, "expected 2 labels, one for every example");
}

TEST_CASE("missing files and folders are named", "[data]") {
  const TemporaryFolder folder;
  const std::string none = folder.path("none"), here = folder.path("");
  require_refusal({{"type", "idx"}, {"images", none}, {"labels", none}}, none,
                  "there is no such file");
  require_refusal({{"type", "idx"}, {"images", here}, {"labels", here}}, here,
                  "this is not a file");
  require_refusal({{"type", "csv"}, {"file", none}}, none,
                  "No such file or directory");
  require_refusal({{"type", "npy"}, {"inputs", none}, {"targets", none}}, none,
                  "there is no such file");
  require_refusal({{"type", "fashion_mnist"}, {"folder", none}}, none,
                  "Debian package dataset-fashion-mnist");
  require_refusal({{"type", "fashion_mnist"}, {"folder", here}},
                  here + "train-images-idx3-ubyte.gz", "no such file");
  require_refusal({{"type", "cifar10"}, {"folder", none}}, none,
                  "cifar-10-binary.tar.gz");
  require_refusal({{"type", "cifar100"}, {"folder", none}}, none,
                  "cifar-100-binary.tar.gz");
}

TEST_CASE("test images without test labels are refused", "[data]") {
  const Json section = {{"type", "idx"}, {"images", "x"}, {"labels", "y"}};
  Json only_images = section, only_labels = section;
  only_images["test_images"] = "z";
  only_labels["test_labels"] = "z";
  CHECK_THROWS_WITH(load_source(only_images),
                    ContainsSubstring("together with 'test_labels'"));
  CHECK_THROWS_WITH(load_source(only_labels),
                    ContainsSubstring("together with 'test_images'"));
}

/// A folder as that of Fashion-MNIST, with images of one pixel.
void write_fashion(const TemporaryFolder& folder, std::uint32_t side,
                   char label) {
  const std::string pixels(side * side, '\x09');
  for (const std::string part : {"train", "t10k"}) {
    folder.write(part + "-images-idx3-ubyte",
                 idx_images(1, side, side, pixels));
    folder.write(part + "-labels-idx1-ubyte", idx_labels(1, {label}));
  }
}

TEST_CASE("fashion_mnist has ten classes of 28 x 28 pixels", "[data]") {
  const TemporaryFolder folder;
  const Json section = {{"type", "fashion_mnist"}, {"folder", folder.path("")}};
  write_fashion(folder, 28, 3);
  const Examples examples = load_source(section);
  CHECK(examples.training.classes == 10);
  CHECK(examples.test.inputs.sizes() == at::IntArrayRef({1, 1, 28, 28}));
  write_fashion(folder, 28, 10);
  require_refusal(section, folder.path("train-labels-idx1-ubyte"),
                  "expected labels from 0 to 9, found 10");
  write_fashion(folder, 27, 3);
  require_refusal(section, folder.path("train-images-idx3-ubyte"),
                  "expected images of 28 x 28 pixels, found 27 x 27");
}

TEST_CASE("the installed Fashion-MNIST loads if it is there", "[data]") {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::is_directory(folder)) return;
  const Examples examples = load_source("fashion_mnist");
  CHECK(examples.test.size() == 10000);
  CHECK(at::equal(at::bincount(examples.training.targets),
                  at::full({10}, 6000, at::kLong)));
  // The first image shows a boot.
  CHECK(examples.training.targets[0].item<int>() == 9);
}

/// A record of a CIFAR file: labels, and channels of one shade each.
std::string cifar_record(const std::string& labels) {
  return labels + std::string(1024, 10) + std::string(1024, 20) +
         std::string(1024, 30);
}

TEST_CASE("sources name the classes that they know", "[data]") {
  using Names = std::vector<std::string>;
  const auto names = [](const Json& section) {
    const Examples examples = load_source(section);
    CHECK(examples.training.target_names == examples.test.target_names);
    return examples.training.target_names;
  };
  const TemporaryFolder folder;
  const Json fashion = {{"type", "fashion_mnist"}, {"folder", folder.path("")}};
  const auto write_labels = [&](const std::string& labels) {
    for (const std::string part : {"train", "t10k"}) {
      folder.write(part + "-labels-idx1-ubyte", idx_labels(10, labels));
      folder.write(part + "-images-idx3-ubyte",
                   idx_images(10, 28, 28, std::string(10 * 784, '\1')));
    }
  };
  write_labels({9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
  REQUIRE(names(fashion).size() == 10);
  CHECK(names(fashion)[9] == "Ankle boot");
  // MNIST's labels begin like this.
  write_labels({5, 0, 4, 1, 9, 2, 1, 3, 1, 4});
  CHECK(names(fashion).empty());

  for (const char* file : {"train.bin", "test.bin"}) {
    folder.write(file, cifar_record({0, 1}));
  }
  Json cifar = {
      {"type", "cifar100"}, {"folder", folder.path("")}, {"labels", "coarse"}};
  CHECK(names(cifar).empty());
  Names twenty;
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    twenty.push_back(fmt::format("kind {}", i));
    lines += twenty.back() + "\n";
  }
  folder.write("coarse_label_names.txt", lines + "\n");
  CHECK(names(cifar) == twenty);
  cifar["labels"] = "fine";
  folder.write("fine_label_names.txt", lines);  // 20 names of 100 classes
  CHECK(names(cifar).empty());
}

TEST_CASE("cifar10 has its five batches in order, channels first", "[data]") {
  const TemporaryFolder folder;
  for (char i = 1; i <= 5; ++i) {
    folder.write(fmt::format("data_batch_{}.bin", int{i}),
                 cifar_record({i}) + cifar_record({9}));
  }
  folder.write("test_batch.bin", cifar_record({'\0'}));
  const Json section = {{"type", "cifar10"}, {"folder", folder.path("")}};
  const Examples examples = load_source(section);
  CHECK(at::equal(examples.training.targets,
                  at::tensor({1, 9, 2, 9, 3, 9, 4, 9, 5, 9}, at::kLong)));
  CHECK(examples.training.classes == 10);
  CHECK(examples.test.size() == 1);
  const Tensor shades = at::tensor({10, 20, 30}, at::kByte).view({1, 3, 1, 1});
  CHECK(at::equal(examples.training.inputs, shades.expand({10, 3, 32, 32})));

  const std::string third = folder.path("data_batch_3.bin");
  folder.write("data_batch_3.bin", cifar_record({10}));
  require_refusal(section, third, "expected labels from 0 to 9, found 10");
  folder.write("data_batch_3.bin", cifar_record({1}) + "x");
  require_refusal(section, third, "records of 3073 bytes");
  folder.write("data_batch_3.bin", "");
  require_refusal(section, third, "the file is empty");
}

TEST_CASE("cifar100 has fine and coarse labels", "[data]") {
  const TemporaryFolder folder;
  folder.write("train.bin", cifar_record({19, 99}) + cifar_record({3, 4}));
  folder.write("test.bin", cifar_record({1, 2}));
  Json section = {{"type", "cifar100"}, {"folder", folder.path("")}};
  const Dataset fine = load_source(section).training;
  CHECK(at::equal(fine.targets, at::tensor({99, 4}, at::kLong)));
  CHECK(fine.classes == 100);
  CHECK(fine.inputs[1][2][31][31].item<int>() == 30);
  section["labels"] = "coarse";
  const Examples coarse = load_source(section);
  CHECK(at::equal(coarse.training.targets, at::tensor({19, 3}, at::kLong)));
  CHECK(coarse.test.targets.item<int>() == 1);
  CHECK(coarse.test.classes == 20);
}

/// Puts damaged versions of `whole` in the place of the file "changed", and of
/// "train.bin", that `section` reads.
void check_changes(const TemporaryFolder& folder, const Json& section,
                   const std::string& whole) {
  std::mt19937 random(3);
  int loaded = 0, refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string bytes = whole;
    for (unsigned j = random() % 3 + 1; j > 0; --j) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    folder.write("changed", bytes);
    folder.write("train.bin", bytes);
    try {
      load_source(section).training.inputs.clone();
      ++loaded;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(loaded > 0);
  CHECK(refused > 90);
}

TEST_CASE("a changed data file loads or is refused, and nothing else",
          "[data]") {
  const TemporaryFolder folder;
  const std::string changed = folder.path("changed");
  SECTION("idx images") {
    const Json section = {{"type", "idx"},
                          {"images", changed},
                          {"labels", folder.write("y", kLabels)}};
    check_changes(folder, section, kImages);
    check_changes(folder, section, gzipped(kImages));
  }
  SECTION("idx labels") {
    const Json section = {{"type", "idx"},
                          {"images", folder.write("x", kImages)},
                          {"labels", changed},
                          {"classes", 256}};
    check_changes(folder, section, kLabels);
  }
  SECTION("cifar") {
    const std::string record = cifar_record({1, 2});
    folder.write("test.bin", record);
    check_changes(folder, {{"type", "cifar100"}, {"folder", folder.path("")}},
                  record);
  }
  SECTION("npy") {
    const std::string x = npy_bytes(npy_header("<f4", "(4, 3)"),
                                    raw_bytes(at::arange(12, at::kFloat)));
    const std::string y = npy_bytes(npy_header("|u1", "(4,)"), {0, 1, 2, 1});
    check_changes(folder,
                  {{"type", "npy"},
                   {"inputs", changed},
                   {"targets", folder.write("y", y)}},
                  x);
    check_changes(folder,
                  {{"type", "npy"},
                   {"inputs", folder.write("x", x)},
                   {"targets", changed}},
                  y);
  }
  SECTION("csv") {
    check_changes(folder,
                  {{"type", "csv"}, {"file", changed}, {"target", "kind"}},
                  "a,kind\n1.5,\"x\"\n-2e3,y\n");
  }
}

}  // namespace
}  // namespace nestgrad
