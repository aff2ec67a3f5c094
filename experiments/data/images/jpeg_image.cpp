#include <csetjmp>
#include <cstdio>

// jpeglib.h needs what cstdio declares, and jerror.h what jpeglib.h defines.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "core/platform/error.h"
#include "experiments/data/images/image_file.h"

namespace nestgrad {
namespace {

/// The state of a decoder. Nothing in it has a destructor that a longjmp could
/// skip.
struct JpegDecoder {
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  std::jmp_buf back;
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  char trouble[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void on_error(j_common_ptr jpeg) {
  auto* const decoder = static_cast<JpegDecoder*>(jpeg->client_data);
  (*jpeg->err->format_message)(jpeg, decoder->trouble);
  std::longjmp(decoder->back, 1);
}

/// Ends decoding at warnings of pixels that are missing or wrong. The others
/// are of no consequence for them.
void on_warning(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
      on_error(jpeg);
    default:
      break;
  }
}

/// Reads what precedes the pixels. Returns false, with `trouble`, on an error.
bool read_jpeg_header(JpegDecoder* decoder) {
  if (setjmp(decoder->back) != 0) return false;
  jpeg_create_decompress(&decoder->jpeg);
  decoder->jpeg.client_data = decoder;
  jpeg_mem_src(&decoder->jpeg, decoder->bytes, decoder->size);
  jpeg_read_header(&decoder->jpeg, TRUE);
  return true;
}

/// Decodes into `pixels`, rows of `row` bytes.
bool read_jpeg_pixels(JpegDecoder* decoder, unsigned char* pixels,
                      std::size_t row) {
  if (setjmp(decoder->back) != 0) return false;
  jpeg_decompress_struct* const jpeg = &decoder->jpeg;
  jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(jpeg);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW to = pixels + row * jpeg->output_scanline;
    jpeg_read_scanlines(jpeg, &to, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

}  // namespace

Image decode_jpeg(std::string_view bytes) {
  JpegDecoder decoder;
  decoder.bytes = reinterpret_cast<const unsigned char*>(bytes.data());
  decoder.size = bytes.size();
  decoder.jpeg.err = jpeg_std_error(&decoder.errors);
  decoder.jpeg.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_warning;
  const auto release = [](JpegDecoder* d) {
    jpeg_destroy_decompress(&d->jpeg);
  };
  const std::unique_ptr<JpegDecoder, decltype(release)> owner(&decoder,
                                                              release);
  const auto require_read = [&](bool good) {
    require(good, "the JPEG image is damaged: {}", decoder.trouble);
  };
  require_read(read_jpeg_header(&decoder));
  const std::int64_t channels = decoder.jpeg.num_components;
  require(channels == 1 || channels == 3,
          "a JPEG image of {} colour components (CMYK is one of four) is not "
          "read; save it in RGB",
          channels);
  const std::int64_t height = decoder.jpeg.image_height;
  const std::int64_t width = decoder.jpeg.image_width;
  require_plausible(height, width);
  Image image(height, width, channels);
  require_read(read_jpeg_pixels(&decoder, image.pixels.get(),
                                static_cast<std::size_t>(width * channels)));
  return image;
}

}  // namespace nestgrad
