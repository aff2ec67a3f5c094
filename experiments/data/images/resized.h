#pragma once

#include "core/nn/model.h"
#include "experiments/data/images/image_file.h"

namespace nestgrad {

/// The pixels of an image, uint8 [channels, height, width], stretched to this
/// height and width.
///
/// `channels` is 1 or 3. What is transparent is laid on white. Grey is 0.299
/// red + 0.587 green + 0.114 blue. A new pixel is a mean of the old ones near
/// it with weights that fall linearly to 0, over one old pixel on either side
/// where the image grows and over one new pixel where it shrinks (bilinear with
/// antialiasing, as BILINEAR of Pillow and `antialias` of PyTorch). An image
/// that has this size already keeps its numbers.
Tensor resized(const Image& image, std::int64_t channels, std::int64_t height,
               std::int64_t width);

}  // namespace nestgrad
