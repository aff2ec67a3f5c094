#include "experiments/data/images/image_file.h"

#include "core/platform/error.h"

namespace nestgrad {
namespace {

constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n";
constexpr std::string_view kJpeg = "\xff\xd8\xff";

}  // namespace

Image decode_image(std::string_view bytes) {
  if (bytes.substr(0, kPng.size()) == kPng) return decode_png(bytes);
  if (bytes.substr(0, kJpeg.size()) == kJpeg) return decode_jpeg(bytes);
  throw Error(bytes.empty() ? "the file is empty"
                            : "this is neither a PNG nor a JPEG image");
}

void require_plausible(std::int64_t height, std::int64_t width) {
  require(height > 0 && width > 0, "the image has no pixels");
  require(height <= kMostPixels / width,
          "the image has {} x {} pixels, more than the {} million that are "
          "read; make it smaller",
          height, width, kMostPixels / 1'000'000);
}

}  // namespace nestgrad
