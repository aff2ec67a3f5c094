// Arrays of NumPy and others, of every type and order.

#include <ATen/ATen.h>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "core/storage/safetensors.h"
#include "experiments/data/array_examples.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/arrays/npz_file.h"
#include "experiments/data/saved_preparation.h"
#include "tests/support/data_support.h"
#include "tests/support/images.h"
#include "tests/support/program.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Arrays of all types as NumPy writes them; the element at [i, j, k] of each
/// is 12 i + 4 j + k, of bool whether that is odd.
constexpr const char* kWriteArrays = R"(
import numpy
a = numpy.arange(24).reshape(2, 3, 4)
for t in 'u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8'.split():
    for order in '<>':
        numpy.save(f'{t}{"lb"[order == ">"]}c', a.astype(order + t))
        numpy.save(f'{t}{"lb"[order == ">"]}f', numpy.asfortranarray(a.astype(order + t)))
numpy.save('b1', a % 2 == 1)
numpy.save('u2_large', numpy.array([[65535, 40000]], 'u2'))
numpy.save('u4_large', numpy.array([[2**32 - 1, 7]], '>u4'))
numpy.save('u8_large', numpy.array([[2**63, 7]], 'u8'))
numpy.save('complex', a.astype('c8'))
numpy.save('objects', numpy.array([[1, None]], object), allow_pickle=True)
numpy.save('fields', numpy.zeros(2, [('a', 'f4'), ('b', 'i4', (2,))]))
numpy.save('texts', numpy.array(['x', 'yy']))
numpy.save('times', numpy.array(['2020-01-01'], 'M8[D]'))
numpy.save('long', a.astype(numpy.longdouble))
both = dict(inputs=a, targets=numpy.array([1, 0]), other=numpy.array(['x']),
            test_inputs=a[:1] + 1, test_targets=numpy.array([2], 'u1'))
numpy.savez('stored', **both)
numpy.savez_compressed('deflated', **both)
numpy.savez('regression', x=a, y=numpy.array([[1.5, 2], [3, 4]], 'f2'))
)";

/// What kWriteArrays wrote into .npz files. `a`: the array.
void check_archives(const TemporaryFolder& folder, const Tensor& a) {
  for (const std::string name : {"stored.npz", "deflated.npz"}) {
    const Examples examples =
        load_source({{"type", "npz"}, {"file", folder.path(name)}});
    CHECK(at::equal(examples.training.inputs, a.to(at::kDouble)));
    CHECK(at::equal(examples.training.targets, at::tensor({1, 0}, at::kLong)));
    CHECK(examples.training.classes == 3);
    CHECK(
        at::equal(examples.test.inputs, 1 + a.slice(0, 0, 1).to(at::kDouble)));
    CHECK(at::equal(examples.test.targets, at::tensor({2}, at::kLong)));
    CHECK_FALSE(examples.valid.inputs.defined());
  }
  const Json regression = {{"type", "npz"},
                           {"file", folder.path("regression.npz")},
                           {"inputs_array", "x"},
                           {"targets_array", "y"},
                           {"targets", "numbers"}};
  const Dataset numbers = load_source(regression).training;
  CHECK(numbers.classes == 0);
  CHECK(at::equal(numbers.targets,
                  at::tensor({1.5f, 2.f, 3.f, 4.f}).view({2, 2})));
}

TEST_CASE("arrays of every type and order are read as NumPy wrote them",
          "[data][arrays]") {
  const TemporaryFolder folder;
  folder.write("write.py", kWriteArrays);
  REQUIRE(shell(folder.path(""), "/usr/bin/python3 write.py").output == "");
  const Tensor a = at::arange(24).view({2, 3, 4});
  const auto read = [&](const std::string& name) {
    return read_npy(folder.path(name + ".npy"));
  };
  for (const std::string type :
       {"u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"}) {
    for (const char* order : {"lc", "bc", "lf", "bf"}) {
      CAPTURE(type, order);
      CHECK(at::equal(read(type + order).to(at::kLong), a));
      CHECK(read(type + order).is_contiguous());
    }
  }
  CHECK(at::equal(read("b1"), a.remainder(2).eq(1)));
  CHECK(read("f2lc").scalar_type() == at::kHalf);
  CHECK(at::equal(read("u2_large").to(at::kLong),
                  at::tensor({65535, 40000}, at::kLong).view({1, 2})));
  CHECK(at::equal(
      read("u4_large"),
      at::tensor({std::int64_t{4294967295}, std::int64_t{7}}).view({1, 2})));

  struct Refused {
    const char *name, *reason;
  };
  for (const Refused& refused :
       {Refused{"u8_large", "above 9223372036854775807; save"},
        Refused{"complex", "complex numbers; save array.real"},
        Refused{"objects", "Python objects; save numpy.stack(array)"},
        Refused{"fields", "structured_to_unstructured(array)"},
        Refused{"texts", "numpy.unique(array, return_inverse=True)[1]"},
        Refused{"times", "times; save array.astype(\"i8\")"},
        Refused{"long", "save array.astype(\"f8\")"}}) {
    CHECK_THROWS_WITH(read(refused.name),
                      ContainsSubstring(folder.path(refused.name)) &&
                          ContainsSubstring(refused.reason));
  }
  check_archives(folder, a);
}

/// A file of arrays of either format.
std::string write_archive(const TemporaryFolder& folder,
                          const std::string& type, const std::string& name,
                          const ParameterSet& arrays) {
  const std::string path = folder.path(name);
  type == "npz" ? save_npz(path, arrays) : save_safetensors(path, arrays);
  return path;
}

TEST_CASE("parts of npz and safetensors files have files of their own",
          "[data][arrays]") {
  const std::string type = GENERATE("npz", "safetensors");
  const TemporaryFolder folder;
  const auto arrays = [&](const char* name, const Tensor& x, const Tensor& y) {
    return write_archive(folder, type, name, {{"inputs", x}, {"targets", y}});
  };
  const Tensor x = at::arange(8, at::kDouble).view({4, 2});
  const Tensor y = at::tensor({0, 1, 0, 1}, at::kLong);
  Json section = {
      {"type", type},
      {"file", arrays("a", x, y)},
      {"valid_file", arrays("v", x.slice(0, 0, 3) + 1, y.slice(0, 0, 3))},
      {"test_file", arrays("t", x + 2, y)}};
  const Examples examples = load_source(section);
  CHECK(at::equal(examples.training.inputs, x));
  CHECK(at::equal(examples.valid.inputs, x.slice(0, 0, 3) + 1));
  CHECK(at::equal(examples.test.inputs, x + 2));
  CHECK(at::equal(examples.test.targets, y));
  // Examples are counted through the parts.
  CHECK_THAT(examples.place(8, 1),
             ContainsSubstring("t': inputs: number 1 of example 1,"));

  section["test_file"] = arrays("w", at::ones({1, 3}), y.slice(0, 0, 1));
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("have the shape (3)"));
  section["test_file"] = arrays("b", x.to(at::kByte), y);
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("either all of them must be bytes"));
  section["test_file"] =
      write_archive(folder, type, "n", {{"x", x}, {"targets", y}});
  CHECK_THROWS_WITH(
      load_source(section),
      ContainsSubstring("has no 'inputs'") && ContainsSubstring("'x'"));
  section["file"] = write_archive(
      folder, type, "o",
      {{"inputs", x}, {"targets", y}, {"test_inputs", x}, {"test_targets", y}});
  CHECK_THROWS_WITH(
      load_source(section),
      ContainsSubstring("has 'test_inputs', so \"test_file\" must "
                        "be left out"));
}

TEST_CASE("a part of an archive has inputs and targets, or neither",
          "[data][arrays]") {
  const std::string type = GENERATE("npz", "safetensors");
  const std::string name = GENERATE("valid_inputs", "test_targets");
  const TemporaryFolder folder;
  ParameterSet arrays = {{"inputs", at::arange(8, at::kDouble).view({4, 2})},
                         {"targets", at::tensor({0, 1, 0, 1}, at::kLong)}};
  for (int i = 0; i < 20; ++i) {
    arrays.insert(fmt::format("other{}", i), at::ones({1}));
  }
  arrays.insert(name, at::ones({4, 2}));
  const Json section = {{"type", type},
                        {"file", write_archive(folder, type, "a", arrays)}};
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("has '" + name + "' but no '"));
  // Not all names are listed.
  Json unknown = section;
  unknown["inputs_array"] = "x";
  CHECK_THROWS_WITH(load_source(unknown),
                    ContainsSubstring("has no 'x', only '") &&
                        ContainsSubstring("' and 13 more"));
}

TEST_CASE("targets of the parts are of one length", "[data][arrays]") {
  const TemporaryFolder folder;
  const Tensor x = at::arange(8, at::kDouble).view({4, 2});
  save_npz(folder.path("a"), {{"inputs", x},
                              {"targets", x},
                              {"test_inputs", x},
                              {"test_targets", at::ones({4, 3})}});
  CHECK_THROWS_WITH(
      load_source({{"type", "npz"},
                   {"file", folder.path("a")},
                   {"targets", "numbers"}}),
      ContainsSubstring("the number of targets of an example is 3, in ") &&
          ContainsSubstring("it is 2"));
}

TEST_CASE("arrays of an archive that are not wanted do not matter",
          "[data][arrays]") {
  const TemporaryFolder folder;
  folder.write("write.py", R"(
import numpy, zipfile
numpy.savez('a.npz', inputs=numpy.eye(2), targets=[0, 1], extra=numpy.eye(2))
archive = zipfile.ZipFile('a.npz', 'a')
archive.getinfo('extra.npy').file_size = 20 << 30  # as if it had 20 GiB
archive._didModify = True
archive.close()
)");
  REQUIRE(shell(folder.path(""), "/usr/bin/python3 write.py").output == "");
  Json section = {{"type", "npz"}, {"file", folder.path("a.npz")}};
  CHECK(load_source(section).training.size() == 2);
  section["inputs_array"] = "extra";
  CHECK_THROWS_WITH(load_source(section),
                    ContainsSubstring("has 20.0 GiB, more than the 16 GiB"));

  // 1 and -2 in each type, two targets and a tensor of a type of its own.
  using namespace std::string_literals;
  struct Type {
    std::string name, numbers;
    std::size_t size;
  };
  const Type type = GENERATE(
      Type{"F16", "\x00\x3c\x00\xc0"s, 4}, Type{"BF16", "\x80\x3f\x00\xc0"s, 4},
      Type{"I8", "\x01\xfe"s, 2}, Type{"I16", "\x01\x00\xfe\xff"s, 4},
      Type{"I32", "\x01\x00\x00\x00\xfe\xff\xff\xff"s, 8});
  const std::size_t a = type.size, b = a + 2;
  std::string header = fmt::format(
      R"({{"inputs":{{"dtype":"{}","shape":[2,1],"data_offsets":[0,{}]}},)"
      R"("targets":{{"dtype":"U8","shape":[2],"data_offsets":[{},{}]}},)"
      R"("extra":{{"dtype":"F8_E4M3","shape":[1],"data_offsets":[{},{}]}}}})",
      type.name, a, a, b, b, b + 1);
  const std::string length = {
      static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  const Json tensors = {
      {"type", "safetensors"},
      {"file", folder.write("b", length + header + type.numbers + "\0\1x"s)}};
  const Tensor inputs = load_source(tensors).training.inputs;
  CHECK(at::equal(inputs.to(at::kDouble),
                  at::tensor({1., -2.}, at::kDouble).view({2, 1})));
  Json other = tensors;
  other["inputs_array"] = "extra";
  CHECK_THROWS_WITH(load_source(other),
                    ContainsSubstring("the element type \"F8_E4M3\"; F16"));
}

TEST_CASE("new npy inputs need not stay in a file because others did",
          "[data][arrays]") {
  const TemporaryFolder folder;
  const Json section = {
      {"type", "npy"}, {"inputs", "x"}, {"targets", "y"}, {"in_memory", false}};
  const std::string fortran = folder.write(
      "x", npy_bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}",
                     raw_bytes(at::tensor({1.f, 2.f}))));
  const auto source = DataRegistry::instance().make(data_section(section));
  const Dataset got = source->load_new(fortran, Preparation()).examples;
  CHECK(at::equal(got.inputs, at::tensor({1.f, 2.f}).view({1, 2})));
}

TEST_CASE("targets of arrays are classes or, if a key says so, numbers",
          "[data][arrays]") {
  const TemporaryFolder folder;
  const auto section = [&](const Tensor& targets, const char* kind) {
    save_npz(folder.path("a"),
             {{"inputs", at::arange(8, at::kFloat).view({4, 2})},
              {"targets", targets}});
    return Json{{"type", "npz"}, {"file", folder.path("a")}, {"targets", kind}};
  };
  const Tensor prices = at::tensor({1.5, 2.5, -1., 3.}, at::kDouble);
  CHECK_THROWS_WITH(load_source(section(prices, "classes")),
                    ContainsSubstring("set \"targets\" to \"numbers\""));
  CHECK(at::equal(load_source(section(prices, "numbers")).training.targets,
                  prices.view({4, 1})));
  CHECK(at::equal(
      load_source(section(at::tensor({0, 1, 1, 0}, at::kByte), "numbers"))
          .training.targets,
      at::tensor({0., 1., 1., 0.}, at::kDouble).view({4, 1})));
  CHECK_THROWS_WITH(load_source(section(prices.view({2, 2, 1}), "numbers")),
                    ContainsSubstring("expected numbers [examples] or"));
  CHECK_THROWS_WITH(load_source(section(prices / at::zeros({4, 1}), "numbers")),
                    ContainsSubstring("targets: expected finite numbers"));
  CHECK_THROWS_WITH(load_source(section(prices.slice(0, 0, 3), "numbers")),
                    ContainsSubstring("expected 4 targets"));
  Json both = section(prices, "numbers");
  both["classes"] = 2;
  CHECK_THROWS_WITH(load_source(both), ContainsSubstring("/data/classes"));

  // In npy files "targets" is a path.
  const std::string x = folder.write(
      "x", npy_bytes(npy_header("<f4", "(2, 1)"), std::string(8, '\0')));
  const std::string y =
      folder.write("y", npy_bytes(npy_header(">f4", "(2, 1)"),
                                  std::string("\x3f\x80\0\0\x40\0\0\0", 8)));
  const Json npy = {{"type", "npy"},     {"inputs", x},
                    {"targets", y},      {"test_inputs", x},
                    {"test_targets", y}, {"targets_are", "numbers"}};
  const Examples examples = load_source(npy);
  CHECK(at::equal(examples.test.targets, at::tensor({1.f, 2.f}).view({2, 1})));
}

/// The header of an IDX file.
std::string idx_header(char type, const std::vector<std::uint32_t>& sizes) {
  std::string bytes{0, 0, type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) bytes += big_endian(size);
  return bytes;
}

TEST_CASE("IDX files of every type and any number of axes load",
          "[data][arrays]") {
  using namespace std::string_literals;
  struct Type {
    char code;
    std::string numbers;  // 1 and -2, or 254 for unsigned bytes
  };
  const Type type = GENERATE(
      Type{8, "\x01\xfe"s}, Type{9, "\x01\xfe"s}, Type{0x0B, "\0\x01\xff\xfe"s},
      Type{0x0C, "\0\0\0\x01\xff\xff\xff\xfe"s},
      Type{0x0D, "\x3f\x80\0\0\xc0\0\0\0"s},
      Type{0x0E, "\x3f\xf0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0"s});
  const std::vector<std::uint32_t> sizes = GENERATE(
      std::vector<std::uint32_t>{2, 1}, std::vector<std::uint32_t>{2, 1, 1},
      std::vector<std::uint32_t>{2, 1, 1, 1, 1});
  const TemporaryFolder folder;
  const std::string x =
      folder.write("x", idx_header(type.code, sizes) + type.numbers);
  const Json section = {
      {"type", "idx"},
      {"images", x},
      {"labels",
       folder.write("y", idx_header(0x0C, {2}) + "\0\0\0\x02\0\0\0\0"s)},
      {"valid_images", x},
      {"valid_labels",
       folder.write("z", idx_header(0x0B, {2}) + "\0\x03\0\0"s)}};
  const Examples examples = load_source(section);
  const Tensor inputs = examples.training.inputs;
  CHECK(inputs.flatten()[0].item<double>() == 1);
  CHECK(inputs.flatten()[1].item<double>() == (type.code == 8 ? 254 : -2));
  // Of three axes: grey images.
  CHECK(inputs.dim() ==
        (sizes.size() == 3 ? 4 : static_cast<std::int64_t>(sizes.size())));
  CHECK((inputs.scalar_type() == at::kByte) == (type.code == 8));
  CHECK(at::equal(examples.training.targets, at::tensor({2, 0}, at::kLong)));
  CHECK(at::equal(examples.valid.targets, at::tensor({3, 0}, at::kLong)));
  CHECK(examples.valid.classes == 4);
}

TEST_CASE("new examples of which there are none are refused",
          "[data][arrays]") {
  for (const at::ScalarType type : {at::kByte, at::kFloat}) {
    CHECK_THROWS_WITH(array_inputs(at::empty({0, 3}, type), "'a.npy'"),
                      "'a.npy': has no examples");
  }
}

}  // namespace
}  // namespace nestgrad
