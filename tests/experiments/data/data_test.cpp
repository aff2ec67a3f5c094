#include "experiments/data/data.h"

#include <ATen/ATen.h>

#include <thread>
#include <vector>

#include "core/platform/error.h"
#include "tests/support/data_support.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

std::vector<std::int64_t> numbers_of(const Tensor& tensor) {
  const Tensor flat = tensor.to(at::kLong).contiguous().view(-1);
  const auto* data = flat.data_ptr<std::int64_t>();
  return {data, data + flat.numel()};
}

std::vector<std::int64_t> first_numbers(std::int64_t n) {
  return numbers_of(at::arange(n));
}

/// A source without a test set: the only feature of example i is i, its class
/// is i mod 4.
class Counting {
 public:
  explicit Counting(std::int64_t examples) : section_({{"type", "npy"}}) {
    const std::string n = std::to_string(examples);
    section_["inputs"] = folder_.write(
        "x.npy", npy_bytes(npy_header("<f8", "(" + n + ", 1)"),
                           raw_bytes(at::arange(examples, at::kDouble))));
    section_["targets"] = folder_.write(
        "y.npy",
        npy_bytes(npy_header("<i8", "(" + n + ",)"),
                  raw_bytes(at::arange(examples, at::kLong).remainder(4))));
  }

  Splits cut(const Json& keys = Json::object(), const Key& key = Key(3)) const {
    Json section = section_;
    section.update(keys);
    return load_splits(data_section(section), key, float64());
  }

 private:
  TemporaryFolder folder_;
  Json section_;
};

const std::vector<std::string> kTenNames = {"a", "b", "c", "d", "e",
                                            "f", "g", "h", "i", "j"};

std::vector<std::int64_t> sorted_ids(const std::vector<Dataset>& parts) {
  std::vector<Tensor> ids;
  for (const Dataset& part : parts) ids.push_back(part.inputs);
  return numbers_of(std::get<0>(at::cat(ids).view(-1).sort()));
}

TEST_CASE("the rows of a data set are copies of its examples", "[data]") {
  const Dataset data{at::arange(6, at::kFloat).view({3, 2}),
                     at::tensor({0, 1, 2}, at::kLong), 3};
  const Batch batch = data.rows(at::tensor({2, 0}, at::kLong));
  CHECK(at::equal(batch.input, at::tensor({4.f, 5.f, 0.f, 1.f}).view({2, 2})));
  CHECK(numbers_of(batch.target) == std::vector<std::int64_t>{2, 0});
  CHECK(numbers_of(batch.rows) == std::vector<std::int64_t>{2, 0});

  const Batch all = data.rows({});
  CHECK(all.input.is_same(data.inputs));
  CHECK(all.target.is_same(data.targets));
  CHECK_FALSE(all.rows.defined());
}

TEST_CASE("a data set is split in order and shuffled with its labels",
          "[data]") {
  const Dataset data{at::arange(10, at::kFloat).view({10, 1}),
                     at::arange(10, at::kLong), 10, kTenNames};
  const auto [first, rest] = data.split(3);
  CHECK(numbers_of(first.inputs) == std::vector<std::int64_t>{0, 1, 2});
  CHECK(rest.size() == 7);
  CHECK(rest.targets[0].item<int>() == 3);
  CHECK(rest.classes == 10);
  CHECK(first.target_names == kTenNames);
  CHECK(rest.target_names == kTenNames);
  CHECK_THROWS_WITH(data.split(11),
                    ContainsSubstring("cannot take 11 of 10 examples"));

  const Dataset mixed = data.shuffled(Key(5));
  CHECK(mixed.target_names == kTenNames);
  CHECK(numbers_of(mixed.inputs) == numbers_of(mixed.targets));
  CHECK(numbers_of(mixed.targets) != first_numbers(10));
  CHECK(sorted_ids({mixed}) == first_numbers(10));
}

TEST_CASE("a data set moves its numbers to another type, not its classes",
          "[data]") {
  const Dataset data{
      at::ones({2, 1}), at::tensor({0, 1}, at::kLong), 2, {"no", "yes"}};
  const Dataset moved = data.to(float64());
  CHECK(moved.inputs.scalar_type() == at::kDouble);
  CHECK(moved.targets.scalar_type() == at::kLong);
  CHECK(moved.classes == 2);
  CHECK(moved.target_names == data.target_names);
  const Dataset tokens{at::ones({2, 1}, at::kLong), at::ones({2, 3}), 0};
  CHECK(tokens.to(float64()).inputs.scalar_type() == at::kLong);
  CHECK(tokens.to(float64()).targets.scalar_type() == at::kDouble);
}

TEST_CASE("an epoch of batches is one pass in an order of its own", "[data]") {
  const Key key(11);
  const BatchSchedule schedule(10, 3, key);
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < 3; ++i) {
      rows.push_back(schedule.rows(3 * epoch + i));
    }
    // The tenth example waits for another epoch.
    CHECK(at::equal(at::cat(rows), key.fold(static_cast<std::uint64_t>(epoch))
                                       .permutation(10)
                                       .slice(0, 0, 9)));
  }
  CHECK_FALSE(at::equal(schedule.rows(0), schedule.rows(3)));
}

TEST_CASE("each order is a schedule of its own, and 0 is that of the key",
          "[data]") {
  const BatchSchedule schedule(12, 3, Key(11));
  const auto epoch = [&](std::int64_t first, std::uint64_t order) {
    std::vector<Tensor> rows;
    for (std::int64_t i = 0; i < 4; ++i) {
      rows.push_back(schedule.rows(first + i, order));
    }
    return at::cat(rows);
  };
  for (const std::int64_t first : {0, 4}) {
    const Tensor common = epoch(first, 0), one = epoch(first, 1),
                 two = epoch(first, 2);
    CHECK(at::equal(epoch(first, 0), common));
    CHECK(at::equal(schedule.rows(first), common.slice(0, 0, 3)));
    for (const Tensor& order : {one, two}) {
      CHECK_FALSE(at::equal(order, common));
      CHECK(at::equal(std::get<0>(order.sort()), at::arange(12, at::kLong)));
    }
    CHECK_FALSE(at::equal(one, two));
  }
  CHECK_FALSE(at::equal(epoch(0, 1), epoch(4, 1)));
}

TEST_CASE("a batch does not depend on when or by whom it is asked for",
          "[data]") {
  const BatchSchedule schedule(100, 7, Key(2));
  std::vector<Tensor> expected;
  for (int step = 0; step < 60; ++step) {
    expected.push_back(BatchSchedule(100, 7, Key(2)).rows(step).clone());
  }
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 600; ++i) {
        const std::size_t step = i * (2 * t + 7) % 60;
        const Tensor rows = schedule.rows(static_cast<std::int64_t>(step));
        if (!at::equal(rows, expected[step])) ++wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("a batch of everything has no rows", "[data]") {
  const auto size = GENERATE(0, 10, 11);
  const BatchSchedule schedule(10, size, Key(1));
  CHECK(schedule.batch_size() == 10);
  CHECK_FALSE(schedule.rows(4).defined());
}

TEST_CASE("a schedule refuses sizes and steps that make no sense", "[data]") {
  CHECK_THROWS_AS(BatchSchedule(0, 1, Key(1)), Error);
  CHECK_THROWS_AS(BatchSchedule(5, -1, Key(1)), Error);
  CHECK_THROWS_AS(BatchSchedule(5, 2, Key(1)).rows(-1), Error);
}

TEST_CASE("splits of a source without a test set are disjoint and are all",
          "[data]") {
  const Counting source(50);
  const Splits splits = source.cut();
  CHECK(splits.train.size() == 30);
  CHECK(splits.valid.size() == 10);
  CHECK(splits.test.size() == 10);
  CHECK(sorted_ids({splits.train, splits.valid, splits.test}) ==
        first_numbers(50));
  CHECK(splits.shape() == Shape{1});
  CHECK_FALSE(splits.corrupted.defined());
  for (const Dataset& part : {splits.train, splits.valid, splits.test}) {
    CHECK(part.classes == 4);
    CHECK(at::equal(part.inputs.view(-1).to(at::kLong).remainder(4),
                    part.targets));
  }
}

TEST_CASE("splits have the sizes that are asked for", "[data]") {
  const Counting source(50);
  const Splits splits = source.cut({{"train", 5}, {"valid", 7}, {"test", 9}});
  CHECK(splits.train.size() == 5);
  CHECK(splits.valid.size() == 7);
  CHECK(splits.test.size() == 9);
  CHECK(source.cut({{"valid", 45}, {"test", 4}}).train.size() == 1);
}

TEST_CASE("splits depend on the key, and validation not on the training size",
          "[data]") {
  const Counting source(50);
  const Splits splits = source.cut();
  CHECK(at::equal(source.cut().train.inputs, splits.train.inputs));
  CHECK_FALSE(at::equal(source.cut(Json::object(), Key(4)).train.inputs,
                        splits.train.inputs));
  const Splits smaller = source.cut({{"train", 8}});
  CHECK(at::equal(smaller.valid.inputs, splits.valid.inputs));
  CHECK(at::equal(smaller.train.inputs, splits.train.inputs.slice(0, 0, 8)));
}

TEST_CASE("asking for more examples than there are names the key and the limit",
          "[data]") {
  const Counting source(50);
  struct Wish {
    Json keys;
    std::string complaint;
  };
  const Wish wish =
      GENERATE(Wish{{{"train", 31}}, "/data/train: must be at most 30, is 31"},
               Wish{{{"valid", 40}}, "/data/valid: must be at most 39, is 40"},
               Wish{{{"test", 49}}, "/data/test: must be at most 48, is 49"},
               Wish{{{"test", 48}}, "/data/valid: must be at most 1, is 10"});
  CHECK_THROWS_AS(source.cut(wish.keys), ConfigError);
  CHECK_THROWS_WITH(source.cut(wish.keys), ContainsSubstring(wish.complaint));
  CHECK_THROWS_WITH(source.cut(wish.keys),
                    ContainsSubstring("the source has 50 examples"));
}

TEST_CASE("a source that is too small to be cut is refused", "[data]") {
  CHECK(Counting(3).cut().train.size() == 1);
  CHECK_THROWS_AS(Counting(2).cut(), ConfigError);
}

TEST_CASE("standardized features have the statistics of the training split",
          "[data]") {
  const Json raw = {{"type", "gaussian_clusters"},
                    {"features", 3},
                    {"examples", 200},
                    {"spread", 2.0}};
  Json section = raw;
  section["standardize"] = true;
  const Splits before = load_splits(data_section(raw), Key(1), float64());
  const Splits after = load_splits(data_section(section), Key(1), float64());
  const Tensor mean = before.train.inputs.mean(0);
  const Tensor deviation = (before.train.inputs - mean).square().mean(0).sqrt();
  CHECK(at::allclose(after.train.inputs.mean(0), at::zeros({3}, float64())));
  CHECK(at::allclose(after.valid.inputs,
                     (before.valid.inputs - mean) / deviation));
  CHECK(
      at::allclose(after.test.inputs, (before.test.inputs - mean) / deviation));
}

TEST_CASE("images are standardized per channel, constant channels become 0",
          "[data]") {
  const TemporaryFolder folder;
  Tensor images = Key(7).normal(at::empty({20, 3, 4, 5}, at::kDouble));
  images.select(1, 1).mul_(10).add_(5);
  images.select(1, 2).fill_(0.1);
  Json section = {
      {"type", "npy"},
      {"classes", 1},
      {"inputs", folder.write("x", npy_bytes(npy_header("<f8", "(20, 3, 4, 5)"),
                                             raw_bytes(images)))},
      {"targets", folder.write("y", npy_bytes(npy_header("|u1", "(20,)"),
                                              std::string(20, '\0')))}};
  const Splits before = load_splits(data_section(section), Key(1), float64());
  section["standardize"] = true;
  const Splits after = load_splits(data_section(section), Key(1), float64());
  CHECK(after.shape() == Shape{3, 4, 5});
  for (std::int64_t channel = 0; channel < 2; ++channel) {
    const Tensor raw = before.train.inputs.select(1, channel);
    const Tensor deviation = (raw - raw.mean()).square().mean().sqrt();
    CHECK(at::allclose(
        after.valid.inputs.select(1, channel),
        (before.valid.inputs.select(1, channel) - raw.mean()) / deviation));
  }
  CHECK(after.train.inputs.select(1, 2).abs().max().item<double>() < 1e-12);
}

TEST_CASE("exactly the share of corrupted labels is wrong, and is marked",
          "[data]") {
  const Counting source(1000);
  const Splits clean = source.cut();
  const Splits splits = source.cut({{"corrupt_labels", 0.25}});
  CHECK(at::equal(splits.train.inputs, clean.train.inputs));
  CHECK(at::equal(splits.valid.targets, clean.valid.targets));
  CHECK(at::equal(splits.test.targets, clean.test.targets));
  CHECK(
      at::equal(splits.corrupted, splits.train.targets != clean.train.targets));
  CHECK(splits.corrupted.scalar_type() == at::kBool);
  CHECK(splits.corrupted.sum().item<int>() == 150);
}

TEST_CASE("each wrong class is as likely as the others", "[data]") {
  const Counting source(20000);
  const Splits clean = source.cut({{"test", 1}, {"valid", 1}});
  const Splits splits =
      source.cut({{"test", 1}, {"valid", 1}, {"corrupt_labels", 1.0}});
  const Tensor step = (splits.train.targets - clean.train.targets).remainder(4);
  const Tensor counts = at::bincount(step, {}, 4);
  CHECK(counts[0].item<int>() == 0);
  for (int i = 1; i < 4; ++i) {
    // Four standard deviations of a count.
    CHECK(std::abs(counts[i].item<double>() - 19998 / 3.0) < 267);
  }
}

TEST_CASE("labels of a single class cannot be corrupted", "[data]") {
  const TemporaryFolder folder;
  const std::string file = folder.write("a.csv", "1,a\n2,a\n3,a\n");
  const Json section = {{"type", "csv"},
                        {"file", file},
                        {"header", false},
                        {"classes", 1},
                        {"corrupt_labels", 1.0}};
  CHECK_THROWS_WITH(load_splits(data_section(section), Key(1), float64()),
                    ContainsSubstring("/data/corrupt_labels: must be 0"));
}

TEST_CASE("drawn sets are a function of the key, finite and of all classes",
          "[data]") {
  const std::string type =
      GENERATE("gaussian_clusters", "two_moons", "spirals", "xor");
  CAPTURE(type);
  const auto source = DataRegistry::instance().make(Json(type));
  const Dataset data = source->load(Key(1)).training;
  CHECK(data.size() == 1000);
  CHECK(data.inputs.sizes() == at::IntArrayRef({1000, 2}));
  CHECK(data.inputs.isfinite().all().item<bool>());
  const Tensor counts = at::bincount(data.targets, {}, data.classes);
  CHECK(counts.size(0) == data.classes);
  CHECK(counts.min().item<int>() > 300);
  CHECK(at::equal(source->load(Key(1)).training.inputs, data.inputs));
  CHECK_FALSE(at::equal(source->load(Key(2)).training.inputs, data.inputs));
}

TEST_CASE("clusters scatter around their centres by the spread", "[data]") {
  const Dataset data = load_source({{"type", "gaussian_clusters"},
                                    {"examples", 6000},
                                    {"features", 5},
                                    {"spread", 0.5}})
                           .training;
  for (std::int64_t c = 0; c < 3; ++c) {
    const Tensor points =
        data.inputs.index({(data.targets == c).nonzero().squeeze(1)});
    const double spread =
        points.var(0, /*unbiased=*/true).mean().sqrt().item<double>();
    CHECK(spread == Approx(0.5).epsilon(0.03));
  }
}

TEST_CASE("moons and spirals without noise lie on their curves", "[data]") {
  const Dataset moons =
      load_source({{"type", "two_moons"}, {"noise", 0.0}}).training;
  const Tensor x = moons.inputs.select(1, 0), y = moons.inputs.select(1, 1);
  const Tensor lower = moons.targets.to(at::kDouble);
  const Tensor radius =
      ((x - lower).square() + (y - 0.5 * lower).square()).sqrt();
  CHECK(at::allclose(radius, at::ones_like(radius)));
  CHECK(((1 - 2 * lower) * (y - 0.5 * lower)).min().item<double>() >= 0);

  const Dataset arms =
      load_source({{"type", "spirals"}, {"noise", 0.0}, {"turns", 2.0}})
          .training;
  const Tensor r = arms.inputs.norm(2, 1);
  const Tensor angle =
      6.283185307179586 * (2 * r + arms.targets.to(at::kDouble) / 3.0);
  CHECK(at::allclose(arms.inputs,
                     at::stack({r * angle.cos(), r * angle.sin()}, 1)));
}

TEST_CASE("xor is the sign of the product of the first two features",
          "[data]") {
  const Dataset data = load_source({{"type", "xor"}, {"features", 4}}).training;
  const Tensor product = data.inputs.select(1, 0) * data.inputs.select(1, 1);
  CHECK(at::equal(data.targets, (product < 0).to(at::kLong)));
  CHECK(data.inputs.abs().max().item<double>() <= 1);
}

}  // namespace
}  // namespace nestgrad
