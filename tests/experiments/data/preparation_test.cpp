// Numbers of a source in the type in which they are used.

#include "experiments/data/preparation.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "experiments/data/saved_preparation.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

const auto kFloat32 = at::TensorOptions().dtype(at::kFloat);

/// A table of 40 examples in two features: a(i) as written, and noise.
template <class F>
Json table(const TemporaryFolder& folder, F a,
           const Json& keys = Json::object()) {
  std::string text = "a,b,y\n";
  const Tensor noise = Key(8).normal(at::empty({40}, float64()));
  for (int i = 0; i < 40; ++i) {
    text += fmt::format("{},{},{}\n", a(i), noise[i].item<double>(), i % 2);
  }
  Json section = {{"type", "csv"}, {"file", folder.write("t.csv", text)}};
  section.update(keys);
  return section;
}

Splits splits_of(const Json& section,
                 const at::TensorOptions& options = kFloat32) {
  return load_splits(data_section(section), Key(1), options);
}

}  // namespace

TEST_CASE("a feature far from zero is standardized like one around zero",
          "[data]") {
  const TemporaryFolder folder;
  const Json keys = {{"standardize", true}};
  const auto seconds = [](int i) { return 37 * (i * i % 41) - 700; };
  const Splits around = splits_of(table(folder, seconds, keys));
  const Splits far = splits_of(table(
      folder, [&](int i) { return 1600000000 + seconds(i); }, keys));
  CHECK(at::allclose(far.train.inputs, around.train.inputs, 0, 1e-6));
  CHECK(at::allclose(far.test.inputs, around.test.inputs, 0, 1e-6));
  const Tensor x = far.train.inputs;
  CHECK(at::allclose(x.var(0, /*unbiased=*/false), at::ones({2}), 1e-5));
  // And back, with all digits.
  CHECK(at::allclose(
      far.in_source_units(x),
      around.in_source_units(x) + at::tensor({1.6e9, 0.}, float64()), 0, 1e-3));
  CHECK(at::allclose(far.prepared(far.in_source_units(x)), x, 0, 1e-6));
}

TEST_CASE("features of float32 files are standardized with their digits",
          "[data]") {
  const TemporaryFolder folder;
  // Rounded to multiples of 128, of which the deviation is 7.
  const Tensor offset = (at::arange(40, at::kDouble) * 7).remainder(25) * 128;
  const Tensor inputs =
      at::stack({1.6e9 + offset, at::ones_like(offset) * 0.1}, 1)
          .to(at::kFloat);
  const Json section = {
      {"type", "npy"},
      {"standardize", true},
      {"inputs", folder.write("x", npy_bytes(npy_header("<f4", "(40, 2)"),
                                             raw_bytes(inputs.contiguous())))},
      {"targets",
       folder.write(
           "y", npy_bytes(npy_header("<i8", "(40,)"),
                          raw_bytes(at::arange(40, at::kLong).remainder(2))))}};
  const Tensor x = splits_of(section).train.inputs.to(at::kDouble);
  CHECK(x.select(1, 0).var(/*unbiased=*/false).item<double>() ==
        Approx(1).epsilon(1e-5));
  CHECK(x.select(1, 1).abs().max().item<double>() < 1e-6);
}

TEST_CASE("whole numbers keep all digits that double precision has", "[data]") {
  const TemporaryFolder folder;
  const Tensor big = 1600000000 + at::arange(10, at::kLong).view({5, 2});
  const Json section = {
      {"type", "npy"},
      {"inputs", folder.write("x", npy_bytes(npy_header("<i8", "(5, 2)"),
                                             raw_bytes(big)))},
      {"targets", folder.write("y", npy_bytes(npy_header("|u1", "(5,)"),
                                              {0, 1, 0, 1, 0}))}};
  CHECK(at::equal(load_source(section).training.inputs.to(at::kLong), big));
}

TEST_CASE(
    "a number that the floating-point type cannot hold is refused where "
    "it stands",
    "[data]") {
  const TemporaryFolder folder;
  const auto with = [](const char* number) {
    return [=](int i) { return i == 3 ? number : std::to_string(i % 7); };
  };
  const std::string place = "line 5: column 'a' is 1e+39";
  CHECK_THROWS_AS(splits_of(table(folder, with("1e39"))), ConfigError);
  CHECK_THROWS_WITH(splits_of(table(folder, with("1e39"))),
                    ContainsSubstring("/data: ") && ContainsSubstring(place) &&
                        ContainsSubstring("float32 cannot hold") &&
                        ContainsSubstring("\"precision\": \"float64\""));
  CHECK_NOTHROW(splits_of(table(folder, with("1e39")), float64()));
  CHECK_NOTHROW(splits_of(table(folder, with("3e38"))));
  // What counts is the number that the network gets.
  const auto huge = [](int i) { return fmt::format("{}e39", 1 + i % 7); };
  CHECK_THROWS_WITH(splits_of(table(folder, huge)),
                    ContainsSubstring("column 'a'"));
  CHECK_NOTHROW(splits_of(table(folder, huge, {{"standardize", true}})));
}

TEST_CASE("numbers of npy files are judged in the type in which they are used",
          "[data]") {
  const TemporaryFolder folder;
  Tensor inputs = Key(3).normal(at::empty({20, 2, 3}, float64()));
  inputs[7][1][2] = -1e300;
  const Json section = {
      {"type", "npy"},
      {"inputs", folder.write("x", npy_bytes(npy_header("<f8", "(20, 2, 3)"),
                                             raw_bytes(inputs)))},
      {"targets",
       folder.write(
           "y", npy_bytes(npy_header("<i8", "(20,)"),
                          raw_bytes(at::arange(20, at::kLong).remainder(2))))}};
  CHECK_THROWS_WITH(splits_of(section),
                    ContainsSubstring("number 5 of example 7") &&
                        ContainsSubstring("-1e+300"));
  CHECK_NOTHROW(splits_of(section, float64()));
}

TEST_CASE("differences that float32 rounds away are warned of", "[data]") {
  const TemporaryFolder folder;
  const auto told = [] {
    std::string out;
    for (const std::string& text : untold_warnings()) out += text + "\n";
    return out;
  };
  told();
  const auto seconds = [](int i) { return 1600000000 + 37 * (i * i % 41); };
  splits_of(table(folder, seconds));
  CHECK_THAT(told(), ContainsSubstring("column 'a' is 16000") &&
                         ContainsSubstring("set \"standardize\" to true"));
  splits_of(table(folder, seconds, {{"standardize", true}}));
  splits_of(table(folder, seconds), float64());
  splits_of(table(folder, [](int i) { return 1600 + i % 5; }));
  CHECK(told().empty());
  // Too small to be told from zero.
  splits_of(table(folder, [](int i) { return fmt::format("{}e-50", 1 + i); }));
  CHECK_THAT(told(), ContainsSubstring("column 'a'"));
}

TEST_CASE("inputs that are all the same are refused", "[data]") {
  const TemporaryFolder folder;
  const Json section = {
      {"type", "npy"},
      {"inputs", folder.write("x", npy_bytes(npy_header("|u1", "(6, 2)"),
                                             std::string(12, '\7')))},
      {"targets", folder.write("y", npy_bytes(npy_header("|u1", "(6,)"),
                                              {0, 1, 0, 1, 0, 1}))}};
  CHECK_THROWS_WITH(splits_of(section),
                    ContainsSubstring("all 6 examples have the same inputs"));
}

TEST_CASE("features whose squares float32 cannot hold are standardized",
          "[data]") {
  const TemporaryFolder folder;
  const double size = GENERATE(1e20, 1e-25);
  const Tensor a = Key(5).normal(at::empty({40, 2}, float64()));
  const auto splits = [&](double factor) {
    const std::string name = fmt::format("x{}", factor);
    const Tensor inputs = (factor * a).to(at::kFloat);
    return splits_of(
        {{"type", "npy"},
         {"standardize", true},
         {"inputs", folder.write(name, npy_bytes(npy_header("<f4", "(40, 2)"),
                                                 raw_bytes(inputs)))},
         {"targets",
          folder.write(
              "y",
              npy_bytes(npy_header("<i8", "(40,)"),
                        raw_bytes(at::arange(40, at::kLong).remainder(2))))}});
  };
  CHECK(at::allclose(splits(size).train.inputs, splits(1).train.inputs, 1e-4,
                     1e-5));
}

TEST_CASE("training examples of one class are warned of", "[data]") {
  const TemporaryFolder folder;
  untold_warnings();
  splits_of(table(folder, [](int i) { return i % 5; }, {{"train", 1}}));
  const std::vector<std::string> told = untold_warnings();
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], ContainsSubstring(
                          "the training part (one example) has the class"));
}

TEST_CASE("a preparation is saved as JSON and applied to another table",
          "[data][tables]") {
  const TemporaryFolder folder;
  const Splits splits =
      splits_of({{"type", "csv"},
                 {"file", folder.write("t.csv",
                                       "x,city,y,z,part\n1,Rome,0.1,3,train\n"
                                       "2.25,,1.3,4,train\n,Bonn,0.7,8,train\n"
                                       "9.1,Oslo,1,2,valid\n,Rome,2,2,valid\n"
                                       "3,?,1,1,test\n")},
                 {"missing", "indicator"},
                 {"standardize", true},
                 {"targets", "numbers"},
                 {"standardize_targets", true},
                 {"target", {"y", "z"}},
                 {"split_column", "part"}},
                float64());
  const Json json = Json::parse(Preparation::of(splits).to_json().dump());
  const Preparation saved = Preparation::from_json(json);
  CHECK(saved.to_json() == json);
  // Other columns, and no targets.
  const std::string rows =
      folder.write("new.csv", "id,city,x\na,Oslo,9.1\nb,Rome,NA\n");
  const Dataset there{saved.features_in(rows)};
  CHECK(at::equal(saved.prepared(there, at::kDouble, "new.csv").inputs,
                  splits.valid.inputs));
  CHECK(saved.target_names == std::vector<std::string>{"y", "z"});
  const Tensor targets = saved.targets_in_source_units(splits.valid.targets);
  CHECK(at::allclose(targets,
                     at::tensor({1., 2., 2., 2.}, at::kDouble).view({2, 2})));

  const auto refused = [&](const char* text, const char* reason) {
    CHECK_THROWS_WITH(saved.features_in(folder.write("new.csv", text)),
                      ContainsSubstring(reason));
  };
  refused("id,city\na,Rome\n", "there is no column 'x'");
  refused("city,x\nRome,1\nBonn,two\n",
          "line 3: column 'x' must be a finite number, is 'two'");
  for (const char* key : {"format", "table", "inputs", "targets"}) {
    Json damaged = json;
    damaged[key] = {{"shape", {2}}};
    CHECK_THROWS_AS(Preparation::from_json(damaged), Error);
  }
}

TEST_CASE("a preparation of images has the shift and scale of their channels",
          "[data]") {
  Preparation images;
  const Tensor mean = Key(1).normal(at::empty({1, 3, 1, 1}, float64()));
  images.scaling = {mean, mean.abs() + 1};
  images.classes = 2;
  images.shape = {3, 4, 4};
  const Preparation saved = Preparation::from_json(images.to_json());
  const Tensor pixels = Key(2).uniform(at::empty({5, 3, 4, 4}, float64()));
  CHECK(at::equal(saved.prepared(Dataset{pixels}, at::kDouble, "x").inputs,
                  (pixels - mean) / (mean.abs() + 1)));
  CHECK_THROWS_WITH(
      saved.prepared(Dataset{pixels.narrow(1, 0, 1)}, at::kFloat, "'x'"),
      ContainsSubstring("'x': an example has the shape [1, 4, 4], but the "
                        "network was trained on [3, 4, 4]"));
  CHECK_THROWS_WITH(saved.features_in("t.csv"),
                    ContainsSubstring("was not trained on a table"));
}

TEST_CASE("new inputs must be bytes if those of training were", "[data]") {
  const TemporaryFolder folder;
  const auto section = [&](const std::string& type, at::ScalarType stored) {
    const Tensor x = at::arange(0, 240, 2).view({60, 2}).to(stored);
    return Json{
        {"type", "npy"},
        {"inputs", folder.write(type, npy_bytes(npy_header(type, "(60, 2)"),
                                                raw_bytes(x)))},
        {"targets",
         folder.write("y", npy_bytes(npy_header("<i8", "(60,)"),
                                     raw_bytes(at::arange(60).remainder(2))))}};
  };
  const Json bytes = section("|u1", at::kByte);
  const Json floats = section("<f4", at::kFloat);
  const auto ask = [](const Json& trained, const Json& asked) {
    const Preparation saved =
        Preparation::from_json(Preparation::of(splits_of(trained)).to_json());
    return saved.prepared(Dataset{load_source(asked).training.inputs},
                          at::kFloat, "'new.npy'");
  };
  CHECK(ask(bytes, bytes).inputs.max().item<float>() == 238.f / 255);
  CHECK(ask(floats, floats).inputs.max().item<float>() == 238);
  const auto refused = [&](const Json& trained, const Json& asked,
                           const char* kinds) {
    CHECK_THROWS_WITH(
        ask(trained, asked),
        ContainsSubstring("'new.npy': inputs are ") &&
            ContainsSubstring(kinds) &&
            ContainsSubstring("either all of them must be bytes or none"));
  };
  refused(bytes, floats, "no bytes, those in training were bytes");
  refused(floats, bytes, "are bytes, those in training were none");
}

TEST_CASE("new numbers that are not finite in the type are refused",
          "[data][stored]") {
  Preparation saved;
  saved.shape = {2};
  Tensor x = at::ones({5, 2}, at::kDouble);
  const auto refused = [&](const Dataset& examples, const char* reason) {
    CHECK_THROWS_WITH(
        saved.prepared(examples, at::kFloat, "'x'").rows({}).input,
        ContainsSubstring(reason));
  };
  CHECK(at::equal(saved.prepared(Dataset{x}, at::kFloat, "'x'").inputs,
                  x.to(at::kFloat)));
  x[3][1] = 1e39;
  refused(Dataset{x}, "'x': number 1 of example 3 is 1e+39, which float32");
  CHECK_NOTHROW(saved.prepared(Dataset{x}, at::kDouble, "'x'"));
  x[3][1] = std::nan("");
  const Dataset stored = Dataset::in_file(
      [x](const Tensor& rows) { return x.index_select(0, rows); }, x.sizes(),
      at::kDouble, false);
  refused(stored, "'x': number 1 of example 3 is not a finite number");
  // Rows are counted in the file, and only those that are read are judged.
  const Dataset prepared = saved.prepared(stored, at::kFloat, "'x'");
  CHECK(prepared.inputs.scalar_type() == at::kFloat);
  CHECK_NOTHROW(prepared.loaded(0, 3).inputs);
  CHECK_THROWS_WITH(prepared.loaded(2, 2).inputs,
                    ContainsSubstring("of example 3 is not"));
}

TEST_CASE("new columns are found by their names alone", "[data][tables]") {
  const TemporaryFolder folder;
  const std::string rows = "\n1,4,7,1\n2,4,9,0\n3,5,8,1\n";
  const auto trained = [&](const char* header, const Json& keys) {
    Json section = {{"type", "csv"},
                    {"file", folder.write("t.csv", header + rows)}};
    section.update(keys);
    return Preparation::from_json(
        Preparation::of(splits_of(section)).to_json());
  };
  const Preparation saved = trained("0,1,3,y", {{"target", "y"}});
  const auto features = [&](const std::string& text) {
    return saved.features_in(folder.write("new.csv", text));
  };
  CHECK(at::equal(features("3,y,1,0\n7,5,4,1\n"),
                  at::tensor({1., 4., 7.}, at::kDouble).view({1, 3})));
  // "y" stands where column 3 would be.
  CHECK_THROWS_WITH(features("0,1,2,y\n1,4,7,5\n"),
                    ContainsSubstring("there is no column '3'"));
  CHECK_THROWS_WITH(features("0,1,3,3\n1,4,7,5\n"),
                    ContainsSubstring("there are several columns '3'"));
  // Without a header, places count.
  const Preparation places =
      trained("5,6,7,0", {{"header", false}, {"drop", 1}});
  CHECK(at::equal(places.features_in(folder.write("new.csv", "1,2,3\n4,5,6\n")),
                  at::tensor({1., 3., 4., 6.}, at::kDouble).view({2, 2})));
}

TEST_CASE("a saved shift that does not fit the examples is refused", "[data]") {
  Preparation whole;
  const Tensor ones = at::ones({1, 2}, at::kDouble);
  whole.scaling = {ones, ones};
  whole.shape = {2};
  whole.target_mean = whole.target_deviation = at::ones({3}, at::kDouble);
  const Json json = whole.to_json();
  CHECK_NOTHROW(Preparation::from_json(json));
  const auto refused = [&](const char* pointer, const Json& value) {
    Json changed = json;
    changed[Json::json_pointer(pointer)] = value;
    CAPTURE(changed);
    CHECK_THROWS_AS(Preparation::from_json(changed), Error);
  };
  refused("/shape", {3});
  refused("/shape", {2, 1});
  refused("/shape", {std::int64_t{1} << 40, std::int64_t{1} << 40});
  refused("/inputs/shape", {2});
  refused("/inputs/shape", {2, 1});
  // Two times the square of 2^63 - 1, of which 64 bits keep 2.
  refused("/inputs/shape", {1, 2, 7, 7, 73, 127, 337, 92737, 649657, 7, 7, 73,
                            127, 337, 92737, 649657});
  refused("/targets/shape", {1, 3});
}

}  // namespace nestgrad
