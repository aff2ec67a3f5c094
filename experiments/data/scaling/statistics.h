#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/dataset.h"

namespace nestgrad {

/// Calls f with all inputs of a data set, once, or until it returns false.
/// Those that stay in a file come in pieces of a few megabytes, in the order of
/// the file. `examples` are the numbers of the examples of a piece; undefined
/// if it is all of them in order. Returns whether f never returned false.
bool every_piece(
    const Dataset& data,
    const std::function<bool(const Tensor& inputs, const Tensor& examples)>& f);

/// The same for all pieces.
void each_piece(
    const Dataset& data,
    const std::function<void(const Tensor& inputs, const Tensor& examples)>& f);

/// Of each index of dimension 1 of the inputs, over all examples and all other
/// dimensions, which have size 1 in the result.
struct InputStatistics {
  Tensor deviation, mean;
};

/// Statistics of inputs that come in pieces, in double precision (Chan,
/// Golub and LeVeque 1983).
class Moments {
 public:
  void add(const Tensor& inputs);

  /// REQUIRES that inputs have been added.
  InputStatistics statistics() const;

 private:
  Tensor mean_, squares_;  // the latter: sums of squared deviations
  double count_ = 0;
};

/// Inputs in a file give the same bits as in memory if they would take at most
/// `whole` bytes there. Larger ones are read in pieces, whose moments are put
/// together.
InputStatistics statistics(const Dataset& data,
                           std::int64_t whole = std::int64_t{256} << 20);

/// (x - mean) / deviation in the type of `mean`; x if that is undefined.
Tensor scaled(const Tensor& x, const Tensor& mean, const Tensor& deviation);

/// The inverse, likewise.
Tensor unscaled(const Tensor& x, const Tensor& mean, const Tensor& deviation);

/// The deviation, and 1 for what is constant up to rounding: where it is at
/// most `rounding` times the mean's absolute value.
Tensor usable_deviation(const InputStatistics& of, double rounding);

/// A number that a floating-point type cannot hold, or no number.
struct BadNumber {
  std::int64_t example = 0, number = 0;  ///< both counted from 0
  double value = 0;

  /// What is said of it after its name: " is 1e+39, which float32 cannot hold".
  std::string reason(at::ScalarType type, bool is_standardized) const;
};

/// The first of the numbers [examples, shape of an example...] that is not
/// finite in this type.
std::optional<BadNumber> first_bad_number(const Tensor& x, at::ScalarType type);

}  // namespace nestgrad
