// Folders of images.

#include "tests/support/images.h"

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/platform/warnings.h"
#include "experiments/data/images/resized.h"
#include "experiments/data/saved_preparation.h"
#include "experiments/record/run_folder.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// The numbers of an image in a file, [channels, height, width].
Tensor decoded_image(const std::string& bytes, std::int64_t channels = 3) {
  const Image image = decode_image(bytes);
  return resized(image, channels, image.height, image.width);
}

/// Pixels of one row, [3, 1, n].
Tensor colours(const std::vector<std::vector<int>>& pixels) {
  std::vector<Tensor> out;
  for (const auto& pixel : pixels) out.push_back(at::tensor(pixel, at::kByte));
  return at::stack(out, 1).unsqueeze(1);
}

std::string grey_png(std::uint32_t height, std::uint32_t width, char shade) {
  const std::string row = std::string(1, '\0') + std::string(width, shade);
  std::string rows;
  for (std::uint32_t i = 0; i < height; ++i) rows += row;
  return png_bytes(height, width, 8, 0, rows);
}

TEST_CASE("PNG images of every kind are decoded to the colours that they show",
          "[data][images]") {
  using namespace std::string_literals;
  const std::string palette = png_chunk("PLTE", "\x0a\x14\x1e\xc8\x96\x64"s);
  struct Kind {
    std::string bytes;
    Tensor shown;
  };
  const Kind kind = GENERATE_COPY(
      // Grey of 8, 1 and 16 bits.
      Kind{png_bytes(1, 2, 8, 0, "\0\x07\xff"s),
           colours({{7, 7, 7}, {255, 255, 255}})},
      Kind{png_bytes(1, 3, 1, 0, "\0\xa0"s),
           colours({{255, 255, 255}, {0, 0, 0}, {255, 255, 255}})},
      Kind{png_bytes(1, 2, 16, 0, "\0\x80\x80\x01\x00"s),
           colours({{128, 128, 128}, {1, 1, 1}})},
      Kind{png_bytes(1, 2, 8, 2, "\0\x01\x02\x03\xf0\xe0\xd0"s),
           colours({{1, 2, 3}, {240, 224, 208}})},
      // A palette, and one whose second colour is transparent.
      Kind{png_bytes(1, 2, 8, 3, "\0\x01\x00"s, palette),
           colours({{200, 150, 100}, {10, 20, 30}})},
      Kind{png_bytes(1, 2, 8, 3, "\0\x01\x00"s,
                     palette + png_chunk("tRNS", "\xff\x00"s)),
           colours({{255, 255, 255}, {10, 20, 30}})},
      // Alpha: a half and a fifth of the colour, the rest white.
      Kind{png_bytes(1, 2, 8, 6, "\0\x00\x64\xc8\x80\x0a\x0a\x0a\x33"s),
           colours({{127, 177, 227}, {206, 206, 206}})},
      Kind{png_bytes(1, 2, 8, 4, "\0\x40\xff\x40\x00"s),
           colours({{64, 64, 64}, {255, 255, 255}})});
  CHECK(at::equal(decoded_image(kind.bytes), kind.shown));
}

TEST_CASE("interlaced PNG images are put together", "[data][images]") {
  using namespace std::string_literals;
  // 2 x 2 pixels in the passes that are not empty: 1, 6 and 7.
  const std::string bytes =
      png_bytes(2, 2, 8, 0, "\0\x01\0\x02\0\x03\x04"s, "", 1);
  CHECK(at::equal(decoded_image(bytes, 1),
                  at::tensor({1, 2, 3, 4}, at::kByte).view({1, 2, 2})));
}

TEST_CASE("JPEG images are decoded up to the loss of the format",
          "[data][images]") {
  const bool progressive = GENERATE(false, true);
  const int channels = GENERATE(1, 3);
  const Tensor x = at::arange(24).view({1, 1, 24}).expand({channels, 16, 24});
  const Tensor y = at::arange(16).view({1, 16, 1}).expand({channels, 16, 24});
  const Tensor c = at::arange(channels).view({channels, 1, 1});
  const Tensor image = (6 * x + 4 * y + 20 * c).to(at::kByte);
  const std::string bytes =
      jpeg_bytes(16, 24, channels == 1 ? JCS_GRAYSCALE : JCS_RGB, channels,
                 raw_bytes(image.permute({1, 2, 0}).contiguous()), progressive);
  const Tensor got = decoded_image(bytes, channels);
  CHECK((got.to(at::kInt) - image.to(at::kInt)).abs().max().item<int>() <= 2);
}

TEST_CASE("colours become grey by their luminance", "[data][images]") {
  using namespace std::string_literals;
  const std::string bytes =
      png_bytes(1, 2, 8, 2, "\0\xc8\x64\x32\x00\xff\x00"s);
  // 0.299 r + 0.587 g + 0.114 b, rounded.
  CHECK(at::equal(decoded_image(bytes, 1),
                  at::tensor({124, 150}, at::kByte).view({1, 1, 2})));
}

TEST_CASE("images are resized as PyTorch does it with antialiasing",
          "[data][images]") {
  const auto [height, width] = GENERATE(std::pair(5, 7), std::pair(31, 40),
                                        std::pair(17, 3), std::pair(1, 1));
  Image image(23, 31, 3);
  const Tensor pixels =
      (Key(4).uniform(at::empty({23, 31, 3})) * 256).floor().to(at::kByte);
  std::copy_n(pixels.data_ptr<unsigned char>(), pixels.numel(),
              image.pixels.get());
  const Tensor exact = at::_upsample_bilinear2d_aa(
      pixels.permute({2, 0, 1}).unsqueeze(0).to(at::kDouble).contiguous(),
      {height, width}, /*align_corners=*/false, c10::nullopt, c10::nullopt)[0];
  const Tensor got = resized(image, 3, height, width);
  // Rounded.
  CHECK((got.to(at::kDouble) - exact).abs().max().item<double>() < 0.501);
}

/// One sentence about this file.
void check_refusal(const std::string& bytes, const std::string& reason) {
  const TemporaryFolder folder;
  for (const std::string name : {"a", "b"}) {
    std::filesystem::create_directory(folder.path(name));
    folder.write(name + "/1.png", name == "b" ? bytes : grey_png(2, 2, 'a'));
  }
  CAPTURE(reason);
  CHECK_THROWS_WITH(
      load_source({{"type", "image_folder"}, {"folder", folder.path("")}}),
      ContainsSubstring("'" + folder.path("b/1.png") + "': ") &&
          ContainsSubstring(reason));
}

TEST_CASE("images that cannot be used are refused with their path",
          "[data][images]") {
  const std::string png = grey_png(2, 2, 'x');
  std::string wrong = png;
  wrong[wrong.size() - 20] ^= 1;
  check_refusal("", "the file is empty");
  check_refusal("GIF89a", "neither a PNG nor a JPEG");
  check_refusal(png.substr(0, png.size() - 20), "the file is cut short");
  check_refusal(png.substr(0, png.size() - 12), "the file is cut short");
  check_refusal(png.substr(0, 20), "PNG image is damaged");
  check_refusal(wrong, "PNG image is damaged");
  check_refusal(png_bytes(2000000, 100, 8, 0, "abc"),
                "2000000 x 100 pixels, more than the 100 million");
  check_refusal(png_bytes(50000, 1000, 8, 0, "abc"),
                "too short for 50000 x 1000 pixels");
  check_refusal(grey_png(3, 2, 'x'),
                "the image has 3 x 2 pixels, others have 2 x 2; give all one "
                "size with \"size\"");
  const std::string jpeg = jpeg_bytes(2, 2, JCS_GRAYSCALE, 1, "abcd");
  check_refusal(jpeg.substr(0, jpeg.size() - 4), "JPEG image is damaged");
  check_refusal(jpeg.substr(0, 30), "JPEG image is damaged");
  check_refusal(jpeg_bytes(1, 2, JCS_CMYK, 4, "abcdefgh"), "save it in RGB");
}

TEST_CASE("no memory is taken for the rows of an image that is too large",
          "[data][images]") {
  // One row of 8 GiB, where 4 GiB are left.
  const std::string bytes = png_bytes(1, 1 << 30, 16, 6, "abc");
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  file >> pages;
  REQUIRE(pages > 0);
  rlimit before;
  REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit changed = before;
  changed.rlim_cur =
      pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{4} << 30);
  REQUIRE(setrlimit(RLIMIT_AS, &changed) == 0);
  std::string complaint;
  try {
    decode_image(bytes);
  } catch (const Error& error) {
    complaint = error.what();
  }
  REQUIRE(setrlimit(RLIMIT_AS, &before) == 0);
  CHECK_THAT(complaint, ContainsSubstring("1 x 1073741824 pixels, more than"));
}

/// Images of one shade each: FOLDER/PART/CLASS/N.png.
void write_part(const TemporaryFolder& folder, const std::string& part,
                const std::vector<std::string>& classes, int images) {
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const std::string at = part + classes[c];
    std::filesystem::create_directories(folder.path(at));
    for (int i = 0; i < images; ++i) {
      const auto shade =
          static_cast<char>(20 * c + static_cast<std::size_t>(i));
      folder.write(fmt::format("{}/{}.PNG", at, i), grey_png(4, 6, shade));
    }
  }
}

TEST_CASE("folders are classes in alphabetical order, with their names",
          "[data][images]") {
  const TemporaryFolder folder;
  write_part(folder, "", {"cat", "dog", "ape"}, 2);
  Json section = {
      {"type", "image_folder"}, {"folder", folder.path("")}, {"channels", 1}};
  const Examples all = load_source(section);
  CHECK(all.training.target_names ==
        std::vector<std::string>{"ape", "cat", "dog"});
  CHECK(at::equal(all.training.targets,
                  at::tensor({0, 0, 1, 1, 2, 2}, at::kLong)));
  CHECK(all.training.classes == 3);
  CHECK(at::equal(all.training.inputs.select(2, 3).select(2, 5).flatten(),
                  at::tensor({40, 41, 0, 1, 20, 21}, at::kByte)));
  CHECK_FALSE(all.test.inputs.defined());
  section["size"] = {8, 5};
  section["channels"] = 3;
  CHECK(load_source(section).training.inputs.sizes() ==
        at::IntArrayRef({6, 3, 8, 5}));
  section["size"] = {8};
  CHECK_THROWS_WITH(load_source(section), ContainsSubstring("/data/size"));
  section["size"] = {8, 5};
  section["channels"] = 2;
  CHECK_THROWS_WITH(load_source(section), ContainsSubstring("must be 1 or 3"));
}

TEST_CASE("folders train, valid and test are parts of the data",
          "[data][images]") {
  const TemporaryFolder folder;
  write_part(folder, "train/", {"a", "b"}, 3);
  write_part(folder, "test/", {"b"}, 1);
  const Json section = {{"type", "image_folder"}, {"folder", folder.path("")}};
  const Examples two = load_source(section);
  CHECK(two.training.size() == 6);
  CHECK_FALSE(two.valid.inputs.defined());
  CHECK(at::equal(two.test.targets, at::tensor({1}, at::kLong)));
  CHECK(two.test.classes == 2);
  write_part(folder, "valid/", {"a", "b"}, 2);
  CHECK(load_source(section).valid.size() == 4);
  untold_warnings();
  folder.write("notes.txt", "");
  folder.write("train/labels.csv", "");
  load_source(section);
  const std::vector<std::string> told = untold_warnings();
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0], ContainsSubstring("1 entry not in the folder of a class, "
                                        "'notes.txt' for instance, is left"));
  CHECK_THAT(told[1], ContainsSubstring("'labels.csv' for instance"));
  write_part(folder, "valid/", {"c"}, 1);
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("valid/c': no training images"));
  const std::string other = GENERATE("val", "validation", "Test");
  write_part(folder, other + "/", {"a"}, 1);
  CHECK_THROWS_WITH(
      load_source(section),
      ContainsSubstring("must be called valid or test, not '" + other + "'"));
}

TEST_CASE("a class may have a name that is not UTF-8", "[data][images]") {
  const TemporaryFolder folder;
  write_part(folder, "data/", {"caf\xe9", "dog"}, 5);
  const Splits splits = load_splits(
      data_section({{"type", "image_folder"}, {"folder", folder.path("data")}}),
      Key(1), float64());
  const RunFolder run = RunFolder::create(folder.path("run"));
  run.write("network.json", Preparation::of(splits).to_json());
  const Json written = Json::parse(read_file(run.file("network.json")));
  CHECK(Preparation::from_json(written).target_names ==
        std::vector<std::string>{"caf\xef\xbf\xbd", "dog"});
}

TEST_CASE("new images may lie in a folder and in the folders in it",
          "[data][images]") {
  const TemporaryFolder folder;
  write_part(folder, "new/", {"a", "b"}, 2);
  folder.write("new/c.png", grey_png(4, 6, 'x'));
  Preparation trained;
  trained.shape = {3, 4, 6};
  const NewExamples found =
      DataRegistry::instance()
          .make(Json{{"type", "image_folder"}, {"folder", folder.path("")}})
          ->load_new(folder.path("new"), trained);
  CHECK(found.names == std::vector<std::string>{folder.path("new/c.png"),
                                                folder.path("new/a/0.PNG"),
                                                folder.path("new/a/1.PNG"),
                                                folder.path("new/b/0.PNG"),
                                                folder.path("new/b/1.PNG")});
  CHECK(found.examples.inputs[0].eq('x').all().item<bool>());
}

TEST_CASE("folders that do not hold classes of images are explained",
          "[data][images]") {
  const TemporaryFolder folder;
  const Json section = {{"type", "image_folder"}, {"folder", folder.path("")}};
  folder.write("1.png", grey_png(2, 2, 'x'));
  CHECK_THROWS_WITH(
      load_source(section),
      ContainsSubstring("expected two or more folders of images, one per "
                        "class, found 0"));
  write_part(folder, "", {"a", "b"}, 1);
  untold_warnings();
  folder.write("b/notes.txt", "");
  CHECK(load_source(section).training.size() == 2);
  const std::vector<std::string> told = untold_warnings();
  REQUIRE(told.size() == 2);
  CHECK_THAT(told[0], ContainsSubstring("'1.png' for instance, is left out"));
  CHECK_THAT(told[1],
             ContainsSubstring("'notes.txt' for instance, is left out"));
  std::filesystem::create_directory(folder.path("c"));
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("c': has no PNG or JPEG images"));
}

}  // namespace
}  // namespace nestgrad
