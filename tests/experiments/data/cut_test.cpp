// Which examples go into which part.

#include "experiments/data/cut.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

using Counts = std::vector<std::int64_t>;

/// A table whose only feature is the number of the row; `classes` has how many
/// rows of each class there are. The classes are mixed.
class Rows {
 public:
  explicit Rows(const Counts& classes, const Json& keys = Json::object())
      : keys_(keys) {
    std::vector<int> labels;
    for (std::size_t k = 0; k < classes.size(); ++k) {
      labels.insert(labels.end(), static_cast<std::size_t>(classes[k]),
                    static_cast<int>(k));
    }
    std::shuffle(labels.begin(), labels.end(), std::mt19937(7));
    std::string text = "x,y\n";
    for (std::size_t i = 0; i < labels.size(); ++i) {
      text += fmt::format("{},{}\n", i, labels[i]);
    }
    path_ = folder_.write("t.csv", text);
  }

  Splits cut(const Json& keys = Json::object(), std::uint64_t seed = 3) const {
    Json section = {
        {"type", "csv"}, {"file", path_}, {"stratify", true}, {"classes", 4}};
    section.update(keys_);
    section.update(keys);
    return load_splits(data_section(section), Key(seed), float64());
  }

 private:
  TemporaryFolder folder_;
  Json keys_;
  std::string path_;
};

/// How many examples of each of four classes.
Counts counts(const Dataset& data) {
  const Tensor of = at::bincount(data.targets, {}, 4);
  return {of.data_ptr<std::int64_t>(), of.data_ptr<std::int64_t>() + 4};
}

bool same_rows(const Dataset& a, const Dataset& b) {
  return at::equal(a.inputs, b.inputs);
}

/// The largest remainder method as it is usually described.
Counts by_sorting(std::int64_t n, const Counts& counts) {
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  Counts out;
  std::vector<std::pair<double, std::size_t>> remainders;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const double quota =
        static_cast<double>(n) * static_cast<double>(counts[k]) / all;
    out.push_back(static_cast<std::int64_t>(std::floor(quota + 1e-9)));
    remainders.emplace_back(std::floor(quota + 1e-9) - quota, k);
  }
  std::sort(remainders.begin(), remainders.end());
  const std::int64_t left =
      n - std::accumulate(out.begin(), out.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < left; ++i) {
    ++out[remainders[static_cast<std::size_t>(i)].second];
  }
  return out;
}

}  // namespace

TEST_CASE("examples are shared in proportion by the largest remainders",
          "[data][cut]") {
  std::mt19937 random(1);
  for (int trial = 0; trial < 200; ++trial) {
    Counts counts, least, most;
    for (int k = 0; k < 5; ++k) {
      counts.push_back(static_cast<std::int64_t>(random() % 997) + 1);
      least.push_back(0);
      most.push_back(counts.back());
    }
    const std::int64_t all =
        std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    const auto n = static_cast<std::int64_t>(
        random() % static_cast<std::uint64_t>(all + 1));
    CAPTURE(counts, n);
    CHECK(in_proportion(n, counts, least, most) == by_sorting(n, counts));
  }
  // Of equal remainders the first counts; bounds come before quotas.
  CHECK(in_proportion(2, {5, 5, 5}, {0, 0, 0}, {5, 5, 5}) == Counts{1, 1, 0});
  CHECK(in_proportion(10, {95, 5}, {0, 1}, {95, 5}) == Counts{9, 1});
  CHECK(in_proportion(10, {97, 3}, {0, 2}, {97, 3}) == Counts{8, 2});
  CHECK(in_proportion(4, {50, 50}, {0, 0}, {1, 50}) == Counts{1, 3});
}

TEST_CASE("stratified parts have each class in proportion", "[data][cut]") {
  const Rows rows({120, 50, 27, 3});
  const Splits splits = rows.cut();
  // Fifths of 200: quotas 24, 10, 5.4, 0.6.
  CHECK(counts(splits.test) == Counts{24, 10, 5, 1});
  CHECK(counts(splits.valid) == Counts{24, 10, 5, 1});
  CHECK(counts(splits.train) == Counts{72, 30, 17, 1});
  const Tensor all =
      at::cat({splits.train.inputs, splits.valid.inputs, splits.test.inputs});
  CHECK(at::equal(std::get<0>(all.view(-1).sort()),
                  at::arange(200, at::kDouble)));
  // Without the key, proportions are left to chance.
  CHECK(counts(rows.cut({{"stratify", false}}).test) != Counts{24, 10, 5, 1});

  // Part of the rows: 20 of 200.
  CHECK(counts(rows.cut({{"train", 20}}).train) == Counts{12, 5, 2, 1});
  CHECK(same_rows(rows.cut({{"train", 20}}).valid, splits.valid));
  CHECK(same_rows(rows.cut({{"valid", 20}}).test, splits.test));
  CHECK_FALSE(same_rows(rows.cut(Json::object(), 4).test, splits.test));
}

TEST_CASE("a class with fewer examples than parts is trained on first",
          "[data][cut]") {
  // Quotas of the test set: 2.8 and three times 0.4.
  const Splits splits = Rows({7, 1, 1, 1}).cut({{"test", 4}, {"valid", 1}});
  CHECK(counts(splits.test) == Counts{4, 0, 0, 0});
  CHECK(counts(splits.train) == Counts{2, 1, 1, 1});
  const Splits pair = Rows({40, 40, 2, 0}).cut();
  CHECK(counts(pair.train)[2] >= 1);
  CHECK(counts(pair.train)[2] + counts(pair.valid)[2] + counts(pair.test)[2] ==
        2);
}

TEST_CASE("stratified parts that are too small or have no classes are refused",
          "[data][cut]") {
  const Rows rows({20, 20, 20, 20});
  CHECK_THROWS_WITH(rows.cut({{"test", 3}}),
                    ContainsSubstring("/data/test: must be from 4 to 72, is 3: "
                                      "\"stratify\" puts each class into"));
  CHECK_THROWS_WITH(rows.cut({{"valid", 2}}),
                    ContainsSubstring("/data/valid: must be from 4 to"));
  CHECK_THROWS_WITH(rows.cut({{"train", 1}}),
                    ContainsSubstring("/data/train: must be from 4 to"));
  const TemporaryFolder folder;
  const auto refused = [](const Json& section, const char* reason) {
    CHECK_THROWS_WITH(
        load_splits(data_section(section), Key(1), float64()),
        ContainsSubstring("/data/stratify: ") && ContainsSubstring(reason));
  };
  refused({{"type", "csv"},
           {"stratify", true},
           {"targets", "numbers"},
           {"file", folder.write("t.csv", "x,y\n1,2\n2,3\n3,4\n")}},
          "must be false where the targets are numbers");
  refused({{"type", "text"}, {"stratify", true}},
          "must be false where the target is a sequence");
}

TEST_CASE("the split follows from its seed alone, if it has one",
          "[data][cut]") {
  const bool stratify = GENERATE(false, true);
  const Rows rows({30, 30, 30, 10}, {{"stratify", stratify}});
  const Splits splits = rows.cut({{"split_seed", 5}});
  const Splits again = rows.cut({{"split_seed", 5}}, 99);
  CHECK(same_rows(again.train, splits.train));
  CHECK(same_rows(again.valid, splits.valid));
  CHECK(same_rows(again.test, splits.test));
  CHECK_FALSE(same_rows(rows.cut({{"split_seed", 6}}).test, splits.test));
  CHECK_FALSE(same_rows(rows.cut().test, splits.test));
  // What is drawn besides still follows from the seed of the run.
  const Json noisy = {{"split_seed", 5}, {"corrupt_labels", 0.3}};
  CHECK(same_rows(rows.cut(noisy, 1).train, rows.cut(noisy, 2).train));
  CHECK_FALSE(
      at::equal(rows.cut(noisy, 1).corrupted, rows.cut(noisy, 2).corrupted));
}

TEST_CASE("without a seed of its own, the split is that of the run's key",
          "[data][cut]") {
  const Splits splits = Rows({30, 30, 30, 10}, {{"stratify", false}}).cut();
  const Tensor order = Key(3)
                           .fold("cut")
                           .fold("training")
                           .permutation(100)
                           .to(at::kDouble)
                           .unsqueeze(1);
  CHECK(at::equal(splits.test.inputs, order.slice(0, 0, 20)));
  CHECK(at::equal(splits.valid.inputs, order.slice(0, 20, 40)));
  CHECK(at::equal(splits.train.inputs, order.slice(0, 40)));
}

}  // namespace nestgrad
