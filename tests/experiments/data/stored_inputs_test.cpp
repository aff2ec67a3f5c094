// Inputs that stay in their file.

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/platform/error.h"
#include "core/platform/warnings.h"
#include "core/problem.h"
#include "core/tensor/autodiff.h"
#include "experiments/data/arrays/npy_file.h"
#include "experiments/data/preparation.h"
#include "experiments/data/scaling/statistics.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

/// Two .npy files: inputs of this shape and type, and classes 0 to 2 in turn.
class Arrays {
 public:
  Arrays(const std::string& type, const std::string& shape,
         const std::string& numbers, std::int64_t examples) {
    section_ = {
        {"type", "npy"},
        {"inputs",
         folder_.write("x", npy_bytes(npy_header(type, shape), numbers))},
        {"targets",
         folder_.write(
             "y", npy_bytes(npy_header("<i8", fmt::format("({},)", examples)),
                            raw_bytes(at::arange(examples).remainder(3))))}};
  }

  Json section(bool in_memory, const Json& keys = Json::object()) const {
    Json out = section_;
    out["in_memory"] = in_memory;
    out.update(keys);
    return out;
  }

  std::string inputs() const { return folder_.path("x"); }

 private:
  TemporaryFolder folder_;
  Json section_;
};

const Tensor kNumbers =
    (Key(2).uniform(at::empty({60, 2, 3}, at::kDouble)) * 200).floor();

Arrays arrays_of(const std::string& type, at::ScalarType stored) {
  std::string bytes = raw_bytes(kNumbers.to(stored).contiguous());
  if (type[0] == '>') {
    const auto size = static_cast<std::ptrdiff_t>(c10::elementSize(stored));
    for (auto at = bytes.begin(); at != bytes.end(); at += size) {
      std::reverse(at, at + size);
    }
  }
  return Arrays(type, "(60, 2, 3)", bytes, 60);
}

void require_same(const Dataset& stored, const Dataset& in_memory) {
  REQUIRE(stored.stored);
  REQUIRE_FALSE(in_memory.stored);
  CHECK(stored.inputs.sizes() == in_memory.inputs.sizes());
  CHECK(stored.inputs.options().type_equal(in_memory.inputs.options()));
  CHECK(at::equal(stored.rows({}).input, in_memory.inputs));
  CHECK(at::equal(stored.targets, in_memory.targets));
  CHECK(stored.classes == in_memory.classes);
  const Tensor rows = at::tensor({3, 0, 3, 1}, at::kLong);
  const Batch a = stored.rows(rows), b = in_memory.rows(rows);
  CHECK(at::equal(a.input, b.input));
  CHECK(at::equal(a.target, b.target));
  CHECK(at::equal(a.rows, b.rows));
  CHECK(at::equal(stored.loaded(1, 3).inputs, in_memory.loaded(1, 3).inputs));
  CHECK(at::equal(stored.loaded(1, 3).targets, in_memory.loaded(1, 3).targets));
}

TEST_CASE("inputs that stay in a file are the same bits as in memory",
          "[data][stored]") {
  struct Type {
    std::string name;
    at::ScalarType stored;
  };
  const Type type = GENERATE(Type{"|u1", at::kByte}, Type{"|i1", at::kChar},
                             Type{"<f2", at::kHalf}, Type{"<f4", at::kFloat},
                             Type{">f4", at::kFloat}, Type{">i4", at::kInt},
                             Type{"<f8", at::kDouble});
  const bool standardize = GENERATE(false, true);
  CAPTURE(type.name, standardize);
  const Arrays arrays = arrays_of(type.name, type.stored);
  const Json keys = {{"standardize", standardize}, {"valid", 13}};
  const auto splits = [&](bool in_memory) {
    return load_splits(data_section(arrays.section(in_memory, keys)), Key(5),
                       at::TensorOptions(at::kFloat));
  };
  const Splits stored = splits(false), in_memory = splits(true);
  require_same(stored.train, in_memory.train);
  require_same(stored.valid, in_memory.valid);
  require_same(stored.test, in_memory.test);
  CHECK(stored.shape() == in_memory.shape());
  if (standardize) {
    CHECK(at::equal(stored.scaling.mean, in_memory.scaling.mean));
    CHECK(at::equal(stored.scaling.deviation, in_memory.scaling.deviation));
  }
  const auto [first, rest] = stored.train.split(7);
  require_same(first, in_memory.train.split(7).first);
  require_same(rest, in_memory.train.split(7).second);
  require_same(stored.train.shuffled(Key(1)), in_memory.train.shuffled(Key(1)));
  require_same(stored.train.to(float64()), in_memory.train.to(float64()));
}

TEST_CASE("who computes with inputs that were not read gets NaN",
          "[data][stored]") {
  const Arrays arrays = arrays_of("<f4", at::kFloat);
  const Splits splits =
      load_splits(data_section(arrays.section(false)), Key(5), float64());
  CHECK(splits.train.inputs.isnan().all().item<bool>());
  CHECK(splits.train.inputs.storage().nbytes() <= 8);
}

/// A perceptron on these data.
auto classification(const Json& data, const Json& keys,
                    const at::TensorOptions& options) {
  Json problem = {{"type", "classification"},
                  {"data", data},
                  {"model", {{"type", "mlp"}, {"hidden", {4}}}}};
  problem.update(keys);
  return ProblemRegistry::instance().make(
      Config(complete(ProblemRegistry::instance(), problem)),
      ProblemContext{options, Key(3)});
}

TEST_CASE("a network trains and is judged alike with inputs in a file",
          "[data][stored]") {
  const Arrays arrays = arrays_of("|u1", at::kByte);
  const auto metrics = [&](bool in_memory) {
    const auto problem =
        classification(arrays.section(in_memory, {{"standardize", true}}),
                       {{"batch", 8}}, float64());
    const ParameterSet hyper;
    const ParameterSet weights = problem->initial_weights(hyper, Key(4));
    Metrics out = problem->evaluate(weights, hyper);
    Draw draw;
    draw.step = 2;
    out["train"] = problem->train_loss(weights, hyper, draw).item<double>();
    out["valid"] = problem->valid_loss(weights, hyper, draw).item<double>();
    return out;
  };
  CHECK(metrics(false) == metrics(true));
}

TEST_CASE("moments of inputs in pieces are those of all together",
          "[data][stored]") {
  // Their mean drifts, so that it is another one in each piece.
  const Tensor x = 1e4 + at::arange(3000, at::kFloat).view({3000, 1, 1}) +
                   Key(6).normal(at::empty({3000, 4, 600}, at::kFloat));
  const Dataset data = Dataset::in_file(
      [x](const Tensor& rows) { return x.index_select(0, rows); }, x.sizes(),
      at::kFloat, false);
  const InputStatistics got = statistics(data, 0);
  const auto [variance, mean] =
      at::var_mean(x.to(at::kDouble), at::IntArrayRef{0, 2},
                   /*unbiased=*/false, /*keepdim=*/true);
  CHECK(at::allclose(got.mean.to(at::kDouble), mean, 1e-7));
  CHECK(at::allclose(got.deviation.to(at::kDouble), variance.sqrt(), 1e-6));
}

TEST_CASE(
    "numbers of a file that cannot be used are found without reading it "
    "as a whole",
    "[data][stored]") {
  Tensor x = kNumbers.clone();
  x[41][1][0] = std::numeric_limits<double>::infinity();
  const Arrays arrays("<f8", "(60, 2, 3)", raw_bytes(x), 60);
  CHECK_THROWS_WITH(
      load_splits(data_section(arrays.section(false)), Key(1), float64()),
      ContainsSubstring("number 3 of example 41") &&
          ContainsSubstring("is not a finite number"));
  const Arrays same("<f8", "(60, 2, 3)", raw_bytes(at::ones_like(x)), 60);
  CHECK_THROWS_WITH(
      load_splits(data_section(same.section(false)), Key(1), float64()),
      ContainsSubstring("all 60 examples have the same inputs"));
}

TEST_CASE("no more of a file is read than has to be", "[data][stored]") {
  // 1 MiB per example, of which the first 20 are the same.
  int reads = 0;
  const Dataset data = Dataset::in_file(
      [&](const Tensor& rows) {
        ++reads;
        return rows.div(20, "floor")
            .to(at::kDouble)
            .view({-1, 1})
            .expand({-1, 131072});
      },
      {100, 131072}, at::kDouble, false);
  const Config config =
      data_section(arrays_of("<f4", at::kFloat).section(true));
  require_differences(config, data);
  CHECK(reads == 3);  // two examples and two pieces of 16
  Splits splits;
  splits.train = data;
  splits.valid = splits.test = data.loaded(0, 1);
  reads = 0;
  require_representable(config, splits, at::kFloat, {});
  CHECK(reads == 7);
}

TEST_CASE("examples without targets are taken apart and moved like others",
          "[data][stored]") {
  const Tensor x = at::arange(8, at::kFloat).view({4, 2});
  const Dataset data{x};
  const auto [first, rest] = data.split(1);
  CHECK(at::equal(rest.inputs, x.slice(0, 1)));
  CHECK_FALSE(first.targets.defined());
  const Tensor rows = at::tensor({2, 0}, at::kLong);
  const Batch batch = data.rows(rows);
  CHECK(at::equal(batch.input, x.index_select(0, rows)));
  CHECK_FALSE(batch.target.defined());
  const Dataset moved = data.shuffled(Key(1)).to(float64());
  CHECK(moved.inputs.scalar_type() == at::kDouble);
  CHECK_FALSE(moved.targets.defined());
}

TEST_CASE("files whose rows cannot be read one by one are refused",
          "[data][stored]") {
  const Arrays arrays = arrays_of("<f4", at::kFloat);
  const std::string path = arrays.inputs();
  const auto refusal = [&](const std::string& reason) {
    CHECK_THROWS_WITH(
        load_source(arrays.section(false)),
        ContainsSubstring("'" + path + "': ") && ContainsSubstring(reason));
  };
  const std::uintmax_t size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 1);
  refusal("expected 1440 bytes of numbers, but the file has 1439");
  std::filesystem::resize_file(path, size + 1);
  refusal("expected 1440 bytes of numbers, but the file has 1441");
  std::filesystem::resize_file(path, size);
  const Dataset data = load_source(arrays.section(false)).training;
  CHECK_NOTHROW(data.rows(at::tensor({59, 0}, at::kLong)));
  std::filesystem::resize_file(path, size - 8);
  CHECK_THROWS_WITH(
      data.rows(at::tensor({59, 0}, at::kLong)),
      ContainsSubstring("the file has become shorter while it was used"));
  std::ofstream(path, std::ios::binary)
      << npy_bytes("{'descr': '<f4', 'fortran_order': True, 'shape': (60, 6)}",
                   std::string(1440, 'x'));
  refusal("Fortran order");
}

/// The value of a line of /proc/self/status, in MiB.
double memory_mib(const std::string& name) {
  std::ifstream file("/proc/self/status");
  double kib = 0;
  for (std::string word; file >> word;) {
    if (word == name + ":" && file >> kib) return kib / 1024;
  }
  FAIL("/proc/self/status has no line " << name);
  return 0;
}

/// Appends so many bytes to a file: zeros, which take no room on the disk, but
/// for three at the beginning.
void append_hole(const std::string& path, std::int64_t bytes) {
  const auto begin = static_cast<off_t>(std::filesystem::file_size(path));
  std::filesystem::resize_file(path,
                               static_cast<std::uintmax_t>(begin + bytes));
  const int file = open(path.c_str(), O_WRONLY);
  REQUIRE(pwrite(file, "\1\2\3", 3, begin + 3) == 3);
  close(file);
}

TEST_CASE("a large set in a file takes little memory", "[data][stored]") {
  constexpr std::int64_t kRows = 50'000;
  const Arrays arrays("<f4", fmt::format("({}, 1000)", kRows), "", kRows);
  append_hole(arrays.inputs(), kRows * 4000);  // 200 MB
  Tensor sum = at::zeros({}, at::kDouble);
  std::ofstream("/proc/self/clear_refs") << "5";  // VmHWM begins anew
  const double before = memory_mib("VmRSS");
  const Splits splits = load_splits(data_section(arrays.section(false)), Key(1),
                                    at::TensorOptions(at::kFloat));
  const BatchSchedule batches(splits.train.size(), 128, Key(2));
  for (int i = 0; i < 100; ++i) {
    sum = sum + splits.train.rows(batches.rows(i)).input.sum();
  }
  each_piece(splits.train, [&](const Tensor& inputs, const Tensor&) {
    sum = sum + inputs.sum();
  });
  CHECK(sum.item<double>() >= 0);
  CHECK(memory_mib("VmHWM") - before < 100);
}

// Not among the tests that run by themselves, since it takes minutes:
//   nestgrad_tests "[large]"
TEST_CASE("a set of 8 GB trains with less than 1 GB of memory", "[.large]") {
  constexpr std::int64_t kRows = 2'600'000;
  const Arrays arrays("|u1", fmt::format("({}, 3, 32, 32)", kRows), "", kRows);
  append_hole(arrays.inputs(), kRows * 3072);
  std::ofstream("/proc/self/clear_refs") << "5";
  const double before = memory_mib("VmRSS");
  const auto problem =
      classification(arrays.section(false, {{"standardize", true}}),
                     {{"batch", 128}, {"valid_batch", 128}}, at::kFloat);
  const ParameterSet hyper;
  ParameterSet weights = problem->initial_weights(hyper, Key(4));
  Draw draw;
  for (draw.step = 0; draw.step < 200; ++draw.step) {
    const ParameterSet leaves = weights.leaves();
    const ParameterSet g =
        gradient(problem->train_loss(leaves, hyper, draw), leaves);
    weights = weights.zip(
        g, [](const Tensor& w, const Tensor& d) { return w - 0.01 * d; });
  }
  const Metrics metrics = problem->evaluate(weights, hyper);
  CHECK(std::isfinite(metrics.at("test_loss")));
  const double used = memory_mib("VmHWM") - before;
  WARN("resident memory grew by " << used << " MiB");
  CHECK(used < 1000);
}

}  // namespace
}  // namespace nestgrad
