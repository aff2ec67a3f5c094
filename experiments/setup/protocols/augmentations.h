#pragma once

#include <cmath>

#include "core/config/json_file.h"
#include "core/nn/layer.h"

namespace nestgrad {

/// How strong the parts of an augmentation of images are.
struct AugmentationStrengths {
  double shift, contrast;  ///< of colours: "random_shift" and "contrast"
  double saturation;       ///< for colour images
  double zoom;
  double degrees = 15;         ///< of rotations
  double translation = 0.125;  ///< largest distance, in heights of an image
  double cutout;               ///< side of the square, in heights of an image
  bool flip;
};

/// One kind of change for each batch, drawn for each image: colours, zoom,
/// rotation, translation, cutout, flip (Zhao and Bilen 2021, "Dataset
/// condensation with differentiable siamese augmentation"). As a list of
/// layers; empty if the examples are no images.
inline Json one_change_of(const AugmentationStrengths& s, const Shape& shape) {
  if (shape.size() != 3) return Json::array();
  const auto height = static_cast<double>(shape[1]);
  Json colours = {{{"type", "random_shift"}, {"strength", s.shift}}};
  if (shape[0] == 3) {
    colours.push_back({{"type", "saturation"}, {"strength", s.saturation}});
  }
  colours.push_back({{"type", "contrast"}, {"strength", s.contrast}});
  Json changes = {
      {{"type", "chain"}, {"layers", colours}},
      {{"type", "zoom"}, {"strength", s.zoom}},
      {{"type", "rotation"}, {"degrees", s.degrees}},
      {{"type", "translation"},
       {"distance", std::floor(height * s.translation + 0.5)}},
      {{"type", "cutout"}, {"length", std::floor(height * s.cutout + 0.5)}}};
  if (s.flip) changes.push_back({{"type", "flip"}});
  return {{{"type", "one_of"}, {"layers", changes}}};
}

}  // namespace nestgrad
