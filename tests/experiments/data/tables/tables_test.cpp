// Tables: their columns, categories, missing values and files of parts.

#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "experiments/data/tables/encoding.h"
#include "tests/support/data_support.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

using Names = std::vector<std::string>;

Json section_of(const std::string& path, const Json& keys) {
  Json section = {{"type", "csv"}, {"file", path}};
  section.update(keys);
  return section;
}

Splits splits_of(const std::string& path, const Json& keys) {
  return load_splits(data_section(section_of(path, keys)), Key(1), float64());
}

/// The table in a file, as load_splits() takes it.
Splits splits_of_text(const std::string& text, const Json& keys) {
  const TemporaryFolder folder;
  return splits_of(folder.write("t.csv", text), keys);
}

Names features_of(const Splits& splits) {
  return splits.encoding->feature_names();
}

/// Sorted by their first number, since training rows are in random order.
Tensor sorted(const Tensor& rows) {
  return rows.index_select(0, std::get<1>(rows.select(1, 0).sort()));
}

Tensor matrix(const std::vector<double>& numbers, std::int64_t columns) {
  return at::tensor(numbers, at::kDouble).view({-1, columns});
}

bool warned(const Names& words) {
  const Names texts = untold_warnings();
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& w) {
      return text.find(w) != std::string::npos;
    });
  });
}

/// Six rows of training, two of validation, two of test.
const std::string kCities =
    "x,city,y,part\n"
    "1,Rome,0,train\n2,Bonn,1,train\n3,Rome,0,train\n4,Rome,1,train\n"
    "5,Bonn,0,train\n6,Rome,1,train\n"
    "1,Oslo,0,valid\n2,Bonn,1,valid\n"
    "1,Rome,0,test\n2,Rome,1,test\n";
const Json kParts = {{"target", "y"}, {"split_column", "part"}};

Json with(const Json& keys, Json base = kParts) {
  base.update(keys);
  return base;
}

/// `text` with another line at its end, refused with `reason`.
void require_refusal(const std::string& text, const Json& keys,
                     const std::string& reason) {
  CAPTURE(text, reason);
  CHECK_THROWS_AS(splits_of_text(text, keys), ConfigError);
  CHECK_THROWS_WITH(splits_of_text(text, keys), ContainsSubstring(reason));
}

}  // namespace

TEST_CASE("texts become a feature for each category of the training part",
          "[data][tables]") {
  untold_warnings();
  const Splits splits = splits_of_text(kCities, kParts);
  CHECK(features_of(splits) == Names{"x", "city=Bonn", "city=Rome"});
  CHECK(at::equal(
      sorted(splits.train.inputs),
      matrix({1, 0, 1, 2, 1, 0, 3, 0, 1, 4, 0, 1, 5, 1, 0, 6, 0, 1}, 3)));
  // Oslo is not in the training part.
  CHECK(at::equal(splits.valid.inputs, matrix({1, 0, 0, 2, 1, 0}, 3)));
  CHECK(at::equal(splits.test.inputs, matrix({1, 0, 1, 2, 0, 1}, 3)));
  CHECK(warned({"column 'city': 1 validation example has", "'Oslo' in 1"}));
  CHECK(splits.train.target_names == Names{"0", "1"});
  CHECK(splits.encoding->column_of(0) == 0);
  CHECK(splits.encoding->column_of(2) == 1);
}

TEST_CASE("the features of a table are those that NumPy computes",
          "[data][tables]") {
  const TemporaryFolder folder;
  std::string text = "x;age;city;kind;part\n";
  const Tensor x = Key(5).normal(at::empty({60}, float64()));
  const Tensor age = 40 + 9 * Key(6).normal(at::empty({60}, float64()));
  for (int i = 0; i < 60; ++i) {
    const bool oslo = i % 5 == 3;
    std::string row = fmt::format(
        "{:.6f};{};{};{};{}\n", x[i].item<double>(),
        i % 7 == 2 ? "" : fmt::format("{:.2f}", age[i].item<double>()),
        i % 11 == 4 ? ""
        : oslo      ? "Oslo"
        : i % 3 > 0 ? "Rom"
                    : "Z\xc3\xbcrich",
        i % 2,
        i % 5 < 3 ? "train"
        : oslo    ? "valid"
                  : "test");
    std::replace(row.begin(), row.end(), '.', ',');
    text += row;
  }
  const Splits splits =
      splits_of(folder.write("t.csv", text), {{"target", "kind"},
                                              {"split_column", "part"},
                                              {"separator", "semicolon"},
                                              {"decimal", "comma"},
                                              {"missing", "indicator"},
                                              {"standardize", true}});
  CHECK(features_of(splits) == Names{"x", "age", "age is missing", "city=Rom",
                                     "city=Z\xc3\xbcrich", "city is missing"});
  REQUIRE(shell(folder.path(""),
                "/usr/bin/python3 " NESTGRAD_SOURCE_DIR
                "/tests/experiments/data/tables/features.py t.csv out")
              .code == 0);
  std::ifstream in(folder.path("out"));
  const std::vector<double> numbers{std::istream_iterator<double>(in), {}};
  REQUIRE(numbers.size() == 360);
  const Tensor got =
      at::cat({sorted(splits.train.inputs), sorted(splits.valid.inputs),
               sorted(splits.test.inputs)});
  CHECK(at::allclose(got, matrix(numbers, 6), 1e-12, 1e-12));
}

TEST_CASE("missing values are refused, or become means of the training part",
          "[data][tables]") {
  const std::string rows =
      "a,b,y,part\n1,5,0,train\n,6,1,train\n6,7,0,train\n"
      "NA,8,1,valid\n3,nan,0,test\n";
  require_refusal(rows, kParts, "line 3: column 'a' has no value");
  require_refusal(rows, kParts, "\"missing\" has to be \"mean\"");
  const Splits mean = splits_of_text(rows, with({{"missing", "mean"}}));
  CHECK(features_of(mean) == Names{"a", "b"});
  CHECK(at::equal(mean.valid.inputs, matrix({3.5, 8}, 2)));
  CHECK(at::equal(mean.test.inputs, matrix({3, 6}, 2)));
  // The training part lacks no value of b.
  const Splits indicator =
      splits_of_text(rows, with({{"missing", "indicator"}}));
  CHECK(features_of(indicator) == Names{"a", "a is missing", "b"});
  CHECK(at::equal(indicator.valid.inputs, matrix({3.5, 1, 8}, 3)));
  CHECK(at::equal(indicator.test.inputs, matrix({3, 0, 6}, 3)));

  require_refusal("a,b,y,part\n,5,0,train\n,6,1,train\n1,7,0,valid\n",
                  with({{"missing", "mean"}}),
                  "column 'a' has no value in the training part; name it in");
  for (const char* word : {"", "NA", "?", "null", "N/A", "nan"}) {
    const std::string target = fmt::format("a,y\n1,0\n2,1\n3,{}\n", word);
    require_refusal(target, {{"missing", "mean"}},
                    "line 4: the class is missing");
    require_refusal(target, {{"missing", "mean"}, {"targets", "numbers"}},
                    "line 4: target column 'y' is missing");
  }
}

TEST_CASE("texts that are no categories are refused", "[data][tables]") {
  std::string names = "x,name,y\n", cities = names;
  for (int i = 0; i < 40; ++i) {
    names += fmt::format("{},n{},{}\n", i * i, i % 30, i % 2);
    cities += fmt::format("{},n{},{}\n", i * i, i % 15, i % 2);
  }
  require_refusal(names, Json::object(),
                  "column 'name' has 30 different texts in 40 rows");
  CHECK(splits_of_text(names, {{"most_categories", 30}, {"split_seed", 3}})
            .encoding->columns()
            .size() == 2);
  CHECK_NOTHROW(splits_of_text(cities, Json::object()));
  require_refusal(cities, {{"most_categories", 14}},
                  "set \"most_categories\" to 15");
  // One word among numbers is a mistake of the file.
  require_refusal("x,y\n1,0\n2,1\ntwo,0\n", Json::object(),
                  "line 4: column 'x' must be a finite number, is 'two'");
  require_refusal("x,y\n1,0\n2,1\ntwo,0\n", Json::object(),
                  "2 of 3 values of this column are numbers");
  // A first line of an example is not taken for names.
  require_refusal("m,1,a\nf,2,b\nm,3,a\nf,4,b\nm,5,a\n", Json::object(),
                  "'m' in the first line also stands below it");
  CHECK(features_of(splits_of_text("m,1,a\nf,2,b\nm,3,a\nf,4,b\nm,5,a\nf,6,b\n",
                                   {{"header", false}, {"split_seed", 1}}))
            .back() == "1");
}

TEST_CASE("decimal commas are read, and told apart from points",
          "[data][tables]") {
  const std::string commas = "a;b;y\n1,5;x;0\n-2,25;z;1\n3;x;0\n7,5;z;1\n";
  const Json semicolons = {{"separator", "semicolon"}};
  const Tensor inputs =
      load_source(section_of(TemporaryFolder().write("t.csv", commas),
                             with({{"decimal", "comma"}}, semicolons)))
          .training.inputs;
  CHECK(at::equal(inputs.select(1, 0),
                  at::tensor({1.5, -2.25, 3., 7.5}, at::kDouble)));
  require_refusal(commas, semicolons,
                  "line 2: column 'a' must be a finite number, is '1,5'; set "
                  "\"decimal\" to \"comma\"");
  require_refusal("a;y\n1.5;0\n2,5;1\n3,5;0\n",
                  with({{"decimal", "comma"}}, semicolons),
                  "is '1.5'; set \"decimal\" to \"point\"");
  require_refusal("a,y\n1,0\n2,1\n", {{"decimal", "comma"}},
                  "/data/decimal: must be \"point\"");
}

TEST_CASE("features and targets are chosen by name or number",
          "[data][tables]") {
  const std::string text =
      "id,a,b,c,d\n7,1,2,3,4\n9,5,6,7,8\n8,9,1,2,3\n6,4,5,6,9\n";
  const TemporaryFolder folder;
  const std::string path = folder.write("t.csv", text);
  const auto load = [&](const Json& keys) {
    return load_source(section_of(path, with(keys, {{"targets", "numbers"}})));
  };
  const auto columns = [](const Examples& examples) {
    Names out;
    for (const TableColumn& column : examples.columns->columns) {
      out.push_back(column.name);
    }
    return out;
  };
  const Examples two = load({{"target", {"d", 1}}, {"drop", {"id"}}});
  CHECK(columns(two) == Names{"b", "c"});
  CHECK(two.training.target_names == Names{"d", "a"});
  CHECK(at::equal(two.training.targets, matrix({4, 1, 8, 5, 3, 9, 9, 4}, 2)));
  CHECK(two.training.classes == 0);
  CHECK(columns(load({{"columns", {"c", 1}}})) == Names{"c", "a"});
  CHECK(columns(load({{"drop", 0}})) == Names{"a", "b", "c"});

  const auto refused = [&](const Json& keys, const char* reason) {
    CAPTURE(keys);
    CHECK_THROWS_WITH(load(keys), ContainsSubstring(reason));
  };
  refused({{"target", {"c", "d"}}, {"targets", "classes"}},
          "several target columns are \"numbers\"");
  refused({{"columns", {"a", "d"}}}, "column 'd' is the target");
  refused({{"drop", {"d"}}}, "column 'd' is the target");
  refused({{"columns", {"a"}}, {"drop", {"b"}}}, "must be left out where");
  refused({{"columns", {"a", "a"}}},
          "the column 'a' is given twice (\"columns");
  refused({{"drop", {"e"}}}, "there is no column 'e' (\"drop\")");
  refused({{"columns", Json::array()}}, "one column or more");
  refused({{"target", 1.5}}, "the name or the number of a column");
  refused({{"drop", {"id", "a", "b", "c"}}}, "no column is left");
  refused({{"classes", 3}}, "must be left out where \"targets\"");
}

TEST_CASE("targets that are numbers must be numbers that differ",
          "[data][tables]") {
  const Json numbers = {{"targets", "numbers"}, {"target", {"y", "z"}}};
  require_refusal(
      "x,y,z\n1,2,3\n2,3,high\n4,4,4\n", numbers,
      "line 3: target column 'z' must be a finite number, is 'high'");
  require_refusal("x,y,z\n1,2,3\n2,2,3\n4,2,3\n", numbers,
                  "have the same target");
  untold_warnings();
  splits_of_text("x,y,z\n1,2,3\n2,2,4\n4,2,5\n", numbers);
  CHECK(warned({"column 'y' has the same value", "and tells nothing"}));
  require_refusal("x,y,y\n1,2,3\n2,3,4\n",
                  {{"targets", "numbers"}, {"target", {1, 2}}},
                  "there are 2 target columns 'y'; give each a name");
  const TemporaryFolder folder;
  const Json keys = {{"targets", "numbers"}};
  CHECK_THROWS_WITH(
      load_splits(data_section(section_of(
                      folder.write("t.csv", "x,y\n1,2\n2,1e39\n4,3\n"), keys)),
                  Key(1), at::TensorOptions().dtype(at::kFloat)),
      ContainsSubstring("target 'y' of") &&
          ContainsSubstring("which float32 cannot hold"));
}

TEST_CASE("validation and test sets may have files of their own",
          "[data][tables]") {
  const TemporaryFolder folder;
  const std::string train =
      folder.write("a.csv", "x,city,y\n1,Rome,no\n2,Bonn,yes\n3,Rome,no\n");
  // The columns in another order, and a class that the first file lacks.
  const Json keys = {
      {"valid_file", folder.write("b.csv", "y,x,city\nyes,5,Bonn\n")},
      {"test_file", folder.write("c.csv", "x,city,y\n8,Rome,maybe\n9,1,no\n")}};
  untold_warnings();
  const Splits splits = splits_of(train, keys);
  CHECK(warned({"c.csv', column 'city': 1 test example has", "'1' in 1"}));
  CHECK(splits.train.size() == 3);
  CHECK(at::equal(splits.valid.inputs, matrix({5, 1, 0}, 3)));
  CHECK(at::equal(splits.test.inputs, matrix({8, 0, 1, 9, 0, 0}, 3)));
  CHECK(splits.test.target_names == Names{"maybe", "no", "yes"});
  CHECK(at::equal(splits.valid.targets, at::tensor({2}, at::kLong)));
  CHECK(at::equal(splits.test.targets, at::tensor({0, 1}, at::kLong)));

  const auto refused = [&](const Json& other, const char* reason) {
    CHECK_THROWS_WITH(splits_of(train, other), ContainsSubstring(reason));
  };
  refused({{"valid_file", folder.write("d.csv", "x,y\n1,no\n")}},
          "d.csv': expected one column 'city' as in");
  refused({{"valid_file", folder.write("e.csv", "x,city,y\nx,Bonn,no\n")}},
          "e.csv', line 2: column 'x' must be a finite number, is 'x'");
  refused(with({{"split_column", "city"}}, keys),
          "/data/valid_file: must be left out where \"split_column\"");
}

TEST_CASE("a column may say which part a row belongs to", "[data][tables]") {
  const std::string rows =
      "x,y,part\n1,0,train\n2,1,valid\n3,0,train\n4,1,train\n5,0,valid\n";
  // Without rows of test, they are taken from those of train.
  const Splits splits = splits_of_text(rows, kParts);
  CHECK(at::equal(splits.valid.inputs, matrix({2, 5}, 1)));
  CHECK(splits.train.size() == 2);
  CHECK(splits.test.size() == 1);
  CHECK(at::equal(sorted(at::cat({splits.train.inputs, splits.test.inputs})),
                  matrix({1, 3, 4}, 1)));
  CHECK(splits_of_text(rows, with({{"valid", 1}})).valid.size() == 1);
  require_refusal(rows, with({{"valid", 3}}),
                  "/data/valid: must be at most 2, is 3: the source has 2 "
                  "validation examples");
  require_refusal("x,y,part\n1,0,valid\n3,0,train\n4,1,train\n5,0,train\n",
                  with({{"valid", 2}}), "has 1 validation example");
  require_refusal(rows + "6,1,holdout\n", kParts,
                  "line 7: the split column must be train, valid or test, is "
                  "'holdout'");
  require_refusal("x,y,part\n1,0,valid\n2,1,valid\n", kParts,
                  "no row belongs to the part train");
  require_refusal(rows, with({{"columns", {"x", "part"}}}),
                  "the split column cannot be a feature");
}

TEST_CASE("a quantity as a class is told the key that makes it a number",
          "[data][tables]") {
  std::string prices = "a,y\n", names = "a,y\n";
  for (int i = 0; i < 19; ++i) {
    prices += fmt::format("{},{}\n", i * i % 7, 2.5 + 0.3 * i);
    names += fmt::format("{},n{}\n", i * i % 7, i);
  }
  require_refusal(prices, Json::object(),
                  "set \"targets\" to \"numbers\" and the \"loss\"");
  require_refusal(names, Json::object(), "choose another target");
  const Splits splits = splits_of_text(
      prices, {{"targets", "numbers"}, {"standardize_targets", true}});
  CHECK(splits.train.targets.mean().item<double>() == Approx(0).margin(1e-12));
  CHECK(splits.train.targets.square().mean().item<double>() == Approx(1));
  const Splits plain = splits_of_text(prices, {{"targets", "numbers"}});
  CHECK(at::allclose(splits.targets_in_source_units(splits.test.targets),
                     plain.test.targets));
  CHECK(at::allclose(splits.target_mean, plain.train.targets.mean(0)));
}

TEST_CASE("text that is not UTF-8 is read as Latin-1", "[data][tables]") {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "t.csv", "Stra\xdf\x65,y\nM\xfcnchen,0\nBonn,1\nM\xfcnchen,1\n");
  const TableColumn column =
      load_source(section_of(path, Json::object())).columns->columns[0];
  CHECK(column.name == "Stra\xc3\x9f\x65");
  CHECK(column.texts == Names{"M\xc3\xbcnchen", "Bonn"});
}

}  // namespace nestgrad
