#include "experiments/data/data.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "experiments/data/cut.h"
#include "experiments/data/preparation.h"
#include "experiments/data/scaling/statistics.h"
#include "experiments/data/tables/encoding.h"
#include "experiments/data/targets.h"

namespace nestgrad {
namespace {

/// The places in the source of the numbers of a part, as far as the source
/// tells them. `encoding`: from where numbers come in a table; null if they
/// stand there as they are.
Place places(const Examples& examples, const Cut& cut,
             const std::shared_ptr<const TableEncoding>& encoding) {
  const std::int64_t training = examples.training.size();
  const std::int64_t valid = cut.own_valid ? examples.valid.size() : 0;
  return [place = examples.place, cut, encoding, training, valid](
             Part part, std::int64_t example, std::int64_t number) {
    const bool own = part == Part::kValid  ? cut.own_valid
                     : part == Part::kTest ? cut.own_test
                                           : false;
    const std::int64_t before = !own                   ? 0
                                : part == Part::kValid ? training
                                                       : training + valid;
    const Tensor& rows = part == Part::kTrain   ? cut.train
                         : part == Part::kValid ? cut.valid
                                                : cut.test;
    if (encoding) number = encoding->column_of(number);
    return place(before + (rows.defined() ? rows[example].item<std::int64_t>()
                                          : example),
                 number);
  };
}

/// The examples in these rows. Pixels become numbers from 0 to 1.
Dataset select(const Dataset& source, const Tensor& rows) {
  const Dataset chosen = source.selected(rows);
  if (chosen.inputs.scalar_type() != at::kByte) return chosen;
  return chosen.converted(
      [](const Tensor& pixels) { return pixels.to(at::kFloat).div_(255); });
}

/// Gives a share of the training examples a wrong class, uniformly drawn from
/// the others.
Splits corrupted(Splits splits, const Config& data, const Key& key) {
  Dataset& train = splits.train;
  if (data.number("corrupt_labels") > 0 && train.targets.dim() > 1) {
    data.fail("corrupt_labels",
              train.classes > 0 ? "must be 0 where the target is a sequence"
                                : "must be 0 where the targets are numbers");
  }
  const auto count = static_cast<std::int64_t>(std::llround(
      data.number("corrupt_labels") * static_cast<double>(train.size())));
  if (count == 0) return splits;
  if (train.classes < 2) {
    data.fail("corrupt_labels", "must be 0 for data with a single class");
  }
  const Tensor rows =
      key.fold("rows").permutation(train.size()).slice(0, 0, count);
  const Tensor u = key.fold("classes").uniform(at::empty({count}, at::kDouble));
  const Tensor step = 1 + (u * (train.classes - 1)).floor().to(at::kLong);
  const Tensor wrong =
      (train.targets.index_select(0, rows) + step).remainder(train.classes);
  train.targets = train.targets.index_copy(0, rows, wrong);
  splits.corrupted =
      at::zeros({train.size()}, at::kBool).index_fill_(0, rows, 1);
  return splits;
}

}  // namespace

NewExamples DataSource::load_new(const std::string& path,
                                 const Preparation&) const {
  throw Error(fmt::format(
      "'{}': examples of this source cannot be read from a file of new ones",
      path));
}

Schema DataSource::common_schema() {
  return Schema("How the examples of a source are split and prepared.")
      .integer(
          "train", 0,
          "Number of training examples. 0: all that the other parts leave.",
          at_least(0))
      .integer("valid", 0,
               "Number of validation examples, which are taken from the "
               "source's validation set or, without one, from its training "
               "part. 0: the whole validation set, or one fifth of the "
               "training part.",
               at_least(0))
      .integer("test", 0,
               "Number of test examples. 0: the whole test set of the source, "
               "or one fifth of the examples if it has none.",
               at_least(0))
      .integer("split_seed", kAbsent,
               "The seed that says which examples go into which part. Left "
               "out: the seed of the run.",
               at_least(0))
      .boolean("stratify", false,
               "Whether each part has each class in the proportion that the "
               "source has.")
      .boolean("standardize", false,
               "Whether to subtract the mean and divide by the standard "
               "deviation of the training inputs, per channel of images and "
               "per feature of vectors.")
      .number("whiten", 0.0,
              "Inputs are whitened (ZCA) with the covariances of the training "
              "part: the numbers of an example become uncorrelated. The value "
              "is a share of their mean variance, which is added to every "
              "variance first so that noise is not amplified: 0.1, say. 0: "
              "inputs are not whitened.",
              at_least(0))
      .boolean("standardize_targets", false,
               "The same for targets that are numbers, each by itself. Metrics "
               "are in the units of the source all the same.")
      .number("corrupt_labels", 0.0,
              "Share of the training examples that are given a wrong class, "
              "drawn uniformly.",
              from_to(0, 1));
}

namespace {

/// f(), of which mistakes in files are reported at `data`.
template <class F>
auto reported_at(const Config& data, F f) {
  try {
    return f();
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw ConfigError(data.pointer(), error.what());
  }
}

Examples load(const Config& data, const Key& key) {
  return reported_at(
      data, [&] { return DataRegistry::instance().make(data)->load(key); });
}

/// The parts as the source has them.
Splits drawn(const Examples& examples, const Cut& cut) {
  const Dataset& all = examples.training;
  Splits out;
  out.pixels = all.inputs.scalar_type() == at::kByte;
  out.train = select(all, cut.train);
  out.valid = select(cut.own_valid ? examples.valid : all, cut.valid);
  out.test = select(cut.own_test ? examples.test : all, cut.test);
  out.train_rows = cut.train;
  out.valid_rows = cut.valid;
  out.test_rows = cut.test;
  return out;
}

/// The columns of a table as features, which are learned from the training
/// part.
Splits encoded(Splits splits, const Examples& examples, const Config& data) {
  if (!examples.columns) return splits;
  return reported_at(data, [&] {
    TableColumns columns = *examples.columns;
    splits.encoding = std::make_shared<const TableEncoding>(
        TableEncoding::learned(columns, splits.train.inputs));
    const auto encode = [&](Dataset& part, const std::string& path,
                            const char* example) {
      columns.path = path.empty() ? examples.columns->path : path;
      part.inputs = splits.encoding->features(columns, part.inputs, example);
    };
    encode(splits.train, "", "training example");
    encode(splits.valid, columns.valid_path, "validation example");
    encode(splits.test, columns.test_path, "test example");
    return std::move(splits);
  });
}

/// Shifted and scaled as the configuration says.
Splits scaled(Splits splits, const Config& data) {
  if (data.boolean("standardize")) {
    if (!at::isFloatingType(splits.train.inputs.scalar_type())) {
      data.fail("standardize", "must be false for tokens, which have no mean");
    }
    splits = standardized(std::move(splits));
  }
  if (data.boolean("standardize_targets")) {
    splits = with_standardized_targets(std::move(splits), data);
  }
  return splits;
}

/// The numbers in the type and on the device of `options`.
Splits moved(Splits splits, const at::TensorOptions& options) {
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    *part = part->to(options);
  }
  const at::Device device = splits.train.targets.device();
  for (Tensor* t :
       {&splits.corrupted, &splits.target_mean, &splits.target_deviation}) {
    if (t->defined()) *t = t->to(device);
  }
  const Tensor& mean = splits.scaling.mean;
  const auto type = at::typeMetaToScalarType(options.dtype());
  splits.scaling = splits.scaling.to(options.dtype(
      mean.defined() ? at::promoteTypes(mean.scalar_type(), type) : type));
  return splits;
}

}  // namespace

Splits load_splits(const Config& data, const Key& key,
                   const at::TensorOptions& options) {
  Splits splits;
  Place place;
  {
    const Examples examples = load(data, key.fold("source"));
    require_differences(data, examples.training);
    const Cut cut = draw_cut(data, examples, key.fold("cut"));
    splits = encoded(drawn(examples, cut), examples, data);
    if (examples.place) place = places(examples, cut, splits.encoding);
  }
  splits = scaled(std::move(splits), data);
  require_representable(data, splits, at::typeMetaToScalarType(options.dtype()),
                        place);
  require_representable_targets(data, splits,
                                at::typeMetaToScalarType(options.dtype()));
  if (data.number("whiten") > 0) splits = whitened(std::move(splits), data);
  warn_of_one_class(splits);
  splits = corrupted(std::move(splits), data, key.fold("corrupt"));
  return moved(std::move(splits), options);
}

Tensor Splits::in_source_units(const Tensor& inputs) const {
  return scaling.undone(inputs);
}

Tensor Splits::targets_in_source_units(const Tensor& targets) const {
  return unscaled(targets, target_mean, target_deviation);
}

Tensor Splits::prepared(const Tensor& in_source_units) const {
  return scaling.applied(in_source_units).to(train.inputs.options());
}

}  // namespace nestgrad
