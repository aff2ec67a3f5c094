#pragma once

#include <cstddef>

#include "experiments/plot/canvas.h"

namespace nestgrad::palette {

// The colours of all pictures.

inline constexpr Color kInk{0.13, 0.13, 0.13};
inline constexpr Color kPale{0.40, 0.40, 0.40};
inline constexpr Color kGrid{0.91, 0.91, 0.91};
inline constexpr Color kBaseLine{0.55, 0.55, 0.55};

constexpr Color from_bytes(int red, int green, int blue) {
  return {red / 255.0, green / 255.0, blue / 255.0};
}

/// Of curves that have names.
inline constexpr std::size_t kCount = 8;

// Okabe and Ito, "Color Universal Design" (2008), for colour-blind readers,
// too. Yellow is hard to see on white and comes last.
inline constexpr Color kColors[kCount] = {
    from_bytes(0, 114, 178), from_bytes(213, 94, 0),
    from_bytes(0, 158, 115), from_bytes(204, 121, 167),
    from_bytes(230, 159, 0), from_bytes(86, 180, 233),
    from_bytes(0, 0, 0),     from_bytes(240, 228, 66)};

}  // namespace nestgrad::palette
