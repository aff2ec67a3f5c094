// Ranks that divide the examples of minibatches: every estimator must get what
// it gets from whole minibatches on one rank.
//
// Each case starts this program several times; the hidden cases at the end are
// what one rank does.

#include <ATen/ATen.h>

#include <cmath>

#include "core/parallel/rank_sums.h"
#include "core/tensor/autodiff.h"
#include "experiments/judge/plan.h"
#include "experiments/judge/scaling.h"
#include "tests/experiments/setup/cases_on_ranks.h"

namespace nestgrad {
namespace {

/// Says that its examples can be divided, but those of a part have other noise
/// than in the whole minibatch if `honest` is false.
class Noisy : public BilevelProblem {
 public:
  Noisy(const Config& config, const ProblemContext& context)
      : honest_(config.boolean("honest")), options_(context.options) {}
  static Schema schema() {
    return Schema("Noise.").boolean("honest", true, "Whether it divides well.");
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter scale;
    scale.name = "scale";
    scale.initial = at::ones({}, options_);
    return {scale};
  }
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {{"w", key.normal(at::empty({3}, options_))}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const std::int64_t n = draw.part.is_whole() ? 6 : draw.part.count;
    const Tensor x =
        draw.key.normal(at::empty({n, 3}, options_),
                        honest_ ? draw.part.first_number(3 * n) : 0);
    return hyper.at("scale") * (at::mv(x, weights.at("w")) - 1).square().mean();
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("w").square().sum();
  }
  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.divisible_examples = {6, 6};
    return out;
  }

 private:
  bool honest_;
  at::TensorOptions options_;
};

NESTGRAD_REGISTER(ProblemRegistry, "noisy_examples", Noisy)

/// How far an estimate may be from that of one rank. Sums are made in another
/// order; some methods enlarge that.
double tolerance(const HypergradientEstimator& estimator,
                 const std::string& type) {
  if (type == "reversible") return 1e-9;
  if (estimator.takes_differences()) return 1e-6;
  return estimator.divides_work() ? 1e-11 : 1e-13;
}

}  // namespace

TEST_CASE("ranks that divide examples estimate what one rank does", "[ranks]") {
  for (const int ranks : {2, 3, 4}) on_ranks(ranks, "rank_of_estimators");
}

TEST_CASE(
    "ranks that have fixed shares estimate what one rank does, bit by bit",
    "[ranks]") {
  for (const int ranks : {2, 4}) on_ranks(ranks, "rank_of_shares");
}

TEST_CASE("a problem whose examples have other noise in a part is refused",
          "[ranks]") {
  const auto build = [](bool honest) {
    const Json json{
        {"problem", {{"type", "noisy_examples"}, {"honest", honest}}},
        {"hyperparameters", {{"scale", Json::object()}}},
        {"distributed", {{"shares", 2}}}};
    Experiment(Config(complete(experiment_schema(), json)));
  };
  build(true);
  CHECK_THROWS_WITH(
      build(false),
      ContainsSubstring("/problem: minibatches cannot be divided"));
}

TEST_CASE("derivatives of any order pass through sums over ranks", "[ranks]") {
  on_ranks(3, "rank_of_derivatives");
}

TEST_CASE("estimators exchange as little as possible", "[ranks]") {
  on_ranks(2, "rank_of_exchanges");
}

// --- what one rank does ------------------------------------------------------

namespace {

/// Compares estimates of these ranks with those that this one makes alone.
void compare_estimates(const std::shared_ptr<World>& world,
                       std::int64_t shares) {
  std::size_t compared = 0;
  for (const Json& section : all_sections()) {
    const Config config(
        complete(experiment_schema(), noisy_network(section, shares)));
    const Config of_estimator = config.object("estimator");
    CAPTURE(world->rank(), section.dump());
    const Experiment whole(config), divided(config, world);
    REQUIRE(divided.divided() == Divided::kExamples);
    const auto one = whole.make_estimator(of_estimator);
    const auto share = divided.make_estimator(of_estimator);
    ParameterSet hyper = whole.initial_hyper();
    one->begin(hyper, Key(3));
    share->begin(hyper, Key(3));
    const double most = shares > 0 ? 0 : tolerance(*one, of_estimator.type());
    for (int step = 0; step < 2; ++step) {
      const Estimate expected = one->estimate(hyper);
      const Estimate found = share->estimate(hyper);
      std::int64_t exchanges = world->collectives();
      CHECK(distance(found.gradient, expected.gradient) <= most);
      CHECK(std::abs(found.objective - expected.objective) <=
            most * std::abs(expected.objective));
      // All ranks have the same bits.
      const Tensor all = world->gather(found.gradient.flatten());
      CHECK(at::equal(all, all[0].expand_as(all)));
      // Rank 0 may ask alone.
      if (world->is_first()) {
        CHECK(distance(share->weights(hyper), one->weights(hyper)) <= most);
      }
      CHECK(world->collectives() == ++exchanges);
      hyper = add(hyper, -0.1 / (1e-300 + length(expected.gradient)),
                  expected.gradient);
      ++compared;
    }
  }
  CHECK(compared == 2 * all_sections().size());
  CHECK(compared >= 2 * EstimatorRegistry::instance().names().size());
  world->part();
}

}  // namespace

TEST_CASE("a rank of every estimator", "[.][rank_of_estimators]") {
  compare_estimates(joined(), 0);
}

TEST_CASE("a rank of every estimator with fixed shares",
          "[.][rank_of_shares]") {
  compare_estimates(joined(), 4);
}

TEST_CASE("a rank of nested derivatives", "[.][rank_of_derivatives]") {
  const auto world = joined();
  // f(x) = sum_r (r + 1) |x|_4^4 + y'x of rank 0 alone, of which the n-th
  // derivative is known.
  const auto number = static_cast<double>(world->rank() + 1);
  const Tensor start = at::tensor({0.5, -1.5, 2.0}, at::kDouble);
  const ParameterSet in{{"x", start.clone().requires_grad_()},
                        {"y", (2 * start).requires_grad_()}};
  const std::vector<Tensor> own = shares_of(world, in.tensors());
  Tensor share = number * own[0].pow(4).sum();
  if (world->is_first()) share = share + at::dot(own[0], own[1]);
  Tensor f = summed(world, {share})[0];
  const auto [x, y] = std::pair{in.at("x"), in.at("y")};
  constexpr double kSum = 1 + 2 + 3;
  CHECK(f.item<double>() == Approx(kSum * 21.125 + 2 * 6.5).epsilon(1e-15));

  const auto close = [](const Tensor& a, const Tensor& b) {
    return at::allclose(a, b, 1e-15, 0);
  };
  const Tensor first = gradient(f, in, Tape::kOn).at("x");
  CHECK(close(first, 4 * kSum * x.pow(3) + y));
  const ParameterSet second = gradient(first.sum(), in, Tape::kOn);
  CHECK(close(second.at("x"), 12 * kSum * x.pow(2)));
  CHECK(close(second.at("y"), at::ones_like(y)));
  const Tensor third = gradient(second.at("x").sum(), in, Tape::kOn).at("x");
  CHECK(close(third, 24 * kSum * x));
  const ParameterSet fourth = gradient(third.sum(), in, Tape::kOn);
  CHECK(close(fourth.at("x"), at::full_like(x, 24 * kSum)));
  CHECK(close(fourth.at("y"), at::zeros_like(y)));
  world->part();
}

TEST_CASE("a rank that counts exchanges", "[.][rank_of_exchanges]") {
  const auto world = joined();
  const auto exchanges = [&](const Json& section) {
    const Config config(complete(experiment_schema(), noisy_network(section)));
    const Experiment divided(config, world);
    const auto estimator = divided.make_estimator(config.object("estimator"));
    const ParameterSet hyper = divided.initial_hyper();
    estimator->begin(hyper, Key(3));
    const std::int64_t before = world->collectives();
    estimator->estimate(hyper);
    const std::int64_t out = world->collectives() - before;
    // What one process foresees.
    const PlanResult plan = make_plan(config);
    CHECK(make_scaling(config, plan.cost.value(), 2, {}).exchanges.sums ==
          static_cast<double>(out));
    return out;
  };
  // 10 steps, the validation loss with its gradient, the training gradient, 20
  // products with the Hessian and one with the mixed derivative.
  CHECK(exchanges({{"type", "ift"},
                   {"window", 10},
                   {"solver",
                    {{"type", "neumann"}, {"terms", 20}, {"scale", 0.1}}}}) <=
        35);
  constexpr int kWindow = 12;
  const std::int64_t unrolled =
      exchanges({{"type", "unrolled"}, {"window", kWindow}});
  CHECK(unrolled <= 2 * kWindow + 2);
  CHECK(unrolled >= 2 * kWindow);
  world->part();
}

}  // namespace nestgrad
