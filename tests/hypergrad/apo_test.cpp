#include "core/hyper_space.h"
#include "hypergrad/estimator.h"
#include "hypergrad/outer_loop.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kSize = 6;

/// Curvature from 1/2 to 4, eight times.
Tensor curvature() {
  return at::diag(at::logspace(-1, 2, kSize, 2, float64()));
}

/// w'G w / 2 - b'w with another normal b for each minibatch, so that gradients
/// span everything; the model's outputs are G^(1/2) w.
class NoisyQuadratic : public BilevelProblem {
 public:
  std::vector<Hyperparameter> hyperparameters() const override { return {}; }

  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return {{"w", at::zeros({kSize}, float64())}};
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw& draw) const override {
    const Tensor& w = weights.at("w");
    const Tensor b = 4 * draw.key.normal(w.detach());
    return 0.5 * at::dot(w, at::mv(curvature(), w)) - at::dot(b, w);
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return weights.at("w").square().sum();
  }

  Tensor outputs(const ParameterSet& weights, const ParameterSet&,
                 const Draw&) const override {
    return at::mv(curvature().sqrt(), weights.at("w")).unsqueeze(0);
  }
};

/// The preconditioner that apo finds, as a matrix.
Tensor found_preconditioner(bool linearized) {
  const std::shared_ptr<const Optimizer> rule =
      OptimizerRegistry::instance().make(
          Json{{"type", "kronecker"}, {"preconditioner", "$p"}, {"lr", 0.1}});
  const auto natural = std::make_shared<NoisyQuadratic>();
  const ParameterSet weights = natural->initial_weights({}, Key());
  const HyperSpec spec{"p", rule->hyperparameters(weights).front().initial};
  const auto problem =
      std::make_shared<Reparameterized>(natural, std::vector<HyperSpec>{spec});
  const TrainingLoop loop(problem, rule);
  const auto estimator =
      EstimatorRegistry::instance().make({{"type", "apo"},
                                          {"window", 1},
                                          {"function_space", 1},
                                          {"weight_space", 0.5},
                                          {"discrepancy", "squared_error"},
                                          {"linearized", linearized}},
                                         loop);
  constexpr std::int64_t kSteps = 4000;
  OuterLoop outer(
      *estimator, *problem,
      OuterRule(OptimizerRegistry::instance().make(Json{
          {"type", "adam"},
          {"lr", {{"type", "cosine"}, {"initial", 0.02}, {"steps", kSteps}}}})),
      kSteps);
  outer.begin(problem->initial_hyper(), Key(3));
  const ParameterSet found = outer.run().hyper;
  // P, column by column.
  std::vector<Tensor> columns;
  for (std::int64_t i = 0; i < kSize; ++i) {
    const ParameterSet unit{{"w", at::eye(kSize, float64())[i].clone()}};
    columns.push_back(
        -rule->step({weights, {}, 0}, unit, found).weights.at("w"));
  }
  return at::stack(columns, 1);
}

}  // namespace

TEST_CASE("apo finds the preconditioner that its theory says", "[apo]") {
  const Tensor one = at::eye(kSize, float64());
  const Tensor linear = at::inverse(curvature() + 0.5 * one);
  const Tensor exact = at::inverse(2 * curvature() + 0.5 * one);
  const Tensor by_linear = found_preconditioner(true);
  CHECK(relative_error(by_linear, linear) < 0.01);
  const Tensor by_loss = found_preconditioner(false);
  CHECK(relative_error(by_loss, exact) < 0.01);
  // They are not the same.
  CHECK(relative_error(by_loss, linear) > 0.3);
}

TEST_CASE("apo gives each tensor a learning rate of its own", "[apo]") {
  // Two weights of curvature 1 and 100 in tensors of their own: the best rates
  // are as far apart.
  class Two : public NoisyQuadratic {
   public:
    ParameterSet initial_weights(const ParameterSet&,
                                 const Key&) const override {
      return {{"flat", at::zeros({3}, float64())},
              {"steep", at::zeros({3}, float64())}};
    }
    Tensor train_loss(const ParameterSet& weights, const ParameterSet&,
                      const Draw& draw) const override {
      const ParameterSet b = draw.key.normal(weights.detach());
      return 0.5 * weights.at("flat").square().sum() +
             50 * weights.at("steep").square().sum() - dot(b, weights);
    }
    Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                      const Draw&) const override {
      return dot(weights, weights);
    }
  };
  const Json entry = {
      {"hyperparameters", {{"lr", {{"initial", 0.01}, {"per", "tensor"}}}}}};
  const Config config(complete(
      Schema("").map("hyperparameters", hyper_spec_schema(), kRequired, ""),
      entry));
  const auto natural = std::make_shared<Two>();
  const auto problem = std::make_shared<Reparameterized>(
      natural, read_hyper_space(config.object("hyperparameters"), *natural,
                                {"lr"}, float64()));
  for (const char* type : {"sgd", "rmsprop", "adam"}) {
    CAPTURE(type);
    const TrainingLoop loop(problem, OptimizerRegistry::instance().make(
                                         Json{{"type", type}, {"lr", "$lr"}}));
    const auto estimator =
        EstimatorRegistry::instance().make({{"type", "apo"},
                                            {"window", 1},
                                            {"function_space", 0},
                                            {"weight_space", 0.1}},
                                           loop);
    OuterLoop outer(*estimator, *problem,
                    OuterRule(OptimizerRegistry::instance().make(
                        Json{{"type", "rmsprop"},
                             {"lr", 0.02},
                             {"alpha", 0.9},
                             {"warm_start", true}})),
                    600);
    outer.begin(problem->initial_hyper(), Key(3));
    const Tensor lr = problem->natural(outer.run().hyper).at("lr").flatten();
    CAPTURE(lr[0].item<double>(), lr[1].item<double>());
    REQUIRE(lr.numel() == 2);
    CHECK((lr[0] / lr[1]).item<double>() > 5);
    if (std::string(type) != "sgd") continue;
    // Q is least at 1 / (curvature + 0.1), at whatever weights.
    CHECK(lr[0].item<double>() == Approx(1 / 1.1).epsilon(0.1));
    CHECK(lr[1].item<double>() == Approx(1 / 100.1).epsilon(0.1));
  }
}

}  // namespace nestgrad
