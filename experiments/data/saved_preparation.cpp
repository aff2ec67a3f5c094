#include "experiments/data/saved_preparation.h"

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "core/tensor/numbers.h"
#include "experiments/data/tables/table_reader.h"

namespace nestgrad {
namespace {

/// Shift and scale, with the shape in which they apply to inputs.
void put(Json& json, const char* key, const Tensor& mean,
         const Tensor& deviation) {
  if (!mean.defined()) return;
  json[key] = {{"mean", to_numbers(mean)},
               {"deviation", to_numbers(deviation)},
               {"shape", mean.sizes().vec()}};
}

void get(const Json& json, const char* key, Tensor& mean, Tensor& deviation) {
  if (!json.contains(key)) return;
  const Json& both = json.at(key);
  const auto shape = both.at("shape").get<Shape>();
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    require(size > 0 && size < (std::int64_t{1} << 31),
            "\"{}\" has an impossible shape", key);
    count *= size;
  }
  const auto read = [&](const char* name) {
    const auto numbers = both.at(name).get<std::vector<double>>();
    require(static_cast<std::int64_t>(numbers.size()) == count,
            "\"{}\" of \"{}\" has {} numbers, expected {}", name, key,
            numbers.size(), count);
    return at::tensor(numbers, at::kDouble).view(shape);
  };
  mean = read("mean");
  deviation = read("deviation");
}

}  // namespace

Preparation Preparation::of(const Splits& splits) {
  return {splits.encoding,
          splits.mean,
          splits.deviation,
          splits.shape(),
          !splits.train.inputs.is_floating_point(),
          splits.train.classes,
          splits.train.target_names,
          splits.target_mean,
          splits.target_deviation};
}

Json Preparation::to_json() const {
  Json out = {{"format", 1}};
  if (table) out["table"] = table->to_json();
  put(out, "inputs", mean, deviation);
  out["shape"] = shape;
  out["tokens"] = tokens;
  out["classes"] = classes;
  out["target_names"] = target_names;
  put(out, "targets", target_mean, target_deviation);
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
    get(json, "inputs", out.mean, out.deviation);
    out.shape = json.at("shape").get<Shape>();
    out.tokens = json.at("tokens").get<bool>();
    out.classes = json.at("classes").get<std::int64_t>();
    out.target_names = json.at("target_names").get<std::vector<std::string>>();
    get(json, "targets", out.target_mean, out.target_deviation);
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
  if (tokens) return examples;
  return examples.converted(
      [mean = mean, deviation = deviation, type](const Tensor& raw) {
        const Tensor x =
            raw.scalar_type() == at::kByte ? raw.to(at::kFloat).div_(255) : raw;
        if (!mean.defined()) return x.to(type);
        return ((x.to(mean.options()) - mean) / deviation).to(type);
      });
}

Tensor Preparation::features_in(const std::string& path) const {
  require(table != nullptr,
          "'{}': the network was not trained on a table, so it takes none",
          path);
  TableReader reader(table->format(), table->columns());
  reader.read(path, 0);
  const Table read = reader.table();
  return table->features(read.columns, read.cells, "examples");
}

Tensor Preparation::targets_in_source_units(const Tensor& outputs) const {
  if (!target_mean.defined()) return outputs;
  return outputs.to(at::kDouble) * target_deviation + target_mean;
}

}  // namespace nestgrad
