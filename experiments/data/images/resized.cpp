#include "experiments/data/images/resized.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace nestgrad {
namespace {

/// The old pixels along one axis that make a new one.
struct Window {
  std::int64_t first = 0;
  std::vector<float> weights;
};

/// The windows of all new pixels along an axis.
std::vector<Window> windows(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double reach = std::max(scale, 1.0);
  std::vector<Window> out;
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    Window window;
    window.first = std::max<std::int64_t>(
        static_cast<std::int64_t>(centre - reach + 0.5), 0);
    const std::int64_t end =
        std::min(static_cast<std::int64_t>(centre + reach + 0.5), from);
    double sum = 0;
    for (std::int64_t j = window.first; j < end; ++j) {
      const double distance =
          std::abs(static_cast<double>(j) + 0.5 - centre) / reach;
      const double weight = std::max(0.0, 1 - distance);
      window.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : window.weights) weight /= static_cast<float>(sum);
    out.push_back(std::move(window));
  }
  return out;
}

/// Laid on white.
unsigned char composed(unsigned char value, unsigned char alpha) {
  return static_cast<unsigned char>(
      (value * alpha + 255 * (255 - alpha) + 127) / 255);
}

/// One row of the image in the wanted channels: [channels, width].
void take_row(const Image& image, std::int64_t y, std::int64_t channels,
              float* out) {
  const std::int64_t n = image.channels;
  const bool has_alpha = n % 2 == 0, is_grey = n <= 2;
  const unsigned char* pixel = image.pixels.get() + y * image.width * n;
  for (std::int64_t x = 0; x < image.width; ++x, pixel += n) {
    const unsigned char alpha = has_alpha ? pixel[n - 1] : 255;
    unsigned char colours[3];
    for (int c = 0; c < 3; ++c) {
      colours[c] = composed(pixel[is_grey ? 0 : c], alpha);
    }
    if (channels == 1) {
      // As Pillow rounds it.
      out[x] = static_cast<float>(is_grey ? colours[0]
                                          : (colours[0] * 19595 +
                                             colours[1] * 38470 +
                                             colours[2] * 7471 + 0x8000) >>
                                                16);
      continue;
    }
    for (std::int64_t c = 0; c < 3; ++c) {
      out[c * image.width + x] = colours[c];
    }
  }
}

/// The row narrowed (or widened) to the windows, channel by channel.
void across_row(const std::vector<float>& row,
                const std::vector<Window>& windows, std::vector<float>& out) {
  const std::size_t channels = out.size() / windows.size();
  const std::size_t width = row.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t x = 0; x < windows.size(); ++x) {
      const Window& w = windows[x];
      const float* const old = row.data() + c * width + w.first;
      float value = 0;
      for (std::size_t j = 0; j < w.weights.size(); ++j) {
        value += w.weights[j] * old[j];
      }
      out[c * windows.size() + x] = value;
    }
  }
}

}  // namespace

Tensor resized(const Image& image, std::int64_t channels, std::int64_t height,
               std::int64_t width) {
  const std::vector<Window> across = windows(image.width, width);
  const std::vector<Window> down = windows(image.height, height);
  // Rows of the image are added to the new rows that they are a part of, so
  // that no copy of the image in floating point is needed.
  const Tensor sums = at::zeros({height, channels, width}, at::kFloat);
  std::vector<float> row(static_cast<std::size_t>(channels * image.width));
  std::vector<float> narrow(static_cast<std::size_t>(channels * width));
  std::size_t begin = 0;
  for (std::int64_t y = 0; y < image.height; ++y) {
    take_row(image, y, channels, row.data());
    across_row(row, across, narrow);
    const auto ends_before = [&](const Window& w) {
      return w.first + static_cast<std::int64_t>(w.weights.size()) <= y;
    };
    while (begin < down.size() && ends_before(down[begin])) ++begin;
    for (std::size_t i = begin; i < down.size() && down[i].first <= y; ++i) {
      const float weight =
          down[i].weights[static_cast<std::size_t>(y - down[i].first)];
      float* const sum = sums.data_ptr<float>() + i * narrow.size();
      for (std::size_t j = 0; j < narrow.size(); ++j) {
        sum[j] += weight * narrow[j];
      }
    }
  }
  return sums.permute({1, 0, 2}).round().clamp(0, 255).to(at::kByte);
}

}  // namespace nestgrad
