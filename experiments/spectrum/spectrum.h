#pragma once

#include <complex>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/config/json_file.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// How one outer step moves what is near: the eigenvalues of the derivative of
/// the step by all numbers that steps change, namely weights, hyperparameters
/// and the memory of both rules, in the coordinates of the outer loop.
struct Spectrum {
  /// In descending order of size. Empty if training diverged.
  std::vector<std::complex<double>> eigenvalues;

  /// The spectral radius: the factor by which most deviations grow with each
  /// step in the long run. Below 1 a fixed point attracts what is near. NaN if
  /// training diverged.
  double radius() const;
};

/// The spectrum of the outer step that follows `steps` others (at least one),
/// by central differences in float64, whatever the estimator and the rules are.
/// For a quadratic game every step has the same spectrum, and differences are
/// exact but for rounding. Throws ConfigError for mistakes, and for more than
/// 400 numbers.
Spectrum spectrum_of(const JsonFile& file, std::int64_t steps);

/// Keys of a configuration that are given the same number, and these numbers.
struct Variation {
  std::vector<std::string> keys;  ///< dotted: "inner.momentum"
  std::vector<double> values;     ///< ascending

  /// "inner.momentum,outer.momentum=0:0.95:20": 20 numbers from 0 to 0.95.
  /// Throws Error, with the form that is expected.
  static Variation parse(const std::string& text);

  /// The keys as they were given: "inner.momentum,outer.momentum".
  std::string name() const;
};

/// Spectral radii over one or two variations.
struct SpectrumMap {
  std::vector<Variation> varied;
  Tensor radii;  ///< float64, [values of the first, values of the second or 1]

  std::string to_csv() const;

  /// The least radius, where it is, and how many are below 1, in words.
  std::string text() const;

  /// Draws a curve, or a map with the first variation to the right.
  void draw(const std::string& path) const;
};

/// REQUIRES one variation or two. `progress` is told the share that is done.
SpectrumMap map_spectrum(const JsonFile& file, std::int64_t steps,
                         std::vector<Variation> varied,
                         const std::function<void(double)>& progress = {});

}  // namespace nestgrad
