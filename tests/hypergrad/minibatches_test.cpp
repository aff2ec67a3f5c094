#include <memory>
#include <set>

#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

/// Records which orders of minibatches the training losses drew.
class Recorded : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    orders.insert(draw.order);
    return ProblemDecorator::train_loss(weights, hyper, draw);
  }
  mutable std::set<std::uint64_t> orders;
};

/// The orders that five cold starts draw, which cycle through two starts.
std::set<std::uint64_t> orders(Json section, Minibatches minibatches) {
  const Bench bench = network_bench({{"type", "sgd"}, {"lr", 0.1}}, 4);
  const auto recorded = std::make_shared<Recorded>(bench.problem);
  const TrainingLoop loop(recorded, bench.loop->optimizer(), minibatches);
  section.update(Json{{"window", 4}, {"horizon", 4}, {"starts", 2}});
  const auto estimator = EstimatorRegistry::instance().make(section, loop);
  estimator->begin(bench.hyper, Key(3));
  for (int i = 0; i < 5; ++i) estimator->estimate(bench.hyper);
  return recorded->orders;
}

}  // namespace

TEST_CASE("each start of training has minibatches of its own if that is asked",
          "[minibatches]") {
  for (const char* method :
       {"unrolled", "forward", "stn", "delta_stn", "pes"}) {
    CAPTURE(method);
    CHECK(orders({{"type", method}}, Minibatches::kCommon) ==
          std::set<std::uint64_t>{0});
    const auto own = orders({{"type", method}}, Minibatches::kOfRun);
    CHECK(own.size() == 2);
    CHECK(own.count(0) == 0);
  }
}

TEST_CASE("both sets of weights of f2sa see the same minibatches",
          "[minibatches]") {
  auto own = orders({{"type", "f2sa"}}, Minibatches::kOfRun);
  own.erase(0);  // the minibatch on which the two are compared
  CHECK(own.size() == 2);
}

}  // namespace nestgrad
