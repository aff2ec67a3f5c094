#include "experiments/data/cut.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <queue>
#include <string>
#include <utility>

namespace nestgrad {
namespace {

using Counts = std::vector<std::int64_t>;

std::int64_t sum(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// The number given by `key`, or `otherwise` if that is 0; at least 1. Throws
/// ConfigError if it exceeds `available`; `why` explains the limit.
std::int64_t asked(const Config& data, const std::string& key,
                   std::int64_t otherwise, std::int64_t available,
                   const std::string& why) {
  const std::int64_t number = data.integer(key);
  const std::int64_t wanted =
      number > 0 ? number : std::max<std::int64_t>(otherwise, 1);
  if (wanted > available) {
    data.fail(key,
              fmt::format("must be at most {}, is {}: {}",
                          std::max<std::int64_t>(available, 0), wanted, why));
  }
  return wanted;
}

/// Gives examples in a random order to one part after the other.
class Dealer {
 public:
  Dealer(const Config& data, const Dataset& source, Tensor order)
      : data_(data), left_(std::move(order)) {
    if (!data.boolean("stratify")) return;
    targets_ = source.targets;
    counts_ = counts(left_);
  }

  /// Takes `n` of the rows that are left. `later`: how many more parts are to
  /// be taken, the last of which is the training part.
  Tensor take(const char* key, std::int64_t n, std::int64_t later) {
    const Tensor taken = at::zeros({left_.size(0)}, at::kBool);
    if (targets_.defined()) {
      choose(taken, shares(key, n, later));
    } else {
      taken.slice(0, 0, n).fill_(true);
    }
    const Tensor rows = left_.masked_select(taken);
    left_ = left_.masked_select(taken.logical_not());
    return rows;
  }

 private:
  Counts counts(const Tensor& rows) const {
    const Tensor of_classes =
        at::bincount(targets_.index_select(0, rows), {},
                     static_cast<std::int64_t>(counts_.size()));
    const auto* const begin = of_classes.data_ptr<std::int64_t>();
    return {begin, begin + of_classes.numel()};
  }

  /// How many examples of each class go into a part of `n` examples. A class
  /// with an example for each part has one in each; the last part comes before
  /// the others where it has fewer.
  Counts shares(const char* key, std::int64_t n, std::int64_t later) {
    const Counts available = counts(left_);
    Counts least, most;
    for (const std::int64_t count : available) {
      const bool in_each = count > later;
      least.push_back(in_each ? 1 : 0);
      const std::int64_t kept = later == 0 ? 0 : in_each ? later : 1;
      most.push_back(std::max<std::int64_t>(count - kept, 0));
    }
    if (sum(least) > n || n > sum(most)) {
      data_.fail(key,
                 fmt::format("must be from {} to {}, is {}: \"stratify\" puts "
                             "each class into each part",
                             sum(least), sum(most), n));
    }
    return in_proportion(n, counts_, least, most);
  }

  /// Marks the first rows of each class.
  void choose(const Tensor& taken, Counts wanted) const {
    const Tensor classes = targets_.index_select(0, left_);
    auto* const marks = taken.data_ptr<bool>();
    const auto* const of = classes.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < classes.size(0); ++i) {
      marks[i] = wanted[static_cast<std::size_t>(of[i])]-- > 0;
    }
  }

  const Config& data_;
  Tensor left_;     // rows of the source
  Tensor targets_;  // of the whole source; undefined: classes do not count
  Counts counts_;   // of the classes in the whole source
};

/// Rows of a part that the source has itself; undefined: all.
Tensor rows_of_own(const Config& data, const char* name, const char* called,
                   const Dataset& own, const Key& key) {
  const std::int64_t given = own.size();
  const std::int64_t n =
      asked(data, name, given, given,
            fmt::format("the source has {} {} example{}", given, called,
                        given == 1 ? "" : "s"));
  if (n == given) return {};
  return Dealer(data, own, key.fold(name).permutation(given)).take(name, n, 0);
}

void require_classes(const Config& data, const Dataset& source) {
  if (!data.boolean("stratify")) return;
  if (at::isFloatingType(source.targets.scalar_type())) {
    data.fail("stratify", "must be false where the targets are numbers");
  }
  if (source.targets.dim() > 1) {
    data.fail("stratify", "must be false where the target is a sequence");
  }
}

}  // namespace

std::vector<std::int64_t> in_proportion(std::int64_t n, const Counts& counts,
                                        const Counts& least,
                                        const Counts& most) {
  const std::int64_t all = sum(counts);
  Counts out;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    out.push_back(std::clamp(n * counts[k] / all, least[k], most[k]));
  }
  // Of the quota, times `all`.
  const auto remainder = [&](std::size_t k) {
    return n * counts[k] - out[k] * all;
  };
  const std::int64_t left = n - sum(out);
  const std::int64_t step = left > 0 ? 1 : -1;
  const Counts& limits = left > 0 ? most : least;
  // The next class to change is the largest; of equal ones it is the first.
  std::priority_queue<std::pair<std::int64_t, std::int64_t>> queue;
  const auto put = [&](std::size_t k) {
    if (out[k] == limits[k]) return;
    queue.emplace(step * remainder(k), -static_cast<std::int64_t>(k));
  };
  for (std::size_t k = 0; k < counts.size(); ++k) put(k);
  for (std::int64_t i = 0; i < std::abs(left); ++i) {
    const auto k = static_cast<std::size_t>(-queue.top().second);
    queue.pop();
    out[k] += step;
    put(k);
  }
  return out;
}

Cut draw_cut(const Config& data, const Examples& examples, const Key& key) {
  require_classes(data, examples.training);
  const Key drawn =
      data.has("split_seed")
          ? Key(static_cast<std::uint64_t>(data.integer("split_seed")))
                .fold("split")
          : key;
  const std::int64_t all = examples.training.size();
  const std::int64_t fifth = all / 5;
  const std::string in_all =
      fmt::format("the source has {} example{}", all, all == 1 ? "" : "s");
  Dealer dealer(data, examples.training,
                drawn.fold("training").permutation(all));
  Cut cut;
  cut.own_test = examples.test.inputs.defined();
  cut.own_valid = examples.valid.inputs.defined();
  std::int64_t taken = 0;
  if (cut.own_test) {
    cut.test = rows_of_own(data, "test", "test", examples.test, drawn);
  } else {
    const std::int64_t others = cut.own_valid ? 1 : 2;
    taken = asked(
        data, "test", fifth, all - others,
        in_all + (cut.own_valid ? ", and 'train' needs 1 or more"
                                : ", and 'valid' and 'train' need 1 or more "
                                  "each"));
    cut.test = dealer.take("test", taken, others);
  }
  if (cut.own_valid) {
    cut.valid = rows_of_own(data, "valid", "validation", examples.valid, drawn);
  } else {
    const std::int64_t valid =
        asked(data, "valid", fifth, all - taken - 1,
              fmt::format("{}, less {} for 'test', and 'train' needs 1 or more",
                          in_all, taken));
    cut.valid = dealer.take("valid", valid, 1);
    taken += valid;
  }
  const std::int64_t train =
      asked(data, "train", all - taken, all - taken,
            fmt::format("{}, less {} for the other parts", in_all, taken));
  cut.train = dealer.take("train", train, 0);
  return cut;
}

}  // namespace nestgrad
