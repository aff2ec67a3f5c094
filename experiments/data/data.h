#pragma once

#include "core/config/registry.h"
#include "core/dataset.h"
#include "core/nn/model.h"

namespace nestgrad {

/// What a data source has to offer.
struct Examples {
  Dataset training;
  Dataset test;  ///< `inputs` undefined if the source has no test set
};

/// Labelled examples from somewhere: files, or a formula.
///
/// To add one, see experiments/data/fashion_mnist.cpp.
class DataSource {
 public:
  static constexpr const char* kKind = "datasets";

  /// How any source is cut and prepared: "train", "valid", "test" (numbers of
  /// examples), "standardize", "corrupt_labels".
  static Schema common_schema();

  virtual ~DataSource() = default;

  /// All examples, on the CPU. Inputs are floating-point, or bytes: pixels that
  /// load_splits scales to [0, 1]. Throws Error with one clear sentence if a
  /// file is missing, cut short, damaged or of another format. `key` is for
  /// sources that draw their examples.
  virtual Examples load(const Key& key) const = 0;
};

using DataRegistry = Registry<DataSource>;

/// Data as a problem uses it, on one device, in one floating-point type.
struct Splits {
  Dataset train, valid, test;
  /// [train], bool: whose labels were changed on purpose; undefined if none.
  Tensor corrupted;

  /// What "standardize" subtracted and divided by, for one example; undefined
  /// if it did not.
  Tensor mean, deviation;

  /// Sizes of one example: {1, 28, 28}.
  Shape shape() const { return train.inputs.sizes().slice(1).vec(); }

  /// Inputs in the units of the source, pixels from 0 to 1, and the inverse.
  Tensor in_source_units(const Tensor& inputs) const;
  Tensor prepared(const Tensor& in_source_units) const;
};

/// Loads the source that `data` names and cuts it as its common keys say:
/// training and validation examples are disjoint random subsets of the
/// source's training part; the test set is the source's own or, where it has
/// none, a further subset. Throws ConfigError that points into `data`.
Splits load_splits(const Config& data, const Key& key,
                   const at::TensorOptions& options);

}  // namespace nestgrad
