#include "experiments/data/saved_preparation.h"

#include <ATen/ATen.h>

#include <functional>

#include "core/platform/error.h"
#include "experiments/data/scaling/statistics.h"
#include "experiments/data/tables/table_reader.h"

namespace nestgrad {
namespace {

/// What a number of an example is called: "number 3", "column 'age'".
using Name = std::function<std::string(std::int64_t number)>;

/// The numbers of examples in `type`. `rows`: where each example stands in its
/// file; undefined: in order. Throws Error if a number is not finite.
Tensor finite(const Tensor& x, at::ScalarType type, const Tensor& rows,
              const std::string& place, const Name& name, bool standardized) {
  if (const auto bad = first_bad_number(x, type)) {
    throw Error(fmt::format(
        "{}: {} of example {}{}", place, name(bad->number),
        rows.defined() ? rows[bad->example].item<std::int64_t>() : bad->example,
        bad->reason(type, standardized)));
  }
  return x.to(type);
}

}  // namespace

Preparation Preparation::of(const Splits& splits) {
  return {splits.encoding,
          splits.scaling,
          splits.shape(),
          !splits.train.inputs.is_floating_point(),
          splits.pixels,
          splits.train.classes,
          splits.train.target_names,
          splits.target_mean,
          splits.target_deviation};
}

Json Preparation::to_json() const {
  Json out = {{"format", 1}};
  if (table) out["table"] = table->to_json();
  scaling.write(out);
  out["shape"] = shape;
  out["tokens"] = tokens;
  out["pixels"] = pixels;
  out["classes"] = classes;
  out["target_names"] = target_names;
  write_scale(out, "targets", target_mean, target_deviation);
  return out;
}

Preparation Preparation::from_json(const Json& json) {
  Preparation out;
  try {
    require(json.at("format") == 1, "a preparation of data has format 1");
    if (json.contains("table")) {
      out.table = std::make_shared<const TableEncoding>(
          TableEncoding::from_json(json.at("table")));
    }
    out.shape = json.at("shape").get<Shape>();
    count_of_numbers(out.shape, "shape");
    out.scaling = InputScaling::from_json(json, out.shape);
    out.tokens = json.at("tokens").get<bool>();
    out.pixels = json.at("pixels").get<bool>();
    out.classes = json.at("classes").get<std::int64_t>();
    out.target_names = json.at("target_names").get<std::vector<std::string>>();
    read_scale(json, "targets", out.target_mean, out.target_deviation);
    require(!out.target_mean.defined() || out.target_mean.dim() == 1,
            "\"targets\" have more than one dimension");
    const auto names = static_cast<std::int64_t>(out.target_names.size());
    require(out.classes == 0 || names == 0 || names == out.classes,
            "there are {} classes and {} names of classes", out.classes, names);
  } catch (const Json::exception& error) {
    throw Error(
        fmt::format("this is no preparation of data: {}", error.what()));
  }
  return out;
}

Dataset Preparation::prepared(const Dataset& examples, at::ScalarType type,
                              const std::string& place) const {
  const auto found = examples.inputs.sizes().slice(1);
  require(found == at::IntArrayRef(shape),
          "{}: an example has the shape {}, but the network was trained on {}",
          place, c10::str(found), c10::str(at::IntArrayRef(shape)));
  const bool are_bytes = examples.inputs.scalar_type() == at::kByte;
  require(
      are_bytes == pixels,
      "{}: inputs are {}bytes, those in training were {}; bytes are divided "
      "by 255, so either all of them must be bytes or none",
      place, are_bytes ? "" : "no ", pixels ? "bytes" : "none");
  if (tokens) return examples;
  const Dataset standardized =
      examples.converted([scaling = scaling](const Tensor& raw) {
        const bool bytes = raw.scalar_type() == at::kByte;
        return scaling.applied(bytes ? raw.to(at::kFloat).div_(255) : raw);
      });
  const Name name = [table = table](std::int64_t number) {
    if (table == nullptr) return fmt::format("number {}", number);
    const auto column = static_cast<std::size_t>(table->column_of(number));
    return fmt::format("column '{}'",
                       shown_field(table->columns()[column].name));
  };
  const auto finished = [=, shifted = scaling.standardizes()](
                            const Tensor& x, const Tensor& rows) {
    return finite(x, type, rows, place, name, shifted);
  };
  if (!standardized.stored) {
    Dataset out = standardized;
    out.inputs = finished(standardized.inputs, {});
    return out;
  }
  Dataset out =
      standardized.converted([type](const Tensor& x) { return x.to(type); });
  out.stored = std::make_shared<const StoredInputs>(StoredInputs{
      [finished, read = standardized.stored->read](const Tensor& rows) {
        return finished(read(rows), rows);
      },
      standardized.stored->order, standardized.stored->finite});
  return out;
}

Tensor Preparation::features_in(const std::string& path) const {
  require(table != nullptr,
          "'{}': the network was not trained on a table, so it takes none",
          path);
  TableReader reader(table->format(), table->columns());
  reader.read(path, 0);
  const Table read = reader.table();
  return table->features(read.columns, read.cells, "example");
}

Tensor Preparation::targets_in_source_units(const Tensor& outputs) const {
  return unscaled(outputs, target_mean, target_deviation);
}

}  // namespace nestgrad
