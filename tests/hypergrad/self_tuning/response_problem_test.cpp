#include "hypergrad/self_tuning/response_problem.h"

#include "core/nn/layers/shapes.h"
#include "core/nn/model.h"
#include "core/tensor/autodiff.h"
#include "tests/kit/bench.h"
#include "tests/support/support.h"
#include "tests/support/temporary_folder.h"

namespace nestgrad {
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
  ProblemAbilities abilities() const override {
    ProblemAbilities out;
    out.responding_examples = {6, 6};
    return out;
  }

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

/// Says where hyperparameters start, which a ResponseProblem asks for. It gives
/// no example weights of its own.
class Given : public ProblemDecorator {
 public:
  using ProblemDecorator::ProblemDecorator;
  ProblemAbilities abilities() const override { return {}; }
  ParameterSet initial_hyper() const override {
    return {{"p", at::zeros({}, float64())},
            {"alpha", at::zeros({}, float64())},
            {"weight_decay", at::zeros({}, float64())}};
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
  const std::int64_t weights = GENERATE(2, 9);
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
      {float64(),
       Key(1),
       {{"example_weight", weights == 2 ? "class" : "example"}}});
  const BatchSizes sizes = problem->abilities().responding_examples;
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
  CHECK(problem->abilities().responding_examples.train == 31);
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  const ParameterSet w = problem->initial_weights({}, Key(1));
  const ParameterSet map = Key(2).normal(rows->initial(w, 3, Key()));
  const auto layout = [](double rate) {
    return ParameterSet{{"p", at::scalar_tensor(rate, float64())},
                        {"alpha", at::scalar_tensor(0.2, float64())},
                        {"weight_decay", at::scalar_tensor(0.1, float64())}};
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

TEST_CASE("a minibatch shares one perturbation if that is asked for", "[stn]") {
  const auto problem = std::make_shared<Images>(0);
  const std::shared_ptr<const Response> rows =
      ResponseRegistry::instance().make(Json{{"type", "rows"}});
  ParameterSet hyper = problem->initial_hyper();
  hyper.insert(ResponseProblem::kDeviation, at::tensor({2.0}, float64()));
  const Shown each(problem, rows, 1);
  CHECK(each.per_example());
  CHECK(each.perturbed(hyper, Key(1)).size(0) == 6);
  const Shown shared(problem, rows, 2, /*per_example=*/false);
  CHECK_FALSE(shared.per_example());
  CHECK(shared.perturbed(hyper, Key(1)).size(0) == 2);
}

}  // namespace nestgrad
