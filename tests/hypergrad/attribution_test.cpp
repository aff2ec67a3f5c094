#include "hypergrad/attribution.h"

#include <ATen/ATen.h>

#include "core/dataset.h"
#include "hypergrad/estimator.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kExamples = 12, kFeatures = 3;
constexpr double kDecay = 0.3;

/// Ridge regression with a weight p_i for each training example,
///
///   f(w, p) = sum_i p_i (x_i w - y_i)^2 / 2n + d |w|^2 / 2,
///
/// on minibatches of `batch`.
class WeighedRidge : public BilevelProblem {
 public:
  explicit WeighedRidge(std::int64_t batch)
      : batches_(kExamples, batch, Key(3)) {
    const Key key(1);
    x = key.fold("x").normal(at::empty({kExamples, kFeatures}, float64()));
    y = key.fold("y").normal(at::empty({kExamples}, float64()));
    valid_x = key.fold("v").normal(at::empty({5, kFeatures}, float64()));
    valid_y = key.fold("u").normal(at::empty({5}, float64()));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter weight;
    weight.name = "p";
    weight.initial = at::ones({kExamples}, float64());
    return {weight};
  }
  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {{"w", key.normal(at::empty({kFeatures}, float64()))}};
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    Tensor rows = batches_.rows(draw);
    if (!rows.defined()) rows = at::arange(kExamples);
    const Tensor& w = weights.at("w");
    const Tensor off =
        at::mv(x.index_select(0, rows), w) - y.index_select(0, rows);
    return 0.5 * (hyper.at("p").index_select(0, rows) * off * off).mean() +
           0.5 * kDecay * at::dot(w, w);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return losses(weights).mean();
  }

  /// Of the validation examples, each by itself.
  Tensor losses(const ParameterSet& weights) const {
    return 0.5 * (at::mv(valid_x, weights.at("w")) - valid_y).square();
  }

  /// df/dp for the mean loss f of some validation examples at weights w that
  /// minimise the loss under p = 1, or are taken for such:
  ///
  ///   df/dp_i = -(df/dw)' H^-1 x_i (x_i w - y_i) / n,   H = X'X / n + d I
  Tensor closed_form(const Tensor& w, std::int64_t first,
                     std::int64_t count) const {
    const Tensor v = valid_x.narrow(0, first, count);
    const Tensor off = at::mv(v, w) - valid_y.narrow(0, first, count);
    const Tensor slope = at::mv(v.t(), off) / static_cast<double>(count);
    const Tensor h = at::mm(x.t(), x) / static_cast<double>(kExamples) +
                     kDecay * at::eye(kFeatures, float64());
    const Tensor q = at::mv(at::inverse(h), slope);
    return -at::mv(x, q) * (at::mv(x, w) - y) / static_cast<double>(kExamples);
  }

  /// Where f is least under p = 1.
  Tensor optimum() const {
    const Tensor h = at::mm(x.t(), x) / static_cast<double>(kExamples) +
                     kDecay * at::eye(kFeatures, float64());
    return at::mv(at::inverse(h),
                  at::mv(x.t(), y) / static_cast<double>(kExamples));
  }

  Tensor x, y, valid_x, valid_y;

 private:
  BatchSchedule batches_;
};

struct Ridge {
  explicit Ridge(std::int64_t batch, const Json& rule)
      : problem(std::make_shared<WeighedRidge>(batch)),
        loop(problem, OptimizerRegistry::instance().make(rule)) {}

  AttributionTask task(std::int64_t steps) const {
    const WeighedRidge& ridge = *problem;
    return {problem->initial_hyper(),
            Key(7),
            steps,
            {[&ridge](const ParameterSet& w, const ParameterSet&) {
               return ridge.losses(w).mean();
             },
             [&ridge](const ParameterSet& w, const ParameterSet&) {
               return ridge.losses(w)[2];
             }}};
  }

  std::shared_ptr<WeighedRidge> problem;
  TrainingLoop loop;
};

void finish(AttributionPass& pass) {
  while (pass.advance()) {
  }
}

/// The derivatives of both functions, [2, examples].
Tensor derivatives(const Ridge& ridge, const Json& section,
                   std::int64_t steps) {
  const auto estimator =
      EstimatorRegistry::instance().make(section, ridge.loop);
  const auto pass = estimator->attribute(ridge.task(steps));
  REQUIRE(pass != nullptr);
  finish(*pass);
  CHECK(pass->done() == Approx(1));
  std::vector<Tensor> out;
  for (const ParameterSet& g : pass->gradients()) out.push_back(g.at("p"));
  return at::stack(out);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

Json solved() {
  return {{"type", "ift"},
          {"solver", {{"type", "conjugate_gradient"}, {"iterations", 30}}}};
}

const Json kMomentum = {{"type", "sgd"}, {"lr", 0.3}, {"momentum", 0.5}};

}  // namespace

TEST_CASE("the attribution of trained ridge regression is the closed form",
          "[attribution]") {
  const Ridge ridge(0, kMomentum);
  const Tensor w = ridge.problem->optimum();
  const Tensor expected = at::stack({ridge.problem->closed_form(w, 0, 5),
                                     ridge.problem->closed_form(w, 2, 1)});
  for (const Json& section : {Json{{"type", "unrolled"}}, solved()}) {
    CAPTURE(section.dump());
    CHECK(largest_difference(derivatives(ridge, section, 500), expected) <
          1e-8);
  }
}

TEST_CASE(
    "training without an example agrees with its attribution to first "
    "order",
    "[attribution]") {
  const Ridge ridge(0, kMomentum);
  const Tensor g = derivatives(ridge, {{"type", "unrolled"}}, 500)[0];
  const auto trained_with = [&](std::int64_t example, double p) {
    Tensor weights = at::ones({kExamples}, float64());
    weights[example] = p;
    const TrainState state =
        ridge.loop.steps(ridge.loop.start({{"p", weights}}, Key(7)), 500,
                         {{"p", weights}}, Key(7));
    return ridge.problem->losses(state.weights).mean().item<double>();
  };
  for (std::int64_t i = 0; i < kExamples; ++i) {
    // The error of the prediction is of second order in what is left out.
    const double all = trained_with(i, 1);
    const auto error = [&](double left_out) {
      const double predicted = all - left_out * g[i].item<double>();
      return std::abs(trained_with(i, 1 - left_out) - predicted);
    };
    CHECK(error(1e-4) < 2e-8);
    CHECK(error(1e-4) < 0.02 * error(1e-3) + 1e-14);
  }
}

TEST_CASE(
    "derivatives through a short training agree with central differences "
    "for every choice of checkpoints",
    "[attribution]") {
  const std::int64_t steps = 11;
  for (const Json& rule : {kMomentum, Json{{"type", "adam"}, {"lr", 0.05}}}) {
    const Ridge ridge(5, rule);
    const AttributionTask task = ridge.task(steps);
    const auto value = [&](const Tensor& p) {
      const ParameterSet h{{"p", p}};
      const TrainState end =
          ridge.loop.steps(ridge.loop.start(h, task.run), steps, h, task.run);
      return task.functions[1](end.weights, h).item<double>();
    };
    Tensor expected = at::zeros({kExamples}, float64());
    const Tensor ones = at::ones({kExamples}, float64());
    for (std::int64_t i = 0; i < kExamples; ++i) {
      Tensor unit = at::zeros({kExamples}, float64());
      unit[i] = 1e-5;
      expected[i] = (value(ones + unit) - value(ones - unit)) / 2e-5;
    }
    for (const Json& kept :
         {Json("none"), Json("all"), Json("sqrt"), Json("log"), Json(2)}) {
      CAPTURE(rule.dump(), kept.dump());
      const Json section = {{"type", "unrolled"}, {"checkpoints", kept}};
      CHECK(largest_difference(derivatives(ridge, section, steps)[1],
                               expected) < 1e-6);
    }
  }
}

TEST_CASE(
    "an implicit attribution is that of the loss of all examples, even "
    "where training takes minibatches",
    "[attribution]") {
  const Ridge ridge(5, kMomentum);
  const std::int64_t steps = 9;
  const AttributionTask task = ridge.task(steps);
  const Tensor w = ridge.loop
                       .steps(ridge.loop.start(task.hyper, task.run), steps,
                              task.hyper, task.run)
                       .weights.at("w");
  CHECK(largest_difference(derivatives(ridge, solved(), steps)[0],
                           ridge.problem->closed_form(w, 0, 5)) < 1e-9);
}

TEST_CASE(
    "a pass that is saved and restored after any piece ends with the "
    "same bits",
    "[attribution]") {
  const Ridge ridge(5, kMomentum);
  const std::int64_t steps = 11;
  for (const Json& section :
       {Json{{"type", "unrolled"}},
        Json{{"type", "unrolled"}, {"checkpoints", 2}}, solved()}) {
    CAPTURE(section.dump());
    const auto estimator =
        EstimatorRegistry::instance().make(section, ridge.loop);
    const auto whole = estimator->attribute(ridge.task(steps));
    finish(*whole);
    for (int pieces = 0;; ++pieces) {
      const auto first = estimator->attribute(ridge.task(steps));
      bool ended = false;
      for (int i = 0; i < pieces; ++i) ended = !first->advance();
      const Snapshot saved = save(*first);
      const auto second = estimator->attribute(ridge.task(steps));
      restore(*second, saved);
      CHECK(second->done() == first->done());
      finish(*second);
      for (std::size_t j = 0; j < 2; ++j) {
        CHECK(at::equal(second->gradients()[j].at("p"),
                        whole->gradients()[j].at("p")));
      }
      CHECK(second->values() == whole->values());
      if (ended) break;
    }
  }
}

TEST_CASE("an attribution of training that diverges is refused",
          "[attribution]") {
  const Ridge ridge(0, {{"type", "sgd"}, {"lr", 1e9}});
  for (const Json& section : {Json{{"type", "unrolled"}}, solved()}) {
    const auto estimator =
        EstimatorRegistry::instance().make(section, ridge.loop);
    const auto pass = estimator->attribute(ridge.task(200));
    CHECK_THROWS_WITH(finish(*pass), ContainsSubstring("not finite"));
  }
}

}  // namespace nestgrad
