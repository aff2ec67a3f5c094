#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/platform/error.h"
#include "experiments/data/images/image_file.h"

namespace nestgrad {
namespace {

/// The state of a decoder. Nothing in it has a destructor that a longjmp could
/// skip.
struct PngDecoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const unsigned char* bytes = nullptr;
  std::size_t left = 0;
  char trouble[160] = "";
};

void on_error(png_structp png, png_const_charp message) {
  auto* const decoder = static_cast<PngDecoder*>(png_get_error_ptr(png));
  std::snprintf(decoder->trouble, sizeof decoder->trouble, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t count) {
  auto* const decoder = static_cast<PngDecoder*>(png_get_io_ptr(png));
  if (count > decoder->left) png_error(png, "the file is cut short");
  std::memcpy(to, decoder->bytes, count);
  decoder->bytes += count;
  decoder->left -= count;
}

/// Reads what precedes the pixels. Returns false, with `trouble`, on an error.
bool read_png_header(PngDecoder* decoder) {
  if (setjmp(png_jmpbuf(decoder->png)) != 0) return false;
  png_set_read_fn(decoder->png, decoder, read_bytes);
  // The size is judged by require_plausible().
  png_set_user_limits(decoder->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(decoder->png, decoder->info);
  return true;
}

/// Says in which form pixels are wanted; for this libpng takes memory for a
/// row.
bool prepare_rows(PngDecoder* decoder) {
  if (setjmp(png_jmpbuf(decoder->png)) != 0) return false;
  png_set_expand(decoder->png);
  png_set_scale_16(decoder->png);
  png_set_interlace_handling(decoder->png);
  png_read_update_info(decoder->png, decoder->info);
  return true;
}

bool read_png_pixels(PngDecoder* decoder, png_bytepp rows) {
  if (setjmp(png_jmpbuf(decoder->png)) != 0) return false;
  png_read_image(decoder->png, rows);
  png_read_end(decoder->png, nullptr);
  return true;
}

}  // namespace

Image decode_png(std::string_view bytes) {
  PngDecoder decoder;
  decoder.bytes = reinterpret_cast<const unsigned char*>(bytes.data());
  decoder.left = bytes.size();
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder,
                                       on_error, on_warning);
  if (decoder.png != nullptr)
    decoder.info = png_create_info_struct(decoder.png);
  const auto release = [](PngDecoder* d) {
    png_destroy_read_struct(&d->png, &d->info, nullptr);
  };
  const std::unique_ptr<PngDecoder, decltype(release)> owner(&decoder, release);
  require(decoder.info != nullptr, "there is not enough memory to decode it");
  const auto require_read = [&](bool good) {
    require(good, "the PNG image is damaged: {}", decoder.trouble);
  };
  require_read(read_png_header(&decoder));
  const auto height =
      std::int64_t{png_get_image_height(decoder.png, decoder.info)};
  const auto width =
      std::int64_t{png_get_image_width(decoder.png, decoder.info)};
  require_plausible(height, width);
  // Deflate makes data at most 1032 times as small.
  require(height * ((width + 7) / 8) / 1040 <=
              static_cast<std::int64_t>(bytes.size()),
          "the file is too short for {} x {} pixels", height, width);
  require_read(prepare_rows(&decoder));
  const auto row =
      static_cast<std::int64_t>(png_get_rowbytes(decoder.png, decoder.info));
  Image image(height, width, row / width);
  std::vector<png_bytep> rows;
  for (std::int64_t i = 0; i < height; ++i) {
    rows.push_back(image.pixels.get() + i * row);
  }
  require_read(read_png_pixels(&decoder, rows.data()));
  return image;
}

}  // namespace nestgrad
