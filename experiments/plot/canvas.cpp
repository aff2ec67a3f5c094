#include "experiments/plot/canvas.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstddef>

#include "core/platform/error.h"
#include "core/platform/text.h"

namespace nestgrad {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr std::size_t kPiecesAtOnce = 500;

void use(cairo_t* context, const Color& color) {
  cairo_set_source_rgba(context, color.red, color.green, color.blue,
                        color.opacity);
}

/// `words` without `missing` or slightly more bytes of its middle.
std::string shortened(const std::string& words, std::size_t missing) {
  std::size_t begin = (words.size() - missing) / 2;
  std::size_t end = begin + missing;
  while (begin > 0 && continues_character(words[begin])) --begin;
  while (end < words.size() && continues_character(words[end])) ++end;
  return words.substr(0, begin) + "…" + words.substr(end);
}

cairo_status_t append(void* bytes, const unsigned char* data,
                      unsigned int length) {
  static_cast<std::string*>(bytes)->append(reinterpret_cast<const char*>(data),
                                           length);
  return CAIRO_STATUS_SUCCESS;
}

void require_success(cairo_status_t status) {
  require(status == CAIRO_STATUS_SUCCESS, "cannot draw the picture: {}",
          cairo_status_to_string(status));
}

}  // namespace

Canvas::Canvas(int width, int height, Ground ground)
    : surface_(cairo_image_surface_create(
          ground == Ground::kWhite ? CAIRO_FORMAT_RGB24 : CAIRO_FORMAT_ARGB32,
          width * kPixels, height * kPixels)),
      context_(cairo_create(surface_.get())) {
  cairo_t* context = context_.get();
  cairo_scale(context, kPixels, kPixels);
  cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND);
  // The file must not depend on the settings of the screen.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(context, options);
  cairo_font_options_destroy(options);
  if (ground == Ground::kClear) return;  // a new surface is transparent
  nestgrad::use(context, Color{1, 1, 1});
  cairo_paint(context);
}

void Canvas::line(const std::vector<Point>& points, double width,
                  const Color& color) {
  cairo_t* context = context_.get();
  nestgrad::use(context, color);
  cairo_set_line_width(context, width);
  bool drawing = false;
  std::size_t pieces = 0;
  for (const Point& point : points) {
    const bool gap = !std::isfinite(point.x) || !std::isfinite(point.y);
    if (!gap && !drawing) cairo_move_to(context, point.x, point.y);
    // Also to the first point itself: a line of length 0 is drawn as a dot.
    if (!gap) cairo_line_to(context, point.x, point.y);
    drawing = !gap;
    // The time for a stroke grows faster than its length.
    if (++pieces % kPiecesAtOnce != 0) continue;
    cairo_stroke(context);
    if (drawing) cairo_move_to(context, point.x, point.y);
  }
  cairo_stroke(context);
}

void Canvas::disc(const Point& center, double radius, const Color& color) {
  cairo_t* context = context_.get();
  cairo_new_path(context);
  cairo_arc(context, center.x, center.y, radius, 0, 2 * kPi);
  nestgrad::use(context, color);
  cairo_fill(context);
}

void Canvas::image(const Point& place, double side, const Tensor& pixels) {
  const auto height = static_cast<int>(pixels.size(1));
  const auto width = static_cast<int>(pixels.size(2));
  const Tensor bytes = (pixels.expand({3, height, width}) * 255)
                           .round()
                           .to(at::kByte)
                           .permute({1, 2, 0})
                           .contiguous();
  const std::unique_ptr<cairo_surface_t, Release> surface(
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height));
  require_success(cairo_surface_status(surface.get()));
  const std::uint8_t* from = bytes.data_ptr<std::uint8_t>();
  unsigned char* const rows = cairo_image_surface_get_data(surface.get());
  const int stride = cairo_image_surface_get_stride(surface.get());
  for (int y = 0; y < height; ++y) {
    auto* const row =
        reinterpret_cast<std::uint32_t*>(rows + std::ptrdiff_t{y} * stride);
    for (int x = 0; x < width; ++x, from += 3) {
      row[x] = std::uint32_t{from[0]} << 16 | std::uint32_t{from[1]} << 8 |
               std::uint32_t{from[2]};
    }
  }
  cairo_surface_mark_dirty(surface.get());
  cairo_t* const context = context_.get();
  cairo_save(context);
  cairo_translate(context, place.x, place.y);
  cairo_scale(context, side / width, side / height);
  cairo_set_source_surface(context, surface.get(), 0, 0);
  cairo_pattern_set_filter(cairo_get_source(context), CAIRO_FILTER_NEAREST);
  cairo_rectangle(context, 0, 0, width, height);
  cairo_fill(context);
  cairo_restore(context);
}

void Canvas::text(const Point& place, const std::string& words,
                  const Font& font, double alignment) {
  const double left = place.x - alignment * text_width(words, font);
  nestgrad::use(context_.get(), font.color);
  cairo_move_to(context_.get(), left, place.y);
  cairo_show_text(context_.get(), words.c_str());
  cairo_new_path(context_.get());
}

double Canvas::text_width(const std::string& words, const Font& font) {
  use(font);
  cairo_text_extents_t extents;
  cairo_text_extents(context_.get(), words.c_str(), &extents);
  return extents.x_advance;
}

std::string Canvas::fitted(const std::string& words, const Font& font,
                           double width) {
  std::string result = words;
  for (std::size_t missing = 1;
       missing < words.size() && text_width(result, font) > width; ++missing) {
    result = shortened(words, missing);
  }
  return result;
}

std::string Canvas::png() const {
  require_success(cairo_status(context_.get()));
  std::string bytes;
  require_success(
      cairo_surface_write_to_png_stream(surface_.get(), append, &bytes));
  return bytes;
}

void Canvas::use(const Font& font) {
  // If this family is missing, cairo uses the system's sans-serif font.
  cairo_select_font_face(
      context_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
      font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(context_.get(), font.size);
}

}  // namespace nestgrad
