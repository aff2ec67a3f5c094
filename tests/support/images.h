#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// clang-format off
#include <jpeglib.h>
// clang-format on

#include "tests/support/data_support.h"

namespace nestgrad {

inline std::string png_chunk(const std::string& name, const std::string& data) {
  const std::string body = name + data;
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                         static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(sum));
}

/// A PNG file. `rows`: each row of pixels after a byte 0 (no filter), as the
/// format has them. `before`: chunks such as a palette.
inline std::string png_bytes(std::uint32_t height, std::uint32_t width,
                             char depth, char colour_type,
                             const std::string& rows,
                             const std::string& before = "",
                             char interlaced = 0) {
  std::string packed(compressBound(rows.size()), '\0');
  uLongf size = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(rows.data()), rows.size());
  packed.resize(size);
  return "\x89PNG\r\n\x1a\n" +
         png_chunk("IHDR",
                   big_endian(width) + big_endian(height) +
                       std::string{depth, colour_type, 0, 0, interlaced}) +
         before + png_chunk("IDAT", packed) + png_chunk("IEND", "");
}

/// A JPEG file of quality 100 with full colour resolution, from pixels row by
/// row.
inline std::string jpeg_bytes(std::uint32_t height, std::uint32_t width,
                              J_COLOR_SPACE space, int channels,
                              std::string pixels, bool progressive = false) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &out, &size);
  jpeg.image_height = height;
  jpeg.image_width = width;
  jpeg.input_components = channels;
  jpeg.in_color_space = space;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
  if (progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < height) {
    auto* row = reinterpret_cast<unsigned char*>(pixels.data()) +
                static_cast<std::size_t>(jpeg.next_scanline) * width *
                    static_cast<std::size_t>(channels);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string bytes(reinterpret_cast<char*>(out), size);
  std::free(out);
  return bytes;
}

}  // namespace nestgrad
