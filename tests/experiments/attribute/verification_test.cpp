#include "experiments/attribute/verification.h"

#include <ATen/ATen.h>

#include "tests/support/support.h"

namespace nestgrad {
namespace {

Tensor list(std::vector<double> values) {
  return at::tensor(values, at::kDouble);
}

}  // namespace

TEST_CASE("a rank correlation is that of ranks, ties sharing theirs",
          "[attribute]") {
  const Tensor a = list({1, 2, 3, 4, 5});
  CHECK(rank_correlation(a, a.exp()) == Approx(1));
  CHECK(rank_correlation(a, -a) == Approx(-1));
  // 1 - 6 sum d^2 / n (n^2 - 1), d = 1, 1, 0, 1, 1
  CHECK(rank_correlation(a, list({20, 10, 30, 50, 40})) == Approx(0.8));
  // scipy.stats.spearmanr([1, 2, 2, 3], [1, 3, 2, 4])
  CHECK(rank_correlation(list({1, 2, 2, 3}), list({1, 3, 2, 4})) ==
        Approx(0.9486832980505139));
  CHECK(std::isnan(rank_correlation(a, list({1, 1, 1, 1, 1}))));
}

TEST_CASE(
    "the linear datamodelling score is a mean over targets, and its "
    "interval covers what many samples scatter over",
    "[attribute]") {
  const Tensor like = at::empty({50, 2}, at::kDouble);
  const Tensor truth = Key(1).normal(like);
  const Tensor predicted = truth + 0.7 * Key(2).normal(like);
  const Estimated score = linear_datamodelling_score(predicted, truth, Key(3));
  CHECK(score.value ==
        Approx((rank_correlation(predicted.select(1, 0), truth.select(1, 0)) +
                rank_correlation(predicted.select(1, 1), truth.select(1, 1))) /
               2));
  CHECK(score.low < score.value);
  CHECK(score.high > score.value);
  int inside = 0;
  double mean = 0, squares = 0;
  constexpr int kRepeats = 200;
  for (int i = 0; i < kRepeats; ++i) {
    const Key key = Key(9).fold(static_cast<std::uint64_t>(i));
    const Tensor t = key.fold(0).normal(like);
    const Tensor p = t + 0.7 * key.fold(1).normal(like);
    const double other = (rank_correlation(p.select(1, 0), t.select(1, 0)) +
                          rank_correlation(p.select(1, 1), t.select(1, 1))) /
                         2;
    mean += other / kRepeats;
    squares += other * other / kRepeats;
    if (other > score.low && other < score.high) ++inside;
  }
  // As wide as the scatter of the score, but for the accuracy of a bootstrap.
  const double deviation = std::sqrt(squares - mean * mean);
  CHECK(score.high - score.low == Approx(2 * 1.96 * deviation).epsilon(0.4));
  CHECK(inside > kRepeats / 2);
  const Estimated again = linear_datamodelling_score(predicted, truth, Key(3));
  CHECK(again.low == score.low);
}

}  // namespace nestgrad
