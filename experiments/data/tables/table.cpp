#include "experiments/data/tables/table.h"

#include <map>

#include "core/platform/error.h"
#include "experiments/data/tables/csv_file.h"

namespace nestgrad {
namespace {

const std::map<std::string, char> kSeparators = {
    {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}};
const std::map<std::string, char> kDecimals = {{"point", '.'}, {"comma", ','}};
const std::map<std::string, Missing> kMissing = {
    {"refuse", Missing::kRefuse},
    {"mean", Missing::kMean},
    {"indicator", Missing::kIndicator}};

template <class T>
std::string word_for(const std::map<std::string, T>& words, T value) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) return word;
  }
  return "";
}

}  // namespace

Schema TableFormat::with_keys(Schema schema) {
  return schema
      .boolean("header", kAbsent,
               "Whether the first line has the names of the columns. Left out: "
               "it has, and a first line that seems to be an example is "
               "refused.")
      .choice("separator", "comma", "The character between two columns.",
              {"comma", "semicolon", "tab"})
      .choice("decimal", "point",
              "The character before the fraction of a number.",
              {"point", "comma"})
      .choice("missing", "refuse",
              "What is done about a missing value of a feature (an empty "
              "field, NA, N/A, nan, null or ?): it is refused; or it becomes "
              "the mean of the training part; or, besides, one more feature is "
              "1 where the value was missing and 0 elsewhere. Missing targets "
              "are refused.",
              {"refuse", "mean", "indicator"});
}

TableFormat TableFormat::read(const Config& config) {
  TableFormat out;
  if (config.has("header")) out.header = config.boolean("header");
  out.separator = kSeparators.at(config.text("separator"));
  out.decimal = kDecimals.at(config.text("decimal"));
  out.missing = kMissing.at(config.text("missing"));
  if (out.separator == out.decimal) {
    config.fail("decimal",
                "must be \"point\" where \"separator\" is \"comma\"");
  }
  return out;
}

Json TableFormat::to_json() const {
  Json out = {{"separator", word_for(kSeparators, separator)},
              {"decimal", word_for(kDecimals, decimal)},
              {"missing", word_for(kMissing, missing)}};
  if (header) out["header"] = *header;
  return out;
}

TableFormat TableFormat::from_json(const Json& json) {
  return read(Config(complete(with_keys(Schema("")), json)));
}

std::string TableColumns::called(const TableColumn& column) const {
  return format.header.value_or(true)
             ? fmt::format("column '{}'", shown_field(column.name))
             : "column " + column.name;
}

}  // namespace nestgrad
