#include "core/hyper_space.h"
#include "hypergrad/estimator.h"
#include "hypergrad/outer_loop.h"
#include "tests/hypergrad/evolution/theta.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

const Json kMap = {{"type", "sgd"}, {"lr", 1}};

std::shared_ptr<const BilevelProblem> influence_balancing() {
  return ProblemRegistry::instance().make(Json("influence_balancing"),
                                          {float64(), Key(1)});
}

TrainingLoop loop_of(std::shared_ptr<const BilevelProblem> problem) {
  return TrainingLoop(std::move(problem),
                      OptimizerRegistry::instance().make(kMap));
}

/// dL/dtheta of influence balancing after n steps, from s_n = A^n 1 + theta
/// sum_k A^k signs.
double slope_of(std::int64_t n, double at_theta) {
  const Tensor a =
      0.5 * (at::eye(23, float64()) + at::diag(at::ones({22}, float64()), 1));
  const Tensor signs =
      at::cat({at::ones({10}, float64()), -at::ones({13}, float64())});
  Tensor s = at::ones({23}, float64()), ds = at::zeros({23}, float64());
  for (std::int64_t t = 0; t < n; ++t) {
    s = at::mv(a, s) + at_theta * signs;
    ds = at::mv(a, ds) + signs;
  }
  return ((s[0] - 1) * ds[0]).item<double>();
}

struct Moments {
  double mean = 0, standard_error = 0;
};

Moments moments_of(const std::vector<double>& values) {
  const Tensor all = at::tensor(values, at::kDouble);
  return {
      all.mean().item<double>(),
      all.std().item<double>() / std::sqrt(static_cast<double>(values.size()))};
}

/// The estimate of the last of several windows, for several keys.
Moments estimates(Json section, std::int64_t windows, double at_theta) {
  section["window"] = 3;
  const TrainingLoop loop = loop_of(influence_balancing());
  std::vector<double> values;
  for (std::uint64_t key = 0; key < 100; ++key) {
    const auto estimator = EstimatorRegistry::instance().make(section, loop);
    estimator->begin(theta(at_theta), Key(1));
    estimator->reseed(Key(key));
    Estimate last;
    for (std::int64_t i = 0; i < windows; ++i) {
      last = estimator->estimate(theta(at_theta));
    }
    values.push_back(last.gradient.flatten().item<double>());
  }
  return moments_of(values);
}

/// Theta after outer steps of plain gradient descent.
double tuned_by(const Json& section, std::int64_t steps) {
  const TrainingLoop loop = loop_of(influence_balancing());
  const auto estimator = EstimatorRegistry::instance().make(section, loop);
  OuterLoop outer(*estimator, *loop.problem(),
                  OuterRule(OptimizerRegistry::instance().make(
                      Json{{"type", "sgd"}, {"lr", 1e-4}})),
                  steps);
  outer.begin(theta(0.5), Key(3));
  return outer.run().hyper.flatten().item<double>();
}

/// Loss g_t . h in window t, whatever the weights.
class LinearLosses : public BilevelProblem {
 public:
  LinearLosses(std::int64_t windows, bool repeated) {
    const Tensor like = at::empty({windows, 20}, float64());
    slopes_ = Key(4).normal(like);
    if (repeated) slopes_ = slopes_.slice(0, 0, 1).expand_as(like);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter h;
    h.name = "h";
    h.initial = at::zeros({20}, float64());
    return {h};
  }
  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"w", at::zeros({1}, float64())}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("w").square().sum();
  }
  Tensor valid_loss(const ParameterSet&, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return at::dot(slopes_[draw.step % slopes_.size(0)], hyper.at("h"));
  }

  Tensor slopes_;  // [windows, 20]
};

/// Variance of one pair's summed estimates over a run, by |sum of g|^2.
double relative_variance(const char* type, std::int64_t windows, bool repeated,
                         const Json& more = Json::object()) {
  const auto problem = std::make_shared<LinearLosses>(windows, repeated);
  const TrainingLoop loop = loop_of(problem);
  const ParameterSet h = problem->initial_hyper();
  const Tensor truth = problem->slopes_.sum(0);
  double sum = 0;
  constexpr int kKeys = 1500;
  Json section = {{"type", type},
                  {"particles", 2},
                  {"sigma", 0.1},
                  {"window", 1},
                  {"horizon", windows}};
  section.update(more);
  const auto estimator = EstimatorRegistry::instance().make(section, loop);
  for (int key = 0; key < kKeys; ++key) {
    estimator->begin(h, Key(1));
    estimator->reseed(Key(static_cast<std::uint64_t>(key)));
    Tensor total = at::zeros_like(truth);
    for (std::int64_t i = 0; i < windows; ++i) {
      total = total + estimator->estimate(h).gradient.flatten();
    }
    sum += (total - truth).square().sum().item<double>();
  }
  return sum / kKeys / truth.square().sum().item<double>();
}

}  // namespace

TEST_CASE("a step of influence balancing is its linear map", "[evolution]") {
  const TrainingLoop loop = loop_of(influence_balancing());
  const ParameterSet h = theta(0.5);
  TrainState state = loop.start(h, Key(1));
  state = loop.steps(state, 2000, h, Key(1));
  // The fixed point is s_0 = -6 theta.
  CHECK(state.weights.at("state")[0].item<double>() == Approx(-3));
  CHECK(loop.problem()->valid_loss(state.weights, h, Draw()).item<double>() ==
        Approx(8));
  // Through the tape as well.
  const ParameterSet x = h.leaves();
  const TrainState end =
      loop.steps(loop.start(x, Key(1)), 7, x, Key(1), Tape::kOn);
  const Tensor loss = loop.problem()->valid_loss(end.weights, x, Draw());
  CHECK(gradient(loss, x).flatten().item<double>() == Approx(slope_of(7, 0.5)));
}

TEST_CASE("pes and es_single are unbiased by truncation, es is not",
          "[evolution]") {
  // The loss is quadratic in theta, so smoothing changes no gradient.
  const double truth = slope_of(4 * 3, 0.5);
  const auto off = [&](Json section) {
    if (section["type"] != "uoro") section["particles"] = 20;
    const Moments m = estimates(section, 4, 0.5);
    CAPTURE(section.dump(), m.mean, m.standard_error, truth);
    return std::abs(m.mean - truth) / m.standard_error;
  };
  CHECK(off({{"type", "pes"}}) < 3);
  CHECK(off({{"type", "es_single"}}) < 3);
  CHECK(off({{"type", "pes"}, {"redraw", 2}}) < 3);
  CHECK(off({{"type", "pes"}, {"analytic", true}}) < 3);
  CHECK(off({{"type", "uoro"}}) < 3);
  CHECK(off({{"type", "es"}}) > 3);
  // A full unroll has nothing to miss.
  const double first = slope_of(3, 0.5);
  const Moments full =
      estimates({{"type", "es"}, {"horizon", 3}, {"particles", 20}}, 2, 0.5);
  CHECK(std::abs(full.mean - first) < 3 * full.standard_error);
  // What is telescoped is the change of the loss in the last window.
  const Moments change = estimates(
      {{"type", "pes"}, {"telescoped", true}, {"particles", 20}}, 4, 0.5);
  CHECK(std::abs(change.mean - (truth - slope_of(3 * 3, 0.5))) <
        3 * change.standard_error);
}

TEST_CASE("pes finds -1/6 with a thousand particles, es the other way",
          "[evolution]") {
  const auto with = [](const char* type) {
    return tuned_by({{"type", type}, {"particles", 1000}, {"window", 1}}, 3000);
  };
  CHECK(std::abs(with("pes") + 1.0 / 6) < 1e-5);
  CHECK(std::abs(with("es_single") + 1.0 / 6) < 1e-7);
  CHECK(with("es") == Approx(3.26).epsilon(0.02));
}

TEST_CASE("particles together move as each by itself", "[evolution]") {
  /// Says that it cannot.
  class OneByOne : public ProblemDecorator {
   public:
    using ProblemDecorator::ProblemDecorator;
    ProblemAbilities abilities() const override {
      ProblemAbilities out = ProblemDecorator::abilities();
      out.particles = false;
      return out;
    }
    ParameterSet natural(const ParameterSet& hyper) const override {
      require(hyper.at("lr").dim() == 0, "not one by one");
      return ProblemDecorator::natural(hyper);
    }
  };
  const std::shared_ptr<const BilevelProblem> natural =
      ProblemRegistry::instance().make(
          Json{{"type", "classification"},
               {"data", {{"type", "two_moons"}, {"train", 60}, {"valid", 60}}},
               {"batch", 20},
               {"model", {{"type", "mlp"}, {"hidden", {5}}, {"dropout", 0.2}}}},
          {float64(), Key(2)});
  const Json rule = {{"type", "adam"}, {"lr", "$lr"}};
  const Bench bench =
      with_rule(natural, at::scalar_tensor(1e-3, float64()), rule, /*lr=*/0.01);
  REQUIRE(bench.loop->problem()->abilities().particles);
  const TrainingLoop slow(std::make_shared<OneByOne>(bench.loop->problem()),
                          OptimizerRegistry::instance().make(rule));
  REQUIRE_FALSE(slow.problem()->abilities().particles);
  for (const char* type : {"es", "pes", "es_single"}) {
    CAPTURE(type);
    const Json section = {{"type", type},
                          {"window", 3},
                          {"horizon", 6},
                          {"particles", 6},
                          {"groups", 2}};
    const auto fast_one =
        EstimatorRegistry::instance().make(section, *bench.loop);
    const auto slow_one = EstimatorRegistry::instance().make(section, slow);
    fast_one->begin(bench.hyper, Key(1));
    slow_one->begin(bench.hyper, Key(1));
    for (int i = 0; i < 3; ++i) {
      CHECK(relative_error(fast_one->estimate(bench.hyper).gradient,
                           slow_one->estimate(bench.hyper).gradient) < 1e-8);
    }
  }
}

TEST_CASE("staggered groups see every part of training at once",
          "[evolution]") {
  // Losses g_t . h of the four windows of a run, by the number of its step.
  class ByStep : public LinearLosses {
   public:
    ByStep() : LinearLosses(4, false) {}
    ParameterSet initial_weights(const ParameterSet&,
                                 const Key&) const override {
      return {{"w", at::zeros({1}, float64())}};
    }
    Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                      const Draw&) const override {
      return -weights.at("w").sum();  // w counts steps
    }
    Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                      const Draw&) const override {
      const auto t = weights.at("w").item<double>();
      return at::dot(slopes_[static_cast<std::int64_t>(t + 0.5) - 1],
                     hyper.at("h"));
    }
  };
  const auto problem = std::make_shared<ByStep>();
  const TrainingLoop loop = loop_of(problem);
  const ParameterSet h = problem->initial_hyper();
  const auto after = [&](bool staggered, int windows) {
    const auto estimator =
        EstimatorRegistry::instance().make({{"type", "es"},
                                            {"particles", 20000},
                                            {"sigma", 0.1},
                                            {"window", 1},
                                            {"horizon", 4},
                                            {"groups", 4},
                                            {"staggered", staggered}},
                                           loop);
    estimator->begin(h, Key(1));
    Estimate last;
    for (int i = 0; i < windows; ++i) last = estimator->estimate(h);
    return last.gradient.flatten();
  };
  const Tensor all = problem->slopes_.mean(0);
  // After a run, groups stand at four different windows.
  CHECK(relative_error(after(true, 5), all) < 0.15);
  CHECK(relative_error(after(false, 5), problem->slopes_[0]) < 0.15);
  CHECK_THROWS_WITH(
      EstimatorRegistry::instance().make(
          {{"type", "es"}, {"groups", 2}, {"staggered", true}}, loop),
      ContainsSubstring("needs a horizon"));
}

TEST_CASE("staggered groups that are restored continue identically",
          "[evolution]") {
  const TrainingLoop loop = loop_of(influence_balancing());
  const auto make = [&] {
    return EstimatorRegistry::instance().make({{"type", "pes"},
                                               {"particles", 4},
                                               {"window", 1},
                                               {"horizon", 6},
                                               {"groups", 3},
                                               {"staggered", true}},
                                              loop);
  };
  const auto whole = make();
  whole->begin(theta(0.5), Key(1));
  whole->estimate(theta(0.5));
  const Snapshot saved = save(*whole);
  const auto restored = make();
  restore(*restored, saved);
  for (int i = 0; i < 8; ++i) {
    CHECK(at::equal(whole->estimate(theta(0.5)).gradient.flatten(),
                    restored->estimate(theta(0.5)).gradient.flatten()));
  }
}

TEST_CASE("a metric that there is not is found at the start", "[evolution]") {
  const TrainingLoop loop = loop_of(influence_balancing());
  const auto estimator = EstimatorRegistry::instance().make(
      Json{{"type", "es"}, {"metric", "valid_accurracy"}}, loop);
  CHECK_THROWS_WITH(estimator->begin(theta(0.5), Key(1)),
                    ContainsSubstring("there are: valid_loss"));
}

TEST_CASE("es_single finds -1/6 where truncated methods go the other way",
          "[evolution]") {
  CHECK(std::abs(
            tuned_by({{"type", "es_single"}, {"particles", 40}, {"window", 1}},
                     3000) +
            1.0 / 6) < 1e-3);
  // Real-time recurrent learning, to the digits of the optimum.
  CHECK(std::abs(
            tuned_by({{"type", "forward"}, {"window", 1}, {"real_time", true}},
                     3000) +
            1.0 / 6) < 1e-7);
  CHECK(tuned_by({{"type", "unrolled"}, {"window", 1}}, 3000) ==
        Approx(3.26).epsilon(0.01));
  CHECK(tuned_by({{"type", "es"}, {"particles", 20}, {"window", 1}}, 3000) > 2);
}

TEST_CASE("the variance of es_single is D + 1 in however many windows",
          "[evolution]") {
  // [D = 20; 1,500 keys tell it to about 5 %.]
  for (const bool repeated : {false, true}) {
    for (const std::int64_t windows : {1, 5, 20}) {
      CAPTURE(repeated, windows);
      CHECK(relative_variance("es_single", windows, repeated) ==
            Approx(21).epsilon(0.12));
    }
  }
  // That of pes falls with repeated slopes and grows with independent ones.
  CHECK(relative_variance("pes", 20, true) == Approx(10.7).epsilon(0.15));
  CHECK(relative_variance("pes", 1, false) == Approx(21).epsilon(0.12));
  CHECK(relative_variance("pes", 20, false) > 100);
  // An analytic slope explains all of a loss that is linear in h.
  CHECK(relative_variance("pes", 5, false, {{"analytic", true}}) < 1e-20);
}

TEST_CASE("particles with losses that are not finite are left out and counted",
          "[evolution]") {
  /// Infinite on one side of a wall.
  class Wall : public LinearLosses {
   public:
    using LinearLosses::LinearLosses;
    Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                      const Draw& draw) const override {
      const Tensor inside = LinearLosses::valid_loss(weights, hyper, draw);
      return hyper.at("h")[0].item<double>() > wall_ ? inside * INFINITY
                                                     : inside;
    }
    double wall_ = 0.15;
  };
  const auto problem = std::make_shared<Wall>(1, true);
  const TrainingLoop loop = loop_of(problem);
  const ParameterSet h = problem->initial_hyper();
  const auto estimator = EstimatorRegistry::instance().make(
      {{"type", "es"}, {"particles", 400}, {"window", 1}}, loop);
  estimator->begin(h, Key(1));
  const Estimate estimate = estimator->estimate(h);
  CHECK(estimate.status == Status::kOk);
  const double lost = estimate.metrics.at("particles_lost");
  // |eps_0| > 1.5 sigma in 13 % of the pairs.
  CHECK(lost > 20);
  CHECK(lost < 90);
  CHECK(all_finite(estimate.gradient));
  // The others still see the slopes that the wall does not hide.
  const Tensor g = estimate.gradient.flatten().slice(0, 1);
  const Tensor truth = problem->slopes_[0].slice(0, 1);
  CHECK((at::dot(g, truth) / (g.norm() * truth.norm())).item<double>() > 0.9);
  problem->wall_ = -10;
  const Estimate none = estimator->estimate(h);
  CHECK(none.status == Status::kDiverged);
  CHECK_THAT(none.trouble, ContainsSubstring("all particles"));
}

}  // namespace nestgrad
