#include "experiments/record/examples/image_sheet.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace nestgrad {
namespace {

constexpr double kSide = 56;  // of an image in the picture
constexpr double kGap = 6;
constexpr double kMargin = 14;
constexpr double kLabelHeight = 14;
constexpr double kTop = kMargin + kLabelHeight;
constexpr double kWidestLabel = 120;  // of a row
// Grey that can be read on a light page and on a dark one.
const Font kLabel{9.5, {0.52, 0.52, 0.52}};

/// Where image number i begins, if the first begins at `first`.
double place(double first, std::int64_t i) {
  return first + static_cast<double>(i) * (kSide + kGap);
}

int size(double first, std::int64_t count) {
  return static_cast<int>(std::ceil(place(first, count) - kGap + kMargin));
}

}  // namespace

bool are_images(const Tensor& inputs) {
  return inputs.defined() && inputs.dim() == 4 &&
         (inputs.size(1) == 1 || inputs.size(1) == 3);
}

Exposure::Exposure(const Tensor& images) {
  const Tensor sorted =
      std::get<0>(images.detach().to(at::kCPU).to(at::kFloat).flatten().sort());
  const std::int64_t n = sorted.size(0);
  black_ = sorted[n / 100].item<double>();
  white_ = sorted[n - 1 - n / 100].item<double>();
}

Tensor Exposure::operator()(const Tensor& images) const {
  const double range = white_ > black_ ? white_ - black_ : 1;
  return ((images.detach().to(at::kCPU).to(at::kFloat) - black_) / range)
      .clamp(0, 1);
}

double ImageSheet::width_of(const std::vector<std::string>& labels) {
  Canvas canvas(1, 1);
  double width = 0;
  for (const std::string& label : labels) {
    width = std::max(width, canvas.text_width(label, kLabel));
  }
  return std::min(width, kWidestLabel);
}

ImageSheet::ImageSheet(std::int64_t columns, std::int64_t rows,
                       double row_labels)
    : left_(kMargin + row_labels + (row_labels > 0 ? kGap : 0)),
      canvas_(size(left_, columns), size(kTop, rows), Canvas::Ground::kClear) {}

void ImageSheet::put(const Tensor& image, std::int64_t column,
                     std::int64_t row) {
  canvas_.image({place(left_, column), place(kTop, row)}, kSide, image);
}

void ImageSheet::label_column(std::int64_t column, const std::string& text) {
  canvas_.text({place(left_, column) + kSide / 2, kTop - kGap},
               canvas_.fitted(text, kLabel, kSide + kGap - 2), kLabel, 0.5);
}

void ImageSheet::label_row(std::int64_t row, const std::string& text) {
  canvas_.text({left_ - kGap, place(kTop, row) + kSide / 2 + 3.5},
               canvas_.fitted(text, kLabel, kWidestLabel), kLabel, 1);
}

void ImageSheet::label_corner(const std::string& text) {
  canvas_.text({left_ - kGap, kTop - kGap}, text, kLabel, 1);
}

}  // namespace nestgrad
