#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace nestgrad {

/// An image as it stands in a file: rows of pixels of 1 (grey), 2 (grey,
/// alpha), 3 (red, green, blue) or 4 (with alpha) bytes.
struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
  std::unique_ptr<unsigned char[]> pixels;

  Image(std::int64_t height, std::int64_t width, std::int64_t channels)
      : height(height),
        width(width),
        channels(channels),
        pixels(new unsigned char[static_cast<std::size_t>(height * width *
                                                          channels)]) {}
};

/// More pixels than that are refused: they would take all memory, perhaps
/// because a file is damaged.
constexpr std::int64_t kMostPixels = 100'000'000;

/// Decodes a PNG or JPEG file, whichever its first bytes say. Palettes become
/// colours, 16 bits are rounded to 8; gamma, colour profiles and the rotation
/// of cameras (EXIF) are ignored. Throws Error, without the name of the file,
/// if it is of another format, damaged, cut short, or has more than kMostPixels
/// pixels.
Image decode_image(std::string_view bytes);

// The two decoders. Both libraries report errors by longjmp, which skips
// destructors; so the functions that call them have no objects that have any.
Image decode_png(std::string_view bytes);
Image decode_jpeg(std::string_view bytes);  ///< refuses CMYK

/// Throws Error if an image has more than kMostPixels pixels, or none.
void require_plausible(std::int64_t height, std::int64_t width);

}  // namespace nestgrad
