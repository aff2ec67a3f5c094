#include <ATen/ATen.h>

#include <ctime>
#include <limits>
#include <vector>

#include "core/platform/error.h"
#include "experiments/data/tables/csv_file.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

Json csv(const std::string& path, const Json& keys = Json::object()) {
  Json section = {{"type", "csv"}, {"file", path}};
  section.update(keys);
  return section;
}

TEST_CASE("a csv file gives features in order and classes in sorted order",
          "[data]") {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("t.csv",
                   "\xEF\xBB\xBF"
                   "\"a \"\"kind\"\"\", height,\"width, cm\"\r\n"
                   "pear,1.5,+2\r\n"
                   "\r\n"
                   "\"an apple\" , -2e-1 ,3\r\n"
                   "pear,0,.25");
  const Dataset data =
      load_source(csv(path, {{"target", "a \"kind\""}})).training;
  CHECK(at::equal(
      data.inputs,
      at::tensor({1.5, 2.0, -0.2, 3.0, 0.0, 0.25}, at::kDouble).view({3, 2})));
  CHECK(at::equal(data.targets, at::tensor({1, 0, 1}, at::kLong)));
  CHECK(data.classes == 2);
}

TEST_CASE("classes that are numbers are ordered by value", "[data]") {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("t.csv", "5;10\n6;9\n7;x\n8;-1\n9;9.0\n");
  const Dataset data =
      load_source(csv(path, {{"header", false}, {"separator", "semicolon"}}))
          .training;
  CHECK(at::equal(data.targets, at::tensor({2, 1, 3, 0, 1}, at::kLong)));
  CHECK(data.classes == 4);
}

TEST_CASE("the target column is a name, or a number from either end",
          "[data]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("t.csv", "a\t1\tc\n4\t5\t6\n7\t8\t9\n");
  struct Choice {
    std::string target;
    double first_feature, second_feature;
  };
  // A column that is called "1" comes before the column of this number.
  const Choice choice =
      GENERATE(Choice{"a", 5, 6}, Choice{"0", 5, 6}, Choice{"1", 4, 6},
               Choice{"-1", 4, 5}, Choice{"2", 4, 5}, Choice{"-3", 5, 6});
  const Dataset data =
      load_source(csv(path, {{"target", choice.target}, {"separator", "tab"}}))
          .training;
  CHECK(data.inputs[0][0].item<double>() == choice.first_feature);
  CHECK(data.inputs[0][1].item<double>() == choice.second_feature);
}

TEST_CASE("a damaged csv file is refused with its line", "[data]") {
  struct Damage {
    std::string text, reason;
  };
  std::string seventeen = "a,b\n";
  for (int i = 2; i < 17; ++i) seventeen += "1,2\n";
  const Damage damage = GENERATE_COPY(
      Damage{"", "the file is empty"}, Damage{"\n \n", "the file is empty"},
      Damage{"a,b\n", "expected examples below the header"},
      Damage{"a\n1\n", "line 1: expected 2 or more columns, separated by ','"},
      Damage{seventeen + "one,2\n",
             "line 17: column 'a' must be a finite number, is 'one'"},
      Damage{"a,b\n,2\n", "line 2: column 'a' has no value, is ''"},
      Damage{"a,b\nnan,2\n", "line 2: column 'a' has no value, is 'nan'"},
      Damage{"a,b\n1,2\n1e999,2\n", "must be a finite number, is '1e999'"},
      Damage{"a,b\n1,2\n1.5x,2\n", "must be a finite number, is '1.5x'"},
      Damage{"a,b\n1,2\n0x10,2\n", "must be a finite number, is '0x10'"},
      Damage{"a,b\n1,2\n\x01\x02,2\n", "must be a finite number, is '?\?'"},
      Damage{"a,b\n1,2\n\n1,2,3\n", "line 4: expected 2 columns"},
      Damage{"a,b\n1\n", "line 2: expected 2 columns as in the first line"},
      Damage{"a,b\n1,\n", "line 2: the class is missing"},
      Damage{"a,b\n1,\"x\n", "line 2: a quote is opened but not closed"},
      Damage{"a,b\n5\" disk,2\n6\" disk,3\n", "not closed on the same line"});
  const TemporaryFolder folder;
  const std::string path = folder.write("t.csv", damage.text);
  CHECK_THROWS_AS(load_source(csv(path)), Error);
  CHECK_THROWS_WITH(load_source(csv(path)), ContainsSubstring(damage.reason));
  CHECK_THROWS_WITH(load_source(csv(path)),
                    ContainsSubstring("'" + path + "'"));
}

TEST_CASE("a field in quotes may contain line breaks", "[data]") {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("t.csv", "a,\"b\nc\",y\n1,\"p, \"\"q\n\nr\",0\n\n2,s,1\n");
  CsvFile file(path, ',');
  CHECK(file.next() == Fields{"a", "b\nc", "y"});
  CHECK(file.line() == 1);
  CHECK(file.next() == Fields{"1", "p, \"q\n\nr", "0"});
  CHECK(file.line() == 3);
  CHECK(file.next() == Fields{"2", "s", "1"});
  CHECK(file.line() == 7);
  CHECK(file.next().empty());
}

TEST_CASE("a row of empty fields is a row of missing values", "[data]") {
  const TemporaryFolder folder;
  const auto rows = [&](const char* text, char separator) {
    CsvFile file(folder.write("t.csv", text), separator);
    std::vector<Fields> out;
    for (Fields row = file.next(); !row.empty(); row = file.next()) {
      out.push_back(row);
    }
    return out;
  };
  using Rows = std::vector<Fields>;
  CHECK(rows("\na\tb\n1\t2\n\t\n \n3\t\n\t\n\n", '\t') ==
        Rows{{"a", "b"}, {"1", "2"}, {"", ""}, {"3", ""}, {"", ""}});
  CHECK(rows("\na\n1\n\n3\n \t\n\n", ',') == Rows{{"a"}, {"1"}, {""}, {"3"}});
  CHECK(rows("a,b\n\t\n1,2\n", ',') == Rows{{"a", "b"}, {"1", "2"}});
}

TEST_CASE("lines that end in a carriage return are read as fast as others",
          "[data]") {
  const TemporaryFolder folder;
  const auto seconds = [&](const char* row) {
    std::string text;
    for (int i = 0; i < 60'000; ++i) text += row;
    CsvFile file(folder.write("t.csv", text), ',');
    const std::clock_t begin = std::clock();
    int rows = 0;
    while (!file.next().empty()) ++rows;
    CHECK(rows == 60'000);
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  CHECK(seconds("1234,5678\r") < 10 * seconds("1234,5678\n") + 0.1);
}

TEST_CASE("a number has one sign", "[data]") {
  CHECK(number_in("+5") == 5);
  CHECK(number_in("-5") == -5);
  CHECK_FALSE(number_in("+-5"));
  CHECK_FALSE(number_in("++5"));
}

TEST_CASE("fields in messages are cut between characters and are harmless",
          "[data]") {
  std::string thirty;
  for (int i = 0; i < 30; ++i) thirty += "\xc3\xbc";
  CHECK(shown_field(thirty) == thirty);
  CHECK(shown_field(thirty + "x") == thirty + "...");
  CHECK(shown_field("a\x1b\xc2\x9b\xc2\xa0") == "a??\xc2\xa0");
  CHECK(shown_field("M\xfcnchen") == "M?nchen");
}

TEST_CASE("text that is not UTF-8 is read as Windows-1252", "[data]") {
  const TemporaryFolder folder;
  // A surrogate, of which UTF-8 has none: three characters.
  CsvFile file(folder.write("t.csv", "\x80\xfc\x9f,\xed\xa0\x80"), ',');
  CHECK(file.next() ==
        Fields{"\xe2\x82\xac\xc3\xbc\xc5\xb8", "\xc3\xad\xc2\xa0\xe2\x82\xac"});
}

TEST_CASE("a csv file without a header counts its columns in complaints",
          "[data]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("t.csv", "a,b\n1,2\n");
  CHECK_THROWS_WITH(
      load_source(csv(path, {{"header", false}})),
      ContainsSubstring("line 1: column 0 must be a finite number, is 'a'"));
}

TEST_CASE("a target column that is not there is refused", "[data]") {
  const std::string target = GENERATE("c", "2", "-3", "0.5", "1e30");
  const TemporaryFolder folder;
  const std::string path = folder.write("t.csv", "a,b\n1,2\n");
  CHECK_THROWS_WITH(
      load_source(csv(path, {{"target", target}})),
      ContainsSubstring("there is no target column '" + target + "'"));
}

/// A "data" section for two .npy files with these bytes.
Json npy(const TemporaryFolder& folder, const std::string& inputs,
         const std::string& targets) {
  return {{"type", "npy"},
          {"inputs", folder.write("x.npy", inputs)},
          {"targets", folder.write("y.npy", targets)}};
}

const std::string kTargets =
    npy_bytes(npy_header("|u1", "(2,)"), std::string("\x00\x02", 2));

TEST_CASE("npy files of every element type load with their numbers", "[data]") {
  struct Type {
    std::string name;
    at::ScalarType stored, loaded;
  };
  const Type type = GENERATE(
      Type{"<f4", at::kFloat, at::kFloat},
      Type{"<f8", at::kDouble, at::kDouble}, Type{"|u1", at::kByte, at::kByte},
      Type{"<i4", at::kInt, at::kDouble}, Type{"<i8", at::kLong, at::kDouble});
  CAPTURE(type.name);
  const TemporaryFolder folder;
  const Tensor numbers = at::arange(250, 262, at::kLong).sub(7).view({2, 3, 2});
  const Dataset data =
      load_source(npy(folder,
                      npy_bytes(npy_header(type.name, "(2, 3, 2)"),
                                raw_bytes(numbers.to(type.stored))),
                      kTargets))
          .training;
  CHECK(data.inputs.scalar_type() == type.loaded);
  CHECK(at::equal(data.inputs.to(at::kLong), numbers));
  CHECK(at::equal(data.targets, at::tensor({0, 2}, at::kLong)));
  CHECK(data.classes == 3);
}

TEST_CASE("npy versions 2 and 3 have a longer length", "[data]") {
  const char version = GENERATE('\2', '\3');
  const TemporaryFolder folder;
  std::string bytes = npy_bytes(npy_header("|u1", "(2, 1)"), "ab");
  bytes[6] = version;
  bytes.insert(10, std::string(2, '\0'));
  const Dataset data = load_source(npy(folder, bytes, kTargets)).training;
  CHECK(at::equal(data.inputs, at::tensor({97, 98}, at::kByte).view({2, 1})));
}

TEST_CASE("an npy header may be written in any order of its keys", "[data]") {
  const TemporaryFolder folder;
  const std::string bytes = npy_bytes(
      "{\"shape\":(2,1),'fortran_order':False , 'descr':'|u1'}   ", "ab");
  CHECK(load_source(npy(folder, bytes, kTargets)).training.size() == 2);
}

TEST_CASE("damaged npy inputs are refused with the reason", "[data]") {
  struct Damage {
    std::string bytes, reason;
  };
  const auto with_header = [](const std::string& header) {
    return npy_bytes(header, "ab");
  };
  const auto of_bytes = [](const std::string& shape) {
    return npy_bytes(npy_header("|u1", shape), "ab");
  };
  std::string version_4 = of_bytes("(2, 1)");
  version_4[6] = 4;
  std::string long_header = of_bytes("(2, 1)");
  long_header[9] = '\x7f';
  const float infinite = std::numeric_limits<float>::infinity();
  const Damage damage = GENERATE_COPY(
      Damage{"", "the file is empty"},
      Damage{"\x93NUM", "expected 8 bytes of its header"},
      Damage{"PK\3\4 a zip archive", "a .npy file starts with \\x93NUMPY"},
      Damage{version_4, "expected format version 1, 2 or 3, found 4"},
      Damage{long_header, "bytes of its header, but the file is too short"},
      Damage{with_header(""), "does not describe a single plain array"},
      Damage{with_header("{'descr': '|u1', 'shape': (2, 1)}"),
             "does not describe a single plain array"},
      Damage{with_header("{'descr': [('a', '<f4')], 'fortran_order': False, "
                         "'shape': (2,), }"),
             "structured_to_unstructured(array)"},
      Damage{of_bytes("(2 1)"), "does not describe a single plain array"},
      Damage{of_bytes("(2, 99999999999999999999)"),
             "does not describe a single plain array"},
      Damage{with_header(npy_header("|O", "(2, 1)")),
             "its elements ('|O') are Python objects"},
      Damage{with_header(npy_header("|f4", "(2, 1)")), "no plain numbers"},
      Damage{of_bytes("(0, 1)"), "impossible shape, (0, 1)"},
      Damage{of_bytes("(-2, -1)"), "impossible shape"},
      Damage{of_bytes("(4611686018427387904, 4)"), "impossible shape"},
      Damage{of_bytes("(2, 4000000000)"), "but the file is too short"},
      Damage{of_bytes("(2, 2)"), "but the file ends after 2"},
      Damage{of_bytes("(1, 1)"), "longer than expected"},
      Damage{of_bytes("(2,)"), "expected 2 or more dimensions"},
      Damage{npy_bytes(npy_header("<f4", "(2, 1)"),
                       raw_bytes(at::tensor({1.f, infinite}))),
             "expected finite numbers, found NaN or infinity"});
  const TemporaryFolder folder;
  const Json section = npy(folder, damage.bytes, kTargets);
  CHECK_THROWS_AS(load_source(section), Error);
  CHECK_THROWS_WITH(load_source(section), ContainsSubstring(damage.reason));
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("'" + folder.path("x.npy") + "'"));
}

TEST_CASE("npy targets that are no classes of the inputs are refused",
          "[data]") {
  struct Damage {
    std::string bytes, reason;
  };
  const auto of_long = [](std::int64_t second) {
    return npy_bytes(npy_header("<i8", "(2,)"),
                     raw_bytes(at::tensor({std::int64_t{0}, second})));
  };
  const Damage damage = GENERATE_COPY(
      Damage{npy_bytes(npy_header("|u1", "(3,)"), "abc"),
             "expected 2 classes, one for every example"},
      Damage{npy_bytes(npy_header("|u1", "(2, 1)"), "ab"),
             "expected one dimension of whole numbers"},
      Damage{npy_bytes(npy_header("<f4", "(2,)"), "12345678"),
             "expected one dimension of whole numbers"},
      Damage{of_long(-1), "from 0 to at most 65535, found -1"},
      Damage{of_long(65536), "from 0 to at most 65535, found 65536"});
  const TemporaryFolder folder;
  const Json section =
      npy(folder, npy_bytes(npy_header("|u1", "(2, 1)"), "ab"), damage.bytes);
  CHECK_THROWS_WITH(load_source(section), ContainsSubstring(damage.reason));
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("'" + folder.path("y.npy") + "'"));
}

}  // namespace
TEST_CASE("a text is cut into sequences, each to be continued by one token",
          "[data]") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& text, const Json& keys) {
    Json section = {{"type", "text"}, {"file", folder.write("t.txt", text)}};
    section.update(keys);
    return load_source(section).training;
  };
  const auto row = [](const Tensor& t) {
    const Tensor flat = t.reshape(-1).contiguous();
    return std::vector<std::int64_t>(
        flat.data_ptr<std::int64_t>(),
        flat.data_ptr<std::int64_t>() + flat.numel());
  };
  using Row = std::vector<std::int64_t>;

  // a 5 times, b 3 times, space and c 1 time: by bytes.
  const Dataset bytes = load("abab aabc a", {{"length", 3}});
  CHECK(bytes.classes == 4);
  CHECK(bytes.inputs.sizes() == at::IntArrayRef({3, 3}));
  CHECK(row(bytes.inputs) == Row{0, 1, 0, 1, 2, 0, 0, 1, 3});
  CHECK(row(bytes.targets) == Row{1, 0, 1, 2, 0, 0, 1, 3, 2});

  // "the" and "," twice each, by bytes; the others once.
  const std::string sentence = "the cat, the caf\xc3\xa9, and";
  const Dataset words = load(sentence, {{"length", 2}, {"unit", "words"}});
  CHECK(words.classes == 5);
  CHECK(row(words.inputs) == Row{1, 4, 0, 1, 3, 0});
  CHECK(row(words.targets) == Row{4, 0, 1, 3, 0, 2});
  const Dataset few =
      load(sentence, {{"length", 2}, {"unit", "words"}, {"vocabulary", 3}});
  CHECK(few.classes == 3);
  CHECK(row(few.inputs) == Row{1, 2, 0, 1, 2, 0});

  CHECK_THROWS_WITH(load("abcdef", {{"length", 2}}),
                    ContainsSubstring("6 tokens are too few"));
  CHECK_NOTHROW(load("abcdefg", {{"length", 2}}));
}

TEST_CASE(
    "sequences of tokens are no quantities, and have no labels to corrupt",
    "[data]") {
  const auto load = [](const Json& keys) {
    Json section = {{"type", "text"}};
    section.update(keys);
    return load_splits(Config(complete(DataRegistry::instance(), section)),
                       Key(1), at::TensorOptions().dtype(at::kDouble));
  };
  const Splits splits = load({{"valid", 10}, {"test", 20}});
  CHECK(splits.train.inputs.scalar_type() == at::kLong);
  CHECK(splits.train.targets.sizes() == splits.train.inputs.sizes());
  CHECK(splits.valid.size() == 10);
  CHECK_THROWS_WITH(load({{"standardize", true}}),
                    ContainsSubstring("must be false for tokens"));
  CHECK_THROWS_WITH(load({{"corrupt_labels", 0.1}}),
                    ContainsSubstring("must be 0 where the target"));
}

}  // namespace nestgrad
