#include "experiments/data/data.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "experiments/data/preparation.h"

namespace nestgrad {
namespace {

/// The rows of a source that go into each part.
struct Cut {
  Tensor train, valid;    // of the source's training part
  Tensor test;            // undefined: the whole test set
  bool own_test = false;  // whether `test` refers to the source's test set
};

/// The number given by `key`, or `otherwise` if that is 0; at least 1. Throws
/// ConfigError if it exceeds `available`; `why` explains the limit.
std::int64_t asked(const Config& data, const std::string& key,
                   std::int64_t otherwise, std::int64_t available,
                   const std::string& why) {
  const std::int64_t number = data.integer(key);
  const std::int64_t wanted =
      number > 0 ? number : std::max<std::int64_t>(otherwise, 1);
  if (wanted > available) {
    data.fail(key,
              fmt::format("must be at most {}, is {}: {}",
                          std::max<std::int64_t>(available, 0), wanted, why));
  }
  return wanted;
}

/// Draws the rows in the order test, validation, training. The rows of a part
/// do not depend on the sizes of the parts after it.
Cut draw_cut(const Config& data, const Examples& examples, const Key& key) {
  const std::int64_t all = examples.training.size();
  const std::int64_t fifth = all / 5;
  const std::string in_all = fmt::format("the source has {} examples", all);
  const Tensor order = key.fold("training").permutation(all);
  Cut cut;
  std::int64_t taken = 0;
  if (examples.test.inputs.defined()) {
    cut.own_test = true;
    const std::int64_t given = examples.test.size();
    const std::int64_t test =
        asked(data, "test", given, given,
              fmt::format("the source has {} test examples", given));
    // The whole test set needs no rows.
    if (test < given) {
      cut.test = key.fold("test").permutation(given).slice(0, 0, test);
    }
  } else {
    taken = asked(data, "test", fifth, all - 2,
                  in_all + ", and 'valid' and 'train' need 1 or more each");
    cut.test = order.slice(0, 0, taken);
  }
  const std::int64_t valid =
      asked(data, "valid", fifth, all - taken - 1,
            fmt::format("{}, less {} for 'test', and 'train' needs 1 or more",
                        in_all, taken));
  cut.valid = order.slice(0, taken, taken + valid);
  taken += valid;
  const std::int64_t train =
      asked(data, "train", all - taken, all - taken,
            fmt::format("{}, less {} for the other parts", in_all, taken));
  cut.train = order.slice(0, taken, taken + train);
  return cut;
}

/// The places in the source of the numbers of a part, as far as the source
/// tells them.
Place places(const Examples& examples, const Cut& cut) {
  return [place = examples.place, cut](Part part, std::int64_t example,
                                       std::int64_t number) -> std::string {
    if (part == Part::kTest && cut.own_test) return "";
    const Tensor& rows = part == Part::kTrain   ? cut.train
                         : part == Part::kValid ? cut.valid
                                                : cut.test;
    return place(rows[example].item<std::int64_t>(), number);
  };
}

/// The examples in these rows. Pixels become numbers from 0 to 1.
Dataset select(const Dataset& source, const Tensor& rows) {
  const Batch chosen = source.rows(rows);
  const bool pixels = chosen.input.scalar_type() == at::kByte;
  return {pixels ? chosen.input.to(at::kFloat).div_(255) : chosen.input,
          chosen.target, source.classes, source.target_names};
}

/// Gives a share of the training examples a wrong class, uniformly drawn from
/// the others.
Splits corrupted(Splits splits, const Config& data, const Key& key) {
  Dataset& train = splits.train;
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

Schema DataSource::common_schema() {
  return Schema("How the examples of a source are split and prepared.")
      .integer(
          "train", 0,
          "Number of training examples. 0: all that the other parts leave.",
          at_least(0))
      .integer("valid", 0,
               "Number of validation examples, which are taken from the "
               "source's training part. 0: one fifth of that part.",
               at_least(0))
      .integer("test", 0,
               "Number of test examples. 0: the whole test set of the source, "
               "or one fifth of the examples if it has none.",
               at_least(0))
      .boolean("standardize", false,
               "Whether to subtract the mean and divide by the standard "
               "deviation of the training inputs, per channel of images and "
               "per feature of vectors.")
      .number("corrupt_labels", 0.0,
              "Share of the training examples that are given a wrong class, "
              "drawn uniformly.",
              from_to(0, 1));
}

namespace {

/// The examples of the source. Mistakes in files are reported at `data`.
Examples load(const Config& data, const Key& key) {
  try {
    return DataRegistry::instance().make(data)->load(key);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    throw ConfigError(data.pointer(), error.what());
  }
}

}  // namespace

Splits load_splits(const Config& data, const Key& key,
                   const at::TensorOptions& options) {
  Splits splits;
  Place place;
  {
    const Examples examples = load(data, key.fold("source"));
    require_differences(data, examples.training.inputs);
    const Cut cut = draw_cut(data, examples, key.fold("cut"));
    if (examples.place) place = places(examples, cut);
    splits.train = select(examples.training, cut.train);
    splits.valid = select(examples.training, cut.valid);
    splits.test =
        select(cut.own_test ? examples.test : examples.training, cut.test);
  }
  if (!at::isFloatingType(splits.train.inputs.scalar_type()) &&
      data.boolean("standardize")) {
    data.fail("standardize", "must be false for tokens, which have no mean");
  }
  if (splits.train.targets.dim() > 1 && data.number("corrupt_labels") > 0) {
    data.fail("corrupt_labels", "must be 0 where the target is a sequence");
  }
  if (data.boolean("standardize")) splits = standardized(std::move(splits));
  require_representable(data, splits, at::typeMetaToScalarType(options.dtype()),
                        place);
  warn_of_one_class(splits);
  splits = corrupted(std::move(splits), data, key.fold("corrupt"));
  for (Dataset* part : {&splits.train, &splits.valid, &splits.test}) {
    *part = part->to(options);
  }
  if (splits.corrupted.defined()) {
    splits.corrupted = splits.corrupted.to(splits.train.targets.device());
  }
  if (splits.mean.defined()) {
    const at::TensorOptions units = options.dtype(at::promoteTypes(
        splits.mean.scalar_type(), at::typeMetaToScalarType(options.dtype())));
    splits.mean = splits.mean.to(units);
    splits.deviation = splits.deviation.to(units);
  }
  return splits;
}

Tensor Splits::in_source_units(const Tensor& inputs) const {
  return mean.defined() ? inputs * deviation + mean : inputs;
}

Tensor Splits::targets_in_source_units(const Tensor& targets) const {
  if (!target_mean.defined()) return targets;
  return targets.to(at::kDouble) * target_deviation + target_mean;
}

Tensor Splits::prepared(const Tensor& in_source_units) const {
  const at::TensorOptions options = train.inputs.options();
  if (!mean.defined()) return in_source_units.to(options);
  const Tensor inputs = in_source_units.to(mean.options());
  return ((inputs - mean) / deviation).to(options);
}

}  // namespace nestgrad
