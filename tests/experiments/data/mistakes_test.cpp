// Data that are readable and plainly not what is meant.

#include <ATen/ATen.h>

#include <algorithm>

#include "core/platform/error.h"
#include "core/platform/text.h"
#include "core/platform/warnings.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// A table in a folder of its own.
class Table {
 public:
  explicit Table(const std::string& text) { folder_.write("t.csv", text); }

  Dataset load(const Json& keys = Json::object()) const {
    return load_source(section(keys)).training;
  }

  Splits splits(const Json& keys) const {
    return load_splits(data_section(section(keys)), Key(1), float64());
  }

 private:
  Json section(const Json& keys) const {
    Json section = {{"type", "csv"}, {"file", folder_.path("t.csv")}};
    section.update(keys);
    return section;
  }

  TemporaryFolder folder_;
};

/// A table with a header and examples in two features; `label` gives the class
/// of each.
template <class F>
Table labelled(int examples, F label) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < examples; ++i) {
    text += fmt::format("{},{},{}\n", i * i % 13, (i * 7) % 5, label(i));
  }
  return Table(text);
}

/// Two arrays as files. The inputs are examples of two features.
Json arrays(const TemporaryFolder& folder, const Tensor& targets) {
  const std::int64_t n = targets.size(0);
  const Tensor inputs =
      (at::arange(2 * n, at::kFloat) * 0.7).sin().view({n, 2});
  return {{"type", "npy"},
          {"inputs",
           folder.write("x.npy",
                        npy_bytes(npy_header("<f4", fmt::format("({}, 2)", n)),
                                  raw_bytes(inputs)))},
          {"targets",
           folder.write("y.npy",
                        npy_bytes(npy_header("<i8", fmt::format("({},)", n)),
                                  raw_bytes(targets.to(at::kLong))))}};
}

/// Whether a warning with all of these words has come up since the last call.
bool warned(const std::vector<std::string>& words) {
  const std::vector<std::string> texts = untold_warnings();
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& w) {
      return text.find(w) != std::string::npos;
    });
  });
}

}  // namespace

TEST_CASE("a first line of numbers is not taken for names", "[data]") {
  const Table table(
      "-1,0.2,1\n0,0.5,0\n1,-0.3,1\n0.5,0.1,0\n-0.2,0.4,1\n0.3,0.7,0\n"
      "-0.6,0.1,1\n0.8,0.2,0\n0.9,-0.5,1\n");
  CHECK_THROWS_WITH(table.load(),
                    ContainsSubstring("line 1: there are only numbers") &&
                        ContainsSubstring("set \"header\" to false"));
  const Dataset all = table.load({{"header", false}});
  CHECK(all.size() == 9);
  CHECK(all.classes == 2);
  // Who says so has names that are numbers, and -1 is still the last column.
  const Dataset rest = table.load({{"header", true}});
  CHECK(rest.size() == 8);
  CHECK(rest.classes == 2);
  CHECK(rest.inputs[0][0].item<double>() == 0);
}

TEST_CASE("a line of numbers and the name of a class is not taken for names",
          "[data]") {
  const Table iris("5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n");
  CHECK_THROWS_WITH(iris.load(), ContainsSubstring("all features are numbers"));
  CHECK(iris.load({{"header", false}}).size() == 3);
}

TEST_CASE("names that are numbers are names if the target or a word says so",
          "[data]") {
  const std::string rows = "\n1,2,x\n3,4,y\n5,7,x\n";
  CHECK(Table("2019,2020,kind" + rows).load({{"target", "kind"}}).size() == 3);
  CHECK(Table(",2020,2021" + rows).load().size() == 3);
  CHECK(Table("2019,mean,2021" + rows).load().size() == 3);
}

TEST_CASE("a header that is not expected is explained", "[data]") {
  CHECK_THROWS_WITH(Table("a,b\n1,2\n3,1\n").load({{"header", false}}),
                    ContainsSubstring("is 'a'; if this line has the names of "
                                      "the columns, set \"header\" to true"));
}

TEST_CASE("another separator is recognized", "[data]") {
  CHECK_THROWS_WITH(Table("a;b;c\n1;2;x\n").load(),
                    ContainsSubstring("set \"separator\" to \"semicolon\""));
  CHECK_THROWS_WITH(Table("a\tb\n1\t2\n").load(),
                    ContainsSubstring("set \"separator\" to \"tab\""));
}

TEST_CASE("lines may end in any of the three ways, and text is UTF-8",
          "[data]") {
  const std::string unix_lines = "a,b,c\n1,2,x\n3,4,y\n5,6,x\n";
  const Dataset expected = Table(unix_lines).load();
  for (const char* end : {"\r\n", "\r"}) {
    std::string text = unix_lines;
    replace_all(text, "\n", end);
    const Dataset got = Table(text).load();
    CHECK(at::equal(got.inputs, expected.inputs));
    CHECK(at::equal(got.targets, expected.targets));
  }
  std::string utf16;
  for (const char c : unix_lines) utf16 += {c, '\0'};
  CHECK_THROWS_WITH(Table(utf16).load(),
                    ContainsSubstring("text in UTF-16; save it as UTF-8"));
}

TEST_CASE("a target that names two columns is refused", "[data]") {
  const Table table("a,a,b\n1,2,x\n3,4,y\n");
  CHECK_THROWS_WITH(table.load({{"target", "a"}}),
                    ContainsSubstring("there are several columns 'a'"));
}

TEST_CASE("a number is the place of a column and a text is its name",
          "[data]") {
  // As a table is written that has its row numbers as names.
  const Table table("a,0,1,y\n5,2,3,x\n4,5,6,y\n");
  const auto first = [&](const Json& columns) {
    return table.load({{"columns", columns}}).inputs[0][0].item<double>();
  };
  CHECK(first({1}) == 2);
  CHECK(first({"1"}) == 3);
  CHECK(first({"2"}) == 3);
  CHECK(first({-3}) == 2);
  CHECK_THROWS_WITH(first({4}), ContainsSubstring("there is no column '4'"));
}

TEST_CASE("features whose names are not their own are refused", "[data]") {
  const Table table("a,a,b,y\n1,2,3,x\n3,4,5,y\n");
  CHECK_THROWS_WITH(table.load(),
                    ContainsSubstring("there are 2 columns 'a'; give each a "
                                      "name of its own"));
  CHECK(table.load({{"drop", {0, 1}}}).size() == 2);
}

TEST_CASE("columns of codes are categories if a key says so", "[data]") {
  std::string text = "ticket,code,y\n";
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{}{},{},{}\n", i % 9 == 0 ? "PC " : "", 1000 + i,
                        i % 3 * 100, i % 2);
  }
  const Table table(text);
  CHECK_THROWS_WITH(table.load(),
                    ContainsSubstring("is 'PC 1000'; 35 of 40 values") &&
                        ContainsSubstring("name it in \"categories\" or "
                                          "\"drop\""));
  const Splits splits = table.splits({{"categories", {"ticket", "code"}}});
  // 24 different tickets in the training part, and three codes.
  CHECK(splits.shape() == Shape{24 + 3});
  CHECK(
      at::equal(splits.train.inputs.sum(1), at::full({24}, 2.0, at::kDouble)));
  CHECK_THROWS_WITH(table.load({{"categories", {"y"}}}),
                    ContainsSubstring("column 'y' is no feature"));
}

TEST_CASE("a quantity is not taken for a class", "[data]") {
  const Table prices = labelled(19, [](int i) { return 2.2216 + 0.37 * i; });
  CHECK_THROWS_WITH(
      prices.load(),
      ContainsSubstring("column 'y': 19 distinct values in 19 examples") &&
          ContainsSubstring("\"classes\": 19"));
  CHECK(prices.load({{"classes", 19}}).classes == 19);
  // Repeated values do not hide it.
  const Table rounded =
      labelled(200, [](int i) { return 0.5 * (i % 40) + 0.25; });
  CHECK_THROWS_WITH(rounded.load(),
                    ContainsSubstring("40 distinct values, 200 of the labels "
                                      "with a fraction"));
  // A few half steps are classes: ratings.
  CHECK(labelled(60, [](int i) { return 0.5 * (i % 9); }).load().classes == 9);
}

TEST_CASE("names and row numbers are not taken for classes", "[data]") {
  CHECK_THROWS_WITH(
      labelled(30, [](int i) { return fmt::format("id{}", i % 29); }).load(),
      ContainsSubstring("29 distinct values in 30 examples"));
  // Few classes are plausible in a short table.
  CHECK(labelled(4, [](int i) { return i; }).load().classes == 4);
}

TEST_CASE("many different numbers as classes are warned of", "[data]") {
  untold_warnings();
  labelled(300, [](int i) { return 100 * (i % 25) + 3; }).load();
  CHECK(warned({"25 distinct numbers from 3 to 2403", "quantity"}));
  labelled(300, [](int i) { return i % 25; }).load();
  CHECK_FALSE(warned({"25 distinct numbers"}));
}

TEST_CASE("a single class is refused unless it is meant", "[data]") {
  const Table table = labelled(10, [](int) { return "x"; });
  CHECK_THROWS_WITH(table.load(),
                    ContainsSubstring("all 10 examples have the same class") &&
                        ContainsSubstring("set \"classes\": 1"));
  CHECK(table.load({{"classes", 1}}).classes == 1);
  CHECK(table.load({{"classes", 3}}).classes == 3);
}

TEST_CASE("more classes than are told is a mistake", "[data]") {
  const Table table = labelled(20, [](int i) { return i % 4; });
  CHECK_THROWS_WITH(table.load({{"classes", 3}}),
                    ContainsSubstring("\"classes\" is 3, but the labels show "
                                      "4"));
}

TEST_CASE("labels with gaps are refused, or warned of", "[data]") {
  const TemporaryFolder folder;
  const Tensor i = at::arange(20, at::kLong);
  const auto load = [&](const Tensor& targets,
                        const Json& keys = Json::object()) {
    Json section = arrays(folder, targets);
    section.update(keys);
    return load_source(section).training;
  };
  CHECK_THROWS_WITH(load(i.remainder(2) + 2019),
                    ContainsSubstring("2 different numbers from 2019 to 2020, "
                                      "which makes 2021 classes"));
  CHECK(load(i.remainder(2) + 2019, {{"classes", 2021}}).classes == 2021);
  untold_warnings();
  CHECK(load(i.remainder(4) + 1).classes == 5);
  CHECK(warned({"no example has the class 0", "subtract 1"}));
  CHECK(load(i.remainder(4) * 2).classes == 7);
  CHECK(warned({"no example has the classes 1, 3, 5"}));
  CHECK(load(i.remainder(4)).classes == 4);
  CHECK(untold_warnings().empty());
  CHECK_THROWS_WITH(load(i.remainder(17)),
                    ContainsSubstring("17 distinct values in 20 examples"));
  CHECK_THROWS_WITH(load(at::zeros_like(i)),
                    ContainsSubstring("the same class"));
}

TEST_CASE("columns that tell nothing are warned of, or refused if all do",
          "[data]") {
  std::string text = "id,a,same,class\n";
  for (int i = 0; i < 12; ++i) {
    text += fmt::format("{},{},7,{}\n", i, i * i % 5, i % 2);
  }
  untold_warnings();
  Table(text).load();
  const std::vector<std::string> texts = untold_warnings();
  REQUIRE(texts.size() == 2);
  CHECK_THAT(texts[0], ContainsSubstring("column 'same' has the same value"));
  CHECK_THAT(texts[1], ContainsSubstring("column 'id' numbers the examples"));
  CHECK_THROWS_WITH(Table("a,b,y\n1,2,x\n1,2,y\n1,2,x\n").load(),
                    ContainsSubstring("the same features"));
}

TEST_CASE("fields that are no numbers come with what to do", "[data]") {
  const auto says = [](const char* field, const char* advice) {
    CHECK_THROWS_WITH(
        Table(fmt::format("a;b;y\n1;2;x\n{};2;y\n", field))
            .load({{"separator", "semicolon"}}),
        ContainsSubstring("line 3: column 'a'") && ContainsSubstring(advice));
  };
  says("1,5", "set \"decimal\" to \"comma\"");
  says("NA", "a missing value has to be filled in");
  says("", "a missing value has to be filled in");
}

TEST_CASE("labels that are spelt in two ways are warned of", "[data]") {
  untold_warnings();
  labelled(20, [](int i) {
    return i % 3 == 0 ? "cat" : i % 3 == 1 ? "Cat" : "dog";
  }).load();
  CHECK(warned({"'Cat' and 'cat' are taken for two classes"}));
  labelled(20, [](int i) {
    return i % 3 == 0 ? "0" : i % 3 == 1 ? "1" : "two";
  }).load();
  CHECK(warned({"some labels are numbers, others are not, 'two'"}));
  labelled(20, [](int i) { return i % 2 == 0 ? "cat" : "dog"; }).load();
  CHECK(untold_warnings().empty());
}

TEST_CASE("bytes that are no pixels are warned of", "[data]") {
  const TemporaryFolder folder;
  const auto load = [&](const char* name, std::int64_t largest) {
    const Tensor bytes =
        at::arange(12, at::kLong).remainder(largest + 1).to(at::kByte);
    return load_source(
        {{"type", "npy"},
         {"inputs", folder.write(name, npy_bytes(npy_header("|u1", "(6, 2)"),
                                                 raw_bytes(bytes)))},
         {"targets", folder.write("y", npy_bytes(npy_header("|u1", "(6,)"),
                                                 {0, 1, 0, 1, 0, 1}))}});
  };
  untold_warnings();
  load("binary", 1);
  CHECK(warned({"binary", "divided by 255, but the largest is 1"}));
}

}  // namespace nestgrad
