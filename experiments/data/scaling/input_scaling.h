#pragma once

#include "core/config/config.h"
#include "core/tensor/parameter_set.h"

namespace nestgrad {

/// What happens to the numbers x of an example before a network takes them, and
/// the way back.
///
///   y = (x - mean) / deviation    ("standardize") of each channel or feature
///   z = (y - center) W            ("whiten") of all d numbers of an example
///
/// W is symmetric: of all matrices that whiten it changes images least (zero
/// phase component analysis: Bell and Sejnowski 1997, "The 'independent
/// components' of natural scenes are edge filters").
struct InputScaling {
  Tensor mean, deviation;  ///< in the shape of one example in which they apply;
                           ///< undefined without standardization
  Tensor center = {};      ///< [d]; undefined without whitening, as are
  Tensor whitening = {};   ///< W, [d, d], and
  Tensor coloring = {};    ///< its inverse; all three in double precision

  bool standardizes() const { return mean.defined(); }
  bool whitens() const { return center.defined(); }

  /// z of x, [examples, shape of an example...], in the type of `mean`, or of x
  /// if it is undefined.
  Tensor applied(const Tensor& x) const;

  /// x of z, likewise.
  Tensor undone(const Tensor& z) const;

  /// The same on this device, with mean and deviation in this type.
  InputScaling to(const at::TensorOptions& options) const;

  /// Writes and reads what applied() needs: undone() of what is read is for
  /// scalings that do not whiten. from_json() throws Error if this is not what
  /// write() writes, or if it does not fit examples of this shape.
  void write(Json& json) const;
  static InputScaling from_json(const Json& json,
                                const std::vector<std::int64_t>& example);
};

/// The number of elements. Throws Error, which names the key, unless a tensor
/// may have this shape.
std::int64_t count_of_numbers(const std::vector<std::int64_t>& shape,
                              const char* key);

/// Writes shift and scale, with the shape in which they apply, under a key if
/// they are defined, and reads them if it is there. Throws Error if they are
/// damaged.
void write_scale(Json& json, const char* key, const Tensor& mean,
                 const Tensor& deviation);
void read_scale(const Json& json, const char* key, Tensor& mean,
                Tensor& deviation);

/// The covariances of examples, in double precision.
class Covariance {
 public:
  void add(const Tensor& inputs);

  /// W = U diag((s + share m)^-1/2) U' and its inverse, where U diag(s) U' are
  /// the covariances of the d numbers of an example and m is the mean of s; and
  /// their means as `center`. Throws Error if all examples are the same.
  /// REQUIRES that examples have been added.
  InputScaling whitening(double share) const;

 private:
  Tensor shift_, sum_, products_;  // of inputs less those of the first example
  double count_ = 0;
};

}  // namespace nestgrad
