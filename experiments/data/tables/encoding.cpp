#include "experiments/data/tables/encoding.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "core/tensor/numbers.h"
#include "experiments/data/tables/csv_file.h"

namespace nestgrad {
namespace {

using Column = TableEncoding::Column;

constexpr std::int64_t kNoCategory = -1;

/// The positions of texts in a list of categories; kNoCategory for the others.
Tensor category_of_text(const std::vector<std::string>& texts,
                        const std::vector<std::string>& categories,
                        char decimal) {
  std::map<std::string, std::int64_t, TextOrder> numbers(TextOrder{decimal});
  for (const std::string& category : categories) {
    numbers.emplace(category, static_cast<std::int64_t>(numbers.size()));
  }
  std::vector<std::int64_t> out;
  for (const std::string& text : texts) {
    const auto found = numbers.find(text);
    out.push_back(found == numbers.end() ? kNoCategory : found->second);
  }
  return at::tensor(out, at::kLong);
}

/// How often each text stands in a column, [texts].
Tensor counts(const Tensor& cells, std::size_t texts) {
  return at::bincount(
      cells.masked_select(cells.isnan().logical_not()).to(at::kLong), {},
      static_cast<std::int64_t>(texts));
}

/// Which category each cell is, one column of 0 and 1 for each.
Tensor one_hot(const Tensor& cells, const Tensor& category_of_text,
               std::int64_t categories) {
  if (category_of_text.numel() == 0) {
    return at::zeros({cells.size(0), categories}, at::kDouble);
  }
  const Tensor texts = cells.nan_to_num(0).to(at::kLong);
  return category_of_text.index_select(0, texts)
      .unsqueeze(1)
      .eq(at::arange(categories, at::kLong))
      .to(at::kDouble);
}

void warn_of_unseen(const TableColumns& table, const TableColumn& column,
                    const Tensor& cells, const Tensor& category_of_text,
                    const std::string& example) {
  const Tensor met = counts(cells, column.texts.size());
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown;
  std::size_t texts = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < column.texts.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const auto count = met[at].item<std::int64_t>();
    if (count == 0 || category_of_text[at].item<std::int64_t>() >= 0) continue;
    all += count;
    if (++texts > kShown) continue;
    shown.push_back(
        fmt::format("'{}' in {}", shown_field(column.texts[i]), count));
  }
  if (all == 0) return;
  add_warning(fmt::format(
      "'{}', {}: {} {}{} a text that no training example has ({}{}); there all "
      "categories of this column are 0",
      table.path, table.called(column), all, example,
      all == 1 ? " has" : "s have", fmt::join(shown, ", "),
      texts > kShown ? fmt::format(", and {} more", texts - kShown) : ""));
}

Column learned_column(const TableColumns& table, std::size_t i,
                      const Tensor& cells) {
  const TableColumn& from = table.columns[i];
  Column out{from.name, from.is_text};
  const Tensor missing = cells.isnan();
  const Tensor present = cells.masked_select(missing.logical_not());
  require(present.numel() > 0,
          "'{}': {} has no value in the training part; name it in \"drop\"",
          table.path, table.called(from));
  if (from.is_text) {
    const Tensor met = counts(cells, from.texts.size());
    std::map<std::string, double, TextOrder> shares(
        TextOrder{table.format.decimal});
    for (std::size_t k = 0; k < from.texts.size(); ++k) {
      const auto count = met[static_cast<std::int64_t>(k)].item<double>();
      if (count > 0) shares[from.texts[k]] += count;
    }
    for (const auto& [text, count] : shares) {
      out.categories.push_back(text);
      out.means.push_back(count / static_cast<double>(present.numel()));
    }
  } else {
    out.means = {present.mean().item<double>()};
  }
  if (table.format.missing == Missing::kRefuse) out.means.clear();
  out.indicator =
      table.format.missing == Missing::kIndicator && missing.any().item<bool>();
  return out;
}

}  // namespace

std::int64_t TableEncoding::Column::features() const {
  return (is_text ? static_cast<std::int64_t>(categories.size()) : 1) +
         (indicator ? 1 : 0);
}

TableEncoding TableEncoding::learned(const TableColumns& table,
                                     const Tensor& cells) {
  TableEncoding out;
  out.format_ = table.format;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    out.columns_.push_back(learned_column(
        table, i, cells.select(1, static_cast<std::int64_t>(i))));
  }
  return out;
}

Tensor TableEncoding::features(const TableColumns& table, const Tensor& cells,
                               const std::string& example) const {
  require(table.columns.size() == columns_.size(),
          "'{}': expected {} columns of features, found {}", table.path,
          columns_.size(), table.columns.size());
  std::vector<Tensor> out;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const TableColumn& from = table.columns[i];
    require(from.name == column.name && from.is_text == column.is_text,
            "'{}': expected the column '{}' of {}, found '{}' of {}",
            table.path, shown_field(column.name),
            column.is_text ? "texts" : "numbers", shown_field(from.name),
            from.is_text ? "texts" : "numbers");
    const Tensor x = cells.select(1, static_cast<std::int64_t>(i));
    Tensor features = x.unsqueeze(1);
    if (column.is_text) {
      const Tensor category =
          category_of_text(from.texts, column.categories, format_.decimal);
      warn_of_unseen(table, from, x, category, example);
      features = one_hot(x, category,
                         static_cast<std::int64_t>(column.categories.size()));
    }
    const Tensor missing = x.isnan().unsqueeze(1);
    if (missing.any().item<bool>()) {
      require(!column.means.empty(), "'{}': {} lacks a value", table.path,
              table.called(from));
      features =
          at::where(missing, at::tensor(column.means, at::kDouble), features);
    }
    out.push_back(features);
    if (column.indicator) out.push_back(missing.to(at::kDouble));
  }
  return at::cat(out, 1);
}

std::vector<std::string> TableEncoding::feature_names() const {
  std::vector<std::string> out;
  for (const Column& column : columns_) {
    if (!column.is_text) out.push_back(column.name);
    for (const std::string& category : column.categories) {
      out.push_back(column.name + "=" + category);
    }
    if (column.indicator) out.push_back(column.name + " is missing");
  }
  return out;
}

std::int64_t TableEncoding::column_of(std::int64_t feature) const {
  std::int64_t column = 0;
  for (const Column& one : columns_) {
    feature -= one.features();
    if (feature < 0) return column;
    ++column;
  }
  return column - 1;
}

std::vector<TableColumn> TableEncoding::columns() const {
  std::vector<TableColumn> out;
  for (const Column& column : columns_) {
    out.push_back({column.name, column.is_text});
  }
  return out;
}

Json TableEncoding::to_json() const {
  Json columns = Json::array();
  for (const Column& column : columns_) {
    Json json = {{"name", column.name}};
    if (column.is_text) json["categories"] = column.categories;
    if (!column.means.empty()) json["means"] = column.means;
    if (column.indicator) json["indicator"] = true;
    columns.push_back(std::move(json));
  }
  return {{"format", format_.to_json()}, {"columns", std::move(columns)}};
}

TableEncoding TableEncoding::from_json(const Json& json) {
  TableEncoding out;
  try {
    out.format_ = TableFormat::from_json(json.at("format"));
    for (const Json& one : json.at("columns")) {
      Column column{one.at("name"), one.contains("categories")};
      if (column.is_text) {
        column.categories =
            one.at("categories").get<std::vector<std::string>>();
      }
      if (one.contains("means")) {
        column.means = one.at("means").get<std::vector<double>>();
      }
      column.indicator = one.value("indicator", false);
      const auto values = static_cast<std::int64_t>(column.means.size());
      require(values == 0 ||
                  values == column.features() - (column.indicator ? 1 : 0),
              "column '{}' has {} means", shown_field(column.name), values);
      out.columns_.push_back(std::move(column));
    }
  } catch (const Json::exception& error) {
    throw Error(
        fmt::format("this describes no columns of a table: {}", error.what()));
  }
  return out;
}

}  // namespace nestgrad
