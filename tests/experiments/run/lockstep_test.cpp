// What ranks compare, with another rank that only seems to be there.

#include "experiments/run/lockstep.h"

#include <ATen/ATen.h>

#include <cmath>

#include "tests/experiments/run/small_run.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Rank 0 of two, where rank 1 has what `other` makes of rank 0's.
class Mirrored : public World {
 public:
  using Other = std::function<Tensor(const Tensor& own)>;
  explicit Mirrored(Other other) : other_(std::move(other)) {}

  int rank() const override { return 0; }
  int size() const override { return 2; }
  Tensor gather(const Tensor& own) override {
    return at::stack({own, other_(own)});
  }
  Tensor sum(const Tensor& own) override { return own + other_(own); }
  std::string from_first(const std::string& bytes) override { return bytes; }
  void fail(const std::string&) override {}
  void part() override {}

 private:
  Other other_;
};

/// Tunes with two ranks, where rank 1 tells at index `what` of what a Lockstep
/// exchanges another number. Losses are alike.
void tune_with_other(std::int64_t what) {
  constexpr std::int64_t kTold = 7;
  const auto world = std::make_shared<Mirrored>([&](const Tensor& own) {
    Tensor out = own.clone();
    if (own.dim() == 1 && own.numel() == kTold && what >= 0) out[what] += 1;
    return out;
  });
  Json json = small(2);
  json["estimator"] = {{"type", "es"}, {"particles", 4}, {"window", 2}};
  Experiment experiment{Config(complete(experiment_schema(), json)), world};
  const auto lockstep = std::make_shared<Lockstep>(
      experiment, [](const OuterStep&) { return false; });
  experiment.tune({lockstep});
}

}  // namespace

TEST_CASE("ranks that have exchanged or come to something else are told",
          "[ranks]") {
  tune_with_other(-1);
  // Which number is which: see lockstep.cpp.
  CHECK_THROWS_WITH(
      tune_with_other(4),
      ContainsSubstring("after outer step 1, rank 1 has exchanged more or less "
                        "often than rank 0"));
  CHECK_THROWS_WITH(
      tune_with_other(5),
      ContainsSubstring("after outer step 1, rank 1 has other hyperparameters "
                        "than rank 0"));
  CHECK_THROWS_WITH(
      tune_with_other(6),
      ContainsSubstring("after outer step 1, rank 1 has other weights than "
                        "rank 0"));
}

TEST_CASE("ranks with other data are told, and rounding is no other data",
          "[ranks]") {
  const auto with = [](double factor) {
    return Mirrored([factor](const Tensor& own) { return factor * own; });
  };
  Mirrored same = with(1), rounded = with(1 + 1e-6), other = with(1.01);
  require_same_data(same, {0.5, 0.25});
  require_same_data(same, {std::nan(""), 0.25});
  require_same_data(rounded, {0.5, 0.25});
  CHECK_THROWS_WITH(
      require_same_data(other, {0.5, 0.25}),
      ContainsSubstring("rank 1 has other data than rank 0: losses at the "
                        "initial weights are 0.505 and 0.2525 there"));
}

}  // namespace nestgrad
