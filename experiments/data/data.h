#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config/registry.h"
#include "core/dataset.h"
#include "core/nn/model.h"
#include "experiments/data/scaling/input_scaling.h"

namespace nestgrad {

struct Preparation;
class TableEncoding;
struct TableColumns;

/// The examples of a data source.
struct Examples {
  Dataset training;
  Dataset test;  ///< `inputs` undefined if the source has no test set

  /// Where a number of an example stands in the source, for messages:
  /// "'data.csv', line 5: column 'a'"; "" if that is not known. Examples are
  /// counted from 0 through `training`, then `valid`, then `test`; numbers of
  /// an example from 0 in the order of memory. May be empty.
  std::function<std::string(std::int64_t example, std::int64_t number)> place =
      {};

  /// `inputs` undefined if the source has no validation set of its own.
  Dataset valid = {};

  /// Of a table: the columns that the inputs are, with numbers for texts and
  /// NaN for missing values. load_splits() turns them into features. Null if
  /// inputs are features.
  std::shared_ptr<const TableColumns> columns = {};
};

/// Examples whose targets are not known.
struct NewExamples {
  Dataset examples;  ///< as those of a source, without targets
  std::vector<std::string> names = {};  ///< of the examples: their files; none:
                                        ///< they are numbered
};

/// A source of labelled examples: files, or a formula.
///
/// To add one, see experiments/data/fashion_mnist.cpp.
class DataSource {
 public:
  static constexpr const char* kKind = "datasets";

  /// The common keys, which say how examples are split and prepared.
  static Schema common_schema();

  virtual ~DataSource() = default;

  /// All examples, on the CPU. Inputs are floating-point numbers, or bytes:
  /// pixels that load_splits() scales to [0, 1]. Throws Error with one sentence
  /// if a file is missing, cut short, damaged or of another format. `key` is
  /// for sources that draw their examples.
  virtual Examples load(const Key& key) const = 0;

  /// Examples without targets in a file or folder like those that this source
  /// reads, for a network that was trained on it. Inputs are in the units of
  /// the source; columns of a table are features already. Throws Error as
  /// load() does. Default: throws Error, the source reads no files of users.
  virtual NewExamples load_new(const std::string& path,
                               const Preparation& trained) const;
};

using DataRegistry = Registry<DataSource>;

/// Data as a problem uses them, on one device, in one floating-point type.
struct Splits {
  Dataset train, valid, test;
  /// [train], bool: whether the label was corrupted; undefined if none was.
  Tensor corrupted;

  /// Where the examples of each part stand in the source, int64, [examples];
  /// undefined: in this order.
  Tensor train_rows, valid_rows, test_rows;

  /// What "standardize" and "whiten" did to the inputs, in double precision if
  /// the source's numbers are.
  InputScaling scaling;

  /// The shift and scale of "standardize_targets", one of each per number of a
  /// target, in double precision; undefined without it.
  Tensor target_mean, target_deviation;

  /// How the columns of a table became features; null if the source is no
  /// table.
  std::shared_ptr<const TableEncoding> encoding = {};

  /// Whether the inputs are bytes in the source, which became numbers from 0 to
  /// 1.
  bool pixels = false;

  /// Shape of one example: {1, 28, 28}.
  Shape shape() const { return train.inputs.sizes().slice(1).vec(); }

  /// Converts inputs to the units of the source (pixels from 0 to 1), and back.
  Tensor in_source_units(const Tensor& inputs) const;
  Tensor prepared(const Tensor& in_source_units) const;

  /// Converts targets that are numbers, or outputs in their place, to the units
  /// of the source.
  Tensor targets_in_source_units(const Tensor& targets) const;
};

/// Loads the source that `data` names and splits it as the common keys say.
/// Validation and test sets are the source's own; without one, the examples are
/// a random subset of the source's training part. No example is in two parts of
/// the result. Throws ConfigError that points into `data`; a number that is not
/// finite in the type of `options` is a mistake. Warns of features whose values
/// are no longer told apart in that type.
Splits load_splits(const Config& data, const Key& key,
                   const at::TensorOptions& options);

}  // namespace nestgrad
