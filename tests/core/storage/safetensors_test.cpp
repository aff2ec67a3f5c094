#include "core/storage/safetensors.h"

#include <ATen/ATen.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <limits>
#include <random>

#include "core/platform/error.h"
#include "core/platform/files.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// A file with this header (not padded) and these data.
std::string bytes_of(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size() & 0xff);
  length[1] = static_cast<char>(header.size() >> 8);
  return length + header + data;
}

std::size_t files_in(const std::string& folder) {
  const std::filesystem::directory_iterator all(folder);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

ParameterSet one_of_each() {
  return {{"z", at::tensor({1.5, -2.25}, at::kFloat).view({2, 1})},
          {"a/\"quoted\" \xC3\xA9", at::tensor({0.1, 1e-300}, at::kDouble)},
          {"long", at::tensor({std::numeric_limits<std::int64_t>::min()})},
          {"bytes", at::tensor({0, 255, 7}, at::kByte)},
          {"bools", at::tensor({1, 0, 1}).to(at::kBool)},
          {"scalar", at::scalar_tensor(3.0, at::kFloat)},
          {"nothing", at::empty({0, 5}, at::kFloat)}};
}

TEST_CASE("a saved set is loaded with its order, types, shapes and numbers",
          "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("set.safetensors");
  const ParameterSet set = one_of_each();
  save_safetensors(path, set, {{"made by", "a test"}});
  const ParameterSet loaded = load_safetensors(path);
  REQUIRE(loaded.size() == set.size());
  for (std::size_t i = 0; i < set.size(); ++i) {
    CAPTURE(set.name(i));
    CHECK(loaded.name(i) == set.name(i));
    CHECK(loaded.tensors()[i].scalar_type() == set.tensors()[i].scalar_type());
    CHECK(at::equal(loaded.tensors()[i], set.tensors()[i]));
  }
}

TEST_CASE("tensors are written in C order whatever their strides are",
          "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("set.safetensors");
  const Tensor columns = at::arange(6, at::kFloat).view({2, 3}).t();
  save_safetensors(path, {{"w", columns}});
  CHECK(at::equal(load_safetensors(path).at("w"), columns));
}

TEST_CASE("a file has exactly the bytes that the format prescribes",
          "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("set.safetensors");
  save_safetensors(path, {{"w", at::tensor({1.0, -2.0}, at::kFloat)}},
                   {{"step", "7"}});
  const std::string header =
      R"({"__metadata__":{"step":"7"},)"
      R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  REQUIRE(header.size() == 82);
  CHECK(read_file(path) == std::string("\x58\0\0\0\0\0\0\0", 8) + header +
                               std::string(6, ' ') +
                               std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
}

TEST_CASE("an empty set can be saved and loaded", "[safetensors]") {
  const TemporaryFolder folder;
  save_safetensors(folder.path("empty"), {});
  CHECK(load_safetensors(folder.path("empty")).empty());
}

TEST_CASE("a file of another program loads in the order of its header",
          "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "other",
      bytes_of(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
               R"("a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})",
               "\x01\x02\x03"));
  const ParameterSet set = load_safetensors(path);
  REQUIRE(set.size() == 2);
  CHECK(set.name(0) == "b");
  CHECK(at::equal(set.at("b"), at::tensor({2, 3}, at::kByte)));
  CHECK(set.at("a").item<int>() == 1);
}

TEST_CASE("a damaged safetensors file is refused with its name and the reason",
          "[safetensors]") {
  struct Damage {
    std::string bytes, reason;
  };
  const auto u8 = [](const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":"U8","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  const auto [bytes, reason] = GENERATE_COPY(
      Damage{"", "it has 0 bytes"}, Damage{"1234567", "it has 7 bytes"},
      Damage{std::string(8, '\xff'), "a header of 18446744073709551615 bytes"},
      Damage{bytes_of("{}", "").substr(0, 9), "a header of 2 bytes, but 1"},
      Damage{bytes_of("{", ""), "not a JSON object"},
      Damage{bytes_of("[]", ""), "not a JSON object"},
      Damage{bytes_of(R"({"w":3})", ""), "'w' lacks 'dtype'"},
      Damage{
          bytes_of(R"({"w":{"dtype":"F16","shape":[],"data_offsets":[0,2]}})",
                   "12"),
          "the element type \"F16\""},
      Damage{bytes_of(u8("[-1]", "[0,1]"), "1"), "not a whole number"},
      Damage{bytes_of(u8("[1.5]", "[0,1]"), "1"), "not a whole number"},
      Damage{bytes_of(u8("3", "[0,3]"), "123"), "at most 64 sizes"},
      Damage{bytes_of(u8("[2]", "[0,1]"), "1"), "needs 2 bytes"},
      Damage{bytes_of(u8("[2]", "[2,0]"), "12"), "offsets are 2 and 0"},
      Damage{bytes_of(u8("[2]", "[0]"), "12"), "two data offsets"},
      Damage{bytes_of(u8("[4294967296,4294967296]", "[0,0]"), ""),
             "impossible size"},
      Damage{bytes_of(u8("[0,4294967296,4294967296]", "[0,0]"), ""),
             "impossible size"},
      Damage{bytes_of(u8("[2]", "[0,2]"), "1"), "2 bytes of data, there are 1"},
      Damage{bytes_of(u8("[2]", "[0,2]"), "123"),
             "2 bytes of data, there are 3"},
      Damage{bytes_of(u8("[2]", "[1,3]"), "123"), "should start at byte 0"},
      Damage{
          bytes_of(R"({"w":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})",
                   "\x02"),
          "neither 0 nor 1"},
      Damage{bytes_of(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                      R"("w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                      "1"),
             "'w' is there twice"});
  const TemporaryFolder folder;
  const std::string path = folder.write("damaged", bytes);
  CHECK_THROWS_AS(load_safetensors(path), Error);
  CHECK_THROWS_WITH(load_safetensors(path), ContainsSubstring(reason));
  CHECK_THROWS_WITH(load_safetensors(path), ContainsSubstring(path));
}

TEST_CASE("a changed safetensors file loads or is refused, and nothing else",
          "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("set");
  save_safetensors(path, one_of_each());
  const std::string whole = read_file(path);
  std::mt19937 random(1);
  int loaded = 0, refused = 0;
  for (int i = 0; i < 500; ++i) {
    std::string bytes = whole;
    if (i % 4 == 0) {
      bytes.resize(random() % whole.size());
    } else {
      bytes[random() % whole.size()] = static_cast<char>(random());
    }
    folder.write("set", bytes);
    try {
      load_safetensors(path).clone();
      ++loaded;
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(loaded > 0);
  CHECK(refused > 125);
}

TEST_CASE("what the format cannot hold is not written", "[safetensors]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("set");
  const Tensor one = at::ones({1});
  CHECK_THROWS_WITH(save_safetensors(path, {{"w", one.to(at::kHalf)}}),
                    ContainsSubstring("tensor 'w' must be float32"));
  CHECK_THROWS_WITH(save_safetensors(path, {{"__metadata__", one}}),
                    ContainsSubstring("reserved name"));
  CHECK_THROWS_WITH(save_safetensors(path, {{"\xff", one}}),
                    ContainsSubstring("not UTF-8"));
  CHECK(files_in(folder.path("")) == 0);
}

TEST_CASE("a written file holds what was given, and only that", "[files]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("file");
  const std::string bytes("\0one\n\xff", 6);
  write_file(path, "something longer than what comes next");
  write_file(path, bytes);
  CHECK(read_file(path) == bytes);
  CHECK(files_in(folder.path("")) == 1);
  write_file(path, "");
  CHECK(read_file(path).empty());
}

TEST_CASE("a large file is read whole", "[files]") {
  const TemporaryFolder folder;
  std::string bytes(3'000'001, 'x');
  bytes.back() = 'y';
  write_file(folder.path("file"), bytes);
  CHECK(read_file(folder.path("file")) == bytes);
}

TEST_CASE("a file that cannot be written or read is named with the reason",
          "[files]") {
  const TemporaryFolder folder;
  const std::string missing = folder.path("no/such/folder/file");
  CHECK_THROWS_WITH(write_file(missing, "x"),
                    ContainsSubstring("cannot write '" + missing +
                                      "': No such file or directory"));
  CHECK_THROWS_WITH(read_file(missing),
                    ContainsSubstring("cannot read '" + missing +
                                      "': No such file or directory"));
  CHECK_THROWS_WITH(read_file(folder.path("")),
                    ContainsSubstring("Is a directory"));
  CHECK_THROWS_WITH(write_file(folder.path(""), "x"),
                    ContainsSubstring("not a regular file"));
  CHECK_THROWS_WITH(write_file("/dev/null", "x"),
                    ContainsSubstring("not a regular file"));
}

/// As long as it lives, no file can grow beyond `bytes`, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit before_ = {};
};

TEST_CASE("a write that fails half-way leaves the old file and nothing else",
          "[files]") {
  const TemporaryFolder folder;
  const std::string path = folder.path("file");
  write_file(path, "old");
  std::string complaint;
  {
    const FullDisk full(1000);
    try {
      write_file(path, std::string(5000, 'x'));
    } catch (const Error& error) {
      complaint = error.what();
    }
  }
  CHECK(complaint == "cannot write '" + path + "': File too large");
  CHECK(read_file(path) == "old");
  CHECK(files_in(folder.path("")) == 1);
}

}  // namespace
}  // namespace nestgrad
