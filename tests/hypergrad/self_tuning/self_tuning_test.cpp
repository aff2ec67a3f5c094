#include "core/nn/layers/shapes.h"
#include "core/nn/model.h"
#include "core/tensor/autodiff.h"
#include "experiments/setup/experiment.h"
#include "hypergrad/self_tuning/response_problem.h"
#include "tests/kit/bench.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
namespace {

const std::vector<std::string> kMethods = {"stn", "delta_stn"};

std::unique_ptr<HypergradientEstimator> make(const Json& json,
                                             const TrainingLoop& loop) {
  return EstimatorRegistry::instance().make(json, loop);
}

double relative(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

/// Ridge regression with one decay exp(h), and what self-tuning networks with
/// any affine response w + J u learn there when h is perturbed by u ~ N(0,
/// s^2). The training loss has the gradient (A + exp(h + u)) (w + J u) - b in
/// w, so with m_k = E[exp(h + u) u^k] its mean, and its mean times u, vanish at
///
///   (A + m_0) w + m_1 J = b,     m_1 w + (s^2 A + m_2) J = 0.
///
/// The first fixes the weights of STN; those of Delta-STN solve the problem at
/// h itself. Both have the slope of the second.
struct AffineRidge {
  AffineRidge()
      : ridge(
            std::make_shared<Quadratic>(ridge_terms({40, 30, 8}, float64()))) {}

  Tensor a() const { return ridge->terms().a; }
  Tensor eye() const { return at::eye(8, float64()); }

  /// E[exp(h + u) u^k].
  double moment(int k) const {
    const double s2 = deviation * deviation;
    const double factor = k == 0 ? 1 : k == 1 ? s2 : s2 + s2 * s2;
    return factor * std::exp(h + s2 / 2);
  }

  Tensor slope_at(const Tensor& w) const {
    const Tensor matrix = deviation * deviation * a() + moment(2) * eye();
    return -moment(1) * at::linalg_solve(matrix, w);
  }

  Tensor stn_weights() const {
    // J as a matrix times w.
    const Tensor matrix = deviation * deviation * a() + moment(2) * eye();
    const Tensor j = -moment(1) * at::inverse(matrix);
    return at::linalg_solve(a() + moment(0) * eye() + moment(1) * j,
                            ridge->terms().b);
  }

  Tensor best() const {
    return at::linalg_solve(a() + std::exp(h) * eye(), ridge->terms().b);
  }

  Tensor best_slope() const {
    return -std::exp(h) * at::linalg_solve(a() + std::exp(h) * eye(), best());
  }

  /// d valid_loss / dw.
  Tensor outer(const Tensor& w) const {
    const Quadratic::Terms& t = ridge->terms();
    return t.scale * at::mv(t.v.t(), at::mv(t.v, w) - t.t);
  }

  std::shared_ptr<Quadratic> ridge;
  double h = 0;
  double deviation = 1;
};

/// Means over the last windows of long training: for a loss that is quadratic
/// in what is trained, the mean iterate of gradient descent with noise is
/// where the mean gradient vanishes.
struct Learned {
  Tensor weights;
  Tensor slope;  // of the response
  double gradient = 0;
};

Learned learn(const std::string& method, const AffineRidge& expected) {
  const Bench bench = with_rule(
      expected.ridge, at::scalar_tensor(std::exp(expected.h), float64()),
      {{"type", "sgd"}, {"lr", 0.1}});
  const auto estimator = make(
      {{"type", method},
       {"window", 5},
       {"warm_up", 200},
       {"response", "affine"},
       {"draws", 8},
       {"perturbation", {{"initial", expected.deviation}, {"learned", false}}}},
      *bench.loop);
  estimator->begin(bench.hyper, Key(3));
  Learned mean{at::zeros({8}, float64()), at::zeros({8}, float64())};
  constexpr int kWindows = 1500;
  for (int i = 0; i < kWindows; ++i) {
    mean.gradient +=
        estimator->estimate(bench.hyper).gradient.flatten().item<double>() /
        kWindows;
    mean.weights += estimator->weights(bench.hyper).flatten() / kWindows;
    mean.slope +=
        save(*estimator).sets.at("run/state/weights").subset("map/").flatten() /
        kWindows;
  }
  return mean;
}

}  // namespace

TEST_CASE(
    "on ridge the weights of stn are biased as far as theory says, and "
    "those of delta_stn are not",
    "[stn]") {
  const AffineRidge expected;
  // METHODS: 3 % at deviation 1.
  const double bias = relative(expected.stn_weights(), expected.best());
  CHECK(bias > 0.015);
  CHECK(bias < 0.06);
  const Learned stn = learn("stn", expected),
                delta = learn("delta_stn", expected);
  CHECK(relative(stn.weights, expected.stn_weights()) < 0.1 * bias);
  CHECK(relative(stn.weights, expected.best()) > 0.8 * bias);
  CHECK(relative(delta.weights, expected.best()) < 1e-8);

  // So are the slopes of the two responses, and both hypergradients.
  CHECK(relative(stn.slope, expected.slope_at(expected.stn_weights())) < 0.05);
  CHECK(relative(delta.slope, expected.slope_at(expected.best())) < 0.05);
  const auto slope = [&](const Tensor& w) {
    return at::dot(expected.outer(w), expected.slope_at(w)).item<double>();
  };
  CHECK(stn.gradient == Approx(slope(expected.stn_weights())).epsilon(0.03));
  CHECK(delta.gradient == Approx(slope(expected.best())).epsilon(0.03));
  // Which is far from the truth at such a deviation, but not elsewhere.
  const double truth =
      at::dot(expected.outer(expected.best()), expected.best_slope())
          .item<double>();
  CHECK(std::abs(delta.gradient / truth - 1) > 0.1);
}

TEST_CASE(
    "on ridge both hypergradients come close to the truth as the noise "
    "gets small",
    "[stn]") {
  AffineRidge expected;
  expected.deviation = 0.1;
  const double truth =
      at::dot(expected.outer(expected.best()), expected.best_slope())
          .item<double>();
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const Learned learned = learn(method, expected);
    CHECK(learned.gradient == Approx(truth).epsilon(0.03));
    CHECK(relative(learned.slope, expected.best_slope()) < 0.1);
  }
}

TEST_CASE("delta_stn trains the same weights as plain training", "[stn]") {
  const Bench bench = network_bench({{"type", "adam"}, {"lr", 0.05}}, 4);
  const auto estimator =
      make({{"type", "delta_stn"}, {"window", 20}}, *bench.loop);
  estimator->begin(bench.hyper, Key(3));
  InnerRun plain(*bench.loop, {20});
  plain.begin(bench.hyper, Key(3));
  for (int i = 0; i < 3; ++i) {
    estimator->estimate(bench.hyper);
    plain.advance(bench.hyper);
    CHECK(at::allclose(estimator->weights(bench.hyper).flatten(),
                       plain.state().weights.flatten(), 1e-12, 1e-12));
  }
}

TEST_CASE(
    "every response of a network comes close to the implicit "
    "hypergradient, with a linear model that of Gauss and Newton",
    "[stn]") {
  const Bench bench = network_bench({{"type", "adam"}, {"lr", 0.02}});
  // At the optimum.
  const auto implicit = [&](const char* hessian) {
    const auto exact =
        make({{"type", "ift"},
              {"window", 2000},
              {"solver", {{"type", "dense"}, {"hessian", hessian}}}},
             *bench.loop);
    exact->begin(bench.hyper, Key(3));
    return exact->estimate(bench.hyper).gradient.flatten().item<double>();
  };
  const double truth = implicit("exact"),
               gauss_newton = implicit("gauss_newton");
  REQUIRE(std::abs(gauss_newton / truth - 1) > 0.2);
  const auto learned = [&](Json json) {
    json["window"] = 2000;
    json["draws"] = 2;
    json["perturbation"] = {{"initial", 0.3}, {"learned", false}};
    const auto estimator = make(json, *bench.loop);
    estimator->begin(bench.hyper, Key(3));
    return estimator->estimate(bench.hyper).gradient.flatten().item<double>();
  };
  for (const std::string& name : ResponseRegistry::instance().names()) {
    CAPTURE(name);
    CHECK(learned({{"type", "stn"}, {"response", name}}) ==
          Approx(truth).epsilon(0.15));
    CHECK(learned({{"type", "delta_stn"}, {"response", name}}) ==
          Approx(gauss_newton).epsilon(0.15));
    CHECK(learned({{"type", "delta_stn"},
                   {"response", name},
                   {"linearize", false}}) == Approx(truth).epsilon(0.15));
  }
}

namespace {

/// Logistic regression on 40 points of two moons, whose examples are perturbed
/// one by one.
Json moons(const Json& model, const Json& hyperparameters) {
  return {{"dtype", "float64"},
          {"problem",
           {{"type", "classification"},
            {"data",
             {{"type", "two_moons"},
              {"noise", 0.3},
              {"train", 40},
              {"valid", 200},
              {"test", 10}}},
            {"model", model},
            {"batch", 0}}},
          {"hyperparameters", hyperparameters},
          {"inner", {{"type", "sgd"}, {"lr", 0.5}}},
          {"estimator", "stn"}};
}

Experiment built(const Json& json) {
  return Experiment(Config(complete(experiment_schema(), json)));
}

/// The mean hypergradient of many windows after long training, with a
/// perturbation of each example.
double mean_gradient(const Experiment& experiment, const std::string& method,
                     double deviation, int windows) {
  REQUIRE(experiment.problem().batch_sizes().train == 40);
  const auto estimator =
      make({{"type", method},
            {"window", 10},
            {"warm_up", 1000},
            {"perturbation", {{"initial", deviation}, {"learned", false}}}},
           experiment.loop());
  const ParameterSet hyper = experiment.initial_hyper();
  estimator->begin(hyper, Key(3));
  double sum = 0;
  for (int i = 0; i < windows; ++i) {
    sum += estimator->estimate(hyper).gradient.flatten().item<double>();
  }
  return sum / windows;
}

}  // namespace

TEST_CASE(
    "examples with decays and weights of their own lead to the implicit "
    "hypergradient",
    "[stn]") {
  const Experiment experiment =
      built(moons("logistic", {{"weight_decay", {{"initial", 0.1}}}}));
  const ParameterSet hyper = experiment.initial_hyper();
  const auto implicit = [&](const char* hessian) {
    const auto exact =
        make({{"type", "ift"},
              {"window", 5000},
              {"solver", {{"type", "dense"}, {"hessian", hessian}}}},
             experiment.loop());
    exact->begin(hyper, Key(3));
    return exact->estimate(hyper).gradient.flatten().item<double>();
  };
  const double truth = implicit("exact");
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    CHECK(mean_gradient(experiment, method, 0.3, 1500) ==
          Approx(truth).epsilon(0.1));
  }
}

TEST_CASE("a dropout rate is tuned as training at other rates says", "[stn]") {
  const Json model = {
      {"type", "mlp"}, {"hidden", Json::array()}, {"input_dropout", "$p"}};
  const auto at_rate = [&](double rate) {
    return built(moons(model, {{"p", {{"initial", rate}}}}));
  };
  // The loss where training at a constant rate stays on average.
  const auto loss_at = [&](double rate) {
    const Experiment experiment = at_rate(rate);
    const ParameterSet hyper = experiment.initial_hyper();
    TrainState state = experiment.loop().start(hyper, Key(5));
    ParameterSet sum = state.weights.zeros();
    constexpr int kSteps = 20000, kBefore = 500;
    for (int i = 0; i < kSteps; ++i) {
      state = experiment.loop().step(state, hyper, Key(5));
      if (i >= kBefore) sum = sum + state.weights;
    }
    const ParameterSet mean = (1.0 / (kSteps - kBefore)) * sum;
    return experiment.problem().valid_loss(mean, hyper, Draw()).item<double>();
  };
  constexpr double kRate = 0.3, kChange = 0.1;
  // In the coordinates of the rate, its logit.
  const double slope = kRate * (1 - kRate) *
                       (loss_at(kRate + kChange) - loss_at(kRate - kChange)) /
                       (2 * kChange);
  const Experiment experiment = at_rate(kRate);
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    CHECK(mean_gradient(experiment, method, 0.3, 3000) ==
          Approx(slope).epsilon(0.15));
  }
}

TEST_CASE("a warm-up is so many windows without an estimate", "[stn]") {
  const Bench bench = network_bench({{"type", "sgd"}, {"lr", 0.1}}, 4);
  for (const std::string& method : kMethods) {
    for (const int outer : {1, 2}) {
      CAPTURE(method, outer);
      const Json json = {{"type", method},
                         {"window", 3},
                         {"outer_steps_per_window", outer},
                         {"perturbation", {{"learned", false}}}};
      Json warm = json;
      warm["warm_up"] = 2;
      const auto a = make(json, *bench.loop), b = make(warm, *bench.loop);
      a->begin(bench.hyper, Key(3));
      b->begin(bench.hyper, Key(3));
      for (int i = 0; i < 2 * outer + 1; ++i) a->estimate(bench.hyper);
      b->estimate(bench.hyper);
      CHECK(at::equal(a->weights(bench.hyper).flatten(),
                      b->weights(bench.hyper).flatten()));
      // It is over after a restore.
      const auto restored = make(warm, *bench.loop);
      restore(*restored, save(*b));
      CHECK(at::equal(restored->estimate(bench.hyper).gradient.flatten(),
                      b->estimate(bench.hyper).gradient.flatten()));
      CHECK(at::equal(restored->weights(bench.hyper).flatten(),
                      b->weights(bench.hyper).flatten()));
    }
  }
}

TEST_CASE("entropy keeps the deviation of the noise up", "[stn]") {
  const Bench bench = ridge_bench({{"type", "sgd"}, {"lr", 0.1}}, false);
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const auto after = [&](double entropy) {
      const auto estimator =
          make({{"type", method},
                {"window", 2},
                {"response", "affine"},
                {"perturbation",
                 {{"initial", 0.5},
                  {"entropy", entropy},
                  {"rule", {{"type", "sgd"}, {"lr", 0.02}}}}}},
               *bench.loop);
      estimator->begin(bench.hyper, Key(3));
      double deviation = 0;
      for (int i = 0; i < 50; ++i) {
        deviation = estimator->estimate(bench.hyper)
                        .metrics.at("deviation.weight_decay");
      }
      return deviation;
    };
    CHECK(after(1) > 0.6);
    CHECK(after(1) > after(0.1));
    CHECK(after(0.1) > after(0));
    // The first step by hand: d(-tau log s) / d rho = -tau s' / s.
    const auto estimator = make({{"type", method},
                                 {"window", 2},
                                 {"perturbation",
                                  {{"initial", 0.5},
                                   {"learned", true},
                                   {"entropy", 1e6},
                                   {"rule", {{"type", "sgd"}, {"lr", 1e-6}}}}}},
                                *bench.loop);
    estimator->begin(bench.hyper, Key(3));
    const double rho = std::log(std::expm1(0.5));
    const double slope = 1 / (1 + std::exp(-rho)) / 0.5;
    CHECK(
        estimator->estimate(bench.hyper).metrics.at("deviation.weight_decay") ==
        Approx(std::log1p(std::exp(rho + slope))).epsilon(1e-4));
  }
}

TEST_CASE("the deviation of the noise descends the validation loss", "[stn]") {
  const Bench bench = ridge_bench({{"type", "sgd"}, {"lr", 0.1}}, false);
  constexpr double kRate = 1e-3, kChange = 1e-5;
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    // In the second of two outer steps the weights stay.
    const Json json = {
        {"type", method},
        {"window", 200},
        {"outer_steps_per_window", 2},
        {"draws", 4},
        {"response", "affine"},
        {"perturbation",
         {{"entropy", 0}, {"rule", {{"type", "sgd"}, {"lr", kRate}}}}}};
    const auto first = make(json, *bench.loop);
    first->begin(bench.hyper, Key(3));
    first->estimate(bench.hyper);
    const Snapshot saved = save(*first);
    const auto rho = [](const Snapshot& state) {
      return state.sets.at("rho/weights").flatten().item<double>();
    };
    /// The second outer step with another rho: its loss, and rho after it.
    const auto second = [&](double change) {
      Snapshot moved = saved;
      ParameterSet& set = moved.sets.at("rho/weights");
      set = set.map([&](const Tensor& t) { return t + change; });
      const auto estimator = make(json, *bench.loop);
      restore(*estimator, moved);
      const double loss = estimator->estimate(bench.hyper).objective;
      return std::make_pair(loss, rho(save(*estimator)));
    };
    const double slope =
        (second(kChange).first - second(-kChange).first) / (2 * kChange);
    CHECK(std::abs(slope) > 1e-4);
    CHECK((rho(saved) - second(0).second) / kRate ==
          Approx(slope).epsilon(1e-5));
  }
}

TEST_CASE("self-tuning networks refuse what they cannot tune", "[stn]") {
  for (const std::string& method : kMethods) {
    CAPTURE(method);
    const Bench rule = network_bench({{"type", "sgd"}, {"lr", "$lr"}});
    CHECK_THROWS_WITH(make({{"type", method}}, *rule.loop),
                      ContainsSubstring("cannot tune 'lr'"));
    const Bench many = ridge_bench({{"type", "sgd"}, {"lr", 0.1}});
    const auto limited = make({{"type", method}, {"limit", 11}}, *many.loop);
    CHECK_THROWS_WITH(limited->begin(many.hyper, Key(1)),
                      ContainsSubstring("limited to 11 hyperparameters, there "
                                        "are 12"));
  }
}

namespace {

/// A network on 6 fixed images whose dropout rate and decay are tuned.
class Images : public BilevelProblem {
 public:
  explicit Images(const Json& rate)
      : model_(ModelRegistry::instance().make(Json{{"type", "cnn"},
                                                   {"channels", {2}},
                                                   {"hidden", {5}},
                                                   {"activation", "tanh"},
                                                   {"dropout", rate}},
                                              {1, 4, 4}, {3})) {}

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "weight_decay";
    decay.initial = at::scalar_tensor(0.1, float64());
    return {decay};
  }
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return model_->initial_weights(key).to(float64());
  }
  Tensor train_loss(const ParameterSet& w, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor x = Key(1).normal(at::empty({6, 1, 4, 4}, float64()));
    const Tensor y =
        model_->forward(w, x, Pass::training_as(draw, hyper), draw);
    const Tensor outputs = to_first_order(y);
    const Tensor each =
        at::cross_entropy_loss(outputs, at::arange(6, at::kLong).remainder(3),
                               {}, at::Reduction::None);
    // A factor of each example stands for what a regularizer does.
    return (each * hyper.at("weight_decay").exp()).mean();
  }
  Tensor valid_loss(const ParameterSet& w, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return train_loss(w, hyper, draw);
  }
  BatchSizes batch_sizes() const override { return {6, 6}; }

 private:
  std::unique_ptr<Model> model_;
};

/// Shows what subclasses see.
class Shown : public ResponseProblem {
 public:
  using ResponseProblem::perturbed;
  using ResponseProblem::ResponseProblem;
  using ResponseProblem::train_loss_at;
  Tensor displacement(const Tensor& hyper, const Tensor&) const override {
    return hyper;
  }
};

}  // namespace

TEST_CASE(
    "examples that are perturbed alike have the loss of shared weights, "
    "and otherwise each its own",
    "[stn]") {
  const auto problem = std::make_shared<Images>(0);
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  const Shown shown(problem, rows, 1);
  REQUIRE(shown.per_example());
  const ParameterSet layout = problem->initial_hyper();
  const ParameterSet base = problem->initial_weights(layout, Key(1));
  const ParameterSet map = Key(2).normal(
      rows->initial(problem->initial_weights(layout, Key(3)), 1, Key()));
  const auto column = [](std::vector<double> values) {
    return at::tensor(values, float64()).unsqueeze(1);
  };
  const auto loss = [&](const Tensor& h, const Tensor& u, bool linear = false) {
    return shown.train_loss_at(base, map, layout, h, u, Draw{0, Key(4)}, linear)
        .item<double>();
  };
  const auto alone = [&](double h, double u) {
    const ParameterSet w =
        base + rows->shift(map, base, at::tensor({u}, float64()));
    return problem
        ->train_loss(w, layout.unflatten(at::tensor({h}, float64())),
                     Draw{0, Key(4)})
        .item<double>();
  };
  CHECK(loss(column({.3, .3, .3, .3, .3, .3}),
             column({.2, .2, .2, .2, .2, .2})) == Approx(alone(0.3, 0.2)));
  // Half of the examples at one place and half at another: neither loss alone.
  const double mixed =
      loss(column({.3, .3, .3, 0, 0, 0}), column({.2, .2, .2, -1, -1, -1}));
  CHECK(mixed != Approx(alone(0.3, 0.2)));
  CHECK(mixed != Approx(alone(0, -1)));

  // To first order: outputs at zero plus their derivative, then the loss.
  const Tensor u = column({.2, -.3, .1, .4, -.2, .3});
  const Tensor zero = at::zeros_like(u);
  const auto curved = [&](double t) {
    return std::abs(loss(zero, t * u, true) - loss(zero, t * u));
  };
  CHECK(curved(0.1) > 1e-4);
  CHECK(curved(0.01) < 0.012 * curved(0.1));  // second order: 0.01
}

TEST_CASE(
    "each example is perturbed by noise of its own, with the deviation "
    "of its hyperparameter",
    "[stn]") {
  const auto problem = std::make_shared<Images>(0);
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  const Shown shown(problem, rows, 1);
  ParameterSet hyper = problem->initial_hyper();
  hyper.insert(ResponseProblem::kDeviation, at::tensor({2.0}, float64()));
  Tensor all = at::empty({0, 1}, float64());
  for (std::uint64_t i = 0; i < 400; ++i) {
    all = at::cat({all, shown.perturbed(hyper, Key(i))});
  }
  REQUIRE(all.size(0) == 2400);
  CHECK(all.std().item<double>() == Approx(2).epsilon(0.06));
  CHECK(all.mean().item<double>() == Approx(0.1).margin(0.16));
  CHECK_FALSE(at::equal(all[0], all[1]));
}

TEST_CASE(
    "classification gives examples that are perturbed alike the loss of "
    "shared weights and hyperparameters",
    "[stn]") {
  const auto problem = ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data",
            {{"type", "two_moons"}, {"train", 9}, {"valid", 7}, {"test", 7}}},
           {"batch", 4},
           {"valid_batch", 3},
           {"model",
            {{"type", "mlp"},
             {"hidden", {3}},
             {"input_dropout", "$p"},
             {"dropout", "$p"}}}},
      {float64(), Key(1)});
  const BatchSizes sizes = problem->batch_sizes();
  CHECK(sizes.train == 4);
  CHECK(sizes.valid == 3);
  const ParameterSet w = problem->initial_weights({}, Key(1));
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  const ParameterSet map = Key(2).normal(rows->initial(w, 2, Key()));
  const Tensor u = at::tensor({0.3, -0.2}, float64());
  const ParameterSet moved = w + rows->shift(map, w, u);
  // Rates of zero and nearly one: no masks to compare, but each in its place.
  for (const std::vector<double>& rates :
       {std::vector<double>{0, 0}, {0, 1 - 1e-12}}) {
    for (const std::int64_t weights : {2, 9}) {
      CAPTURE(rates, weights);
      const ParameterSet hyper{
          {"weight_decay", at::tensor({0.1, 0.7}, float64())},
          {"example_weight", Key(3).uniform(at::empty({weights}, float64()))},
          {"p", at::tensor(rates, float64())}};
      const auto repeated = [&](std::int64_t n) {
        return hyper.map([n](const Tensor& t) {
          return t.unsqueeze(0).expand({n, t.size(0)});
        });
      };
      for (const std::int64_t step : {0, 1, 5}) {
        Draw draw{step, Key(4)};
        RowResponse response = *rows->rows(map, u.expand({4, 2}));
        Draw each = draw;
        each.response = &response;
        CHECK(problem->train_loss(w, repeated(4), each).item<double>() ==
              Approx(problem->train_loss(moved, hyper, draw).item<double>()));
        response.displacement = u.expand({3, 2});
        CHECK(problem->valid_loss(w, repeated(3), each).item<double>() ==
              Approx(problem->valid_loss(moved, hyper, draw).item<double>()));
      }
    }
  }
}

TEST_CASE(
    "a recurrent network is perturbed as a whole, with other masks in "
    "each draw, and its outputs to first order are right",
    "[stn]") {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "abcde"[(i * i + i / 3) % 5];
  const std::shared_ptr<const BilevelProblem> problem =
      ProblemRegistry::instance().make(
          Json{{"type", "classification"},
               {"data",
                {{"type", "text"},
                 {"file", folder.write("t.txt", text)},
                 {"length", 4}}},
               {"model",
                {{"type", "lstm"},
                 {"embedding", 3},
                 {"hidden", 4},
                 {"dropout", "$p"},
                 {"slowness_penalty", 0.3},
                 {"activation_penalty", "$alpha"}}}},
          {float64(), Key(1)});
  CHECK(problem->batch_sizes().train == 31);
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  const ParameterSet w = problem->initial_weights({}, Key(1));
  const ParameterSet map = Key(2).normal(rows->initial(w, 3, Key()));
  const auto layout = [](double rate) {
    return ParameterSet{{"p", at::scalar_tensor(rate, float64())},
                        {"alpha", at::scalar_tensor(0.2, float64())},
                        {"weight_decay", at::scalar_tensor(0.1, float64())}};
  };
  /// ResponseProblem asks the problem for its hyperparameters. This one gives
  /// no example weights of its own.
  class Given : public ProblemDecorator {
   public:
    using ProblemDecorator::ProblemDecorator;
    BatchSizes batch_sizes() const override { return {}; }
    ParameterSet initial_hyper() const override {
      return {{"p", at::zeros({}, float64())},
              {"alpha", at::zeros({}, float64())},
              {"weight_decay", at::zeros({}, float64())}};
    }
  };
  const Shown shown(std::make_shared<Given>(problem), rows, 2);
  CHECK_FALSE(shown.per_example());
  const auto loss = [&](double rate, const Tensor& u, bool linear = false) {
    const ParameterSet h = layout(rate);
    return shown
        .train_loss_at(w, map, h, h.flatten().expand({u.size(0), 3}), u,
                       Draw{0, Key(4)}, linear)
        .item<double>();
  };
  const Tensor u = 0.3 * Key(5).normal(at::empty({2, 3}, float64()));
  const auto curved = [&](double t) {
    return std::abs(loss(0, t * u, true) - loss(0, t * u));
  };
  CHECK(curved(0.1) > 1e-5);
  CHECK(curved(0.01) < 0.012 * curved(0.1));

  // Two draws alike: without dropout as one, with it not.
  const Tensor zero = at::zeros({1, 3}, float64());
  CHECK(loss(0, zero.expand({2, 3})) == Approx(loss(0, zero)));
  CHECK(loss(0.5, zero.expand({2, 3})) != Approx(loss(0.5, zero)));
}

}  // namespace nestgrad
