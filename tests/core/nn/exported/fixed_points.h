#pragma once

#include "core/tensor/autodiff.h"
#include "tests/core/nn/exported/archives.h"
#include "tests/kit/bench.h"

namespace nestgrad {

/// A network that classifies fixed points, with one decay for all weights. Its
/// training starts at given weights. float64.
class FixedPoints : public BilevelProblem {
 public:
  FixedPoints(std::shared_ptr<const Model> model, const Tensor& inputs,
              std::int64_t classes, ParameterSet start)
      : model_(std::move(model)), start_(std::move(start)) {
    inputs_ = inputs.is_floating_point() ? inputs.to(at::kDouble) : inputs;
    targets_ = at::arange(inputs.size(0)).remainder(classes);
    if (!inputs.is_floating_point()) targets_ = inputs.remainder(classes);
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter decay;
    decay.name = "weight_decay";
    decay.initial = at::scalar_tensor(0.01, float64());
    decay.coordinates = Coordinates::log();
    return {decay};
  }
  ParameterSet initial_weights(const ParameterSet&, const Key&) const override {
    return start_;
  }
  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return loss(weights, 0, draw) +
           0.5 * hyper.at("weight_decay") * dot(weights, weights);
  }
  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw& draw) const override {
    return loss(weights, 1, draw);
  }

 private:
  /// Of one half of the points.
  Tensor loss(const ParameterSet& weights, std::int64_t half,
              const Draw& draw) const {
    const std::int64_t n = inputs_.size(0) / 2;
    Pass pass;
    pass.training = true;
    pass.key = draw.key;
    const Tensor y =
        model_->forward(weights, inputs_.narrow(0, half * n, n), pass);
    return at::cross_entropy_loss(y.flatten(0, -2),
                                  targets_.narrow(0, half * n, n).flatten());
  }

  std::shared_ptr<const Model> model_;
  ParameterSet start_;
  Tensor inputs_, targets_;
};

inline Tensor hypergradient(std::shared_ptr<const Model> model,
                            const std::string& name, const ParameterSet& start,
                            std::int64_t classes, const Json& estimator) {
  const Bench bench =
      with_rule(std::make_shared<FixedPoints>(
                    std::move(model), exported_input(name), classes, start),
                at::scalar_tensor(0.01, float64()),
                {{"type", "sgd"}, {"lr", "$lr"}, {"momentum", 0.5}});
  const auto made = EstimatorRegistry::instance().make(estimator, *bench.loop);
  made->begin(bench.hyper, Key(7));
  made->estimate(bench.hyper);
  return made->estimate(bench.hyper).gradient.flatten();
}

/// The exported network and `other`, which is the same network in another form.
inline void check_same_hypergradient(const std::string& name,
                                     std::shared_ptr<const Model> other,
                                     std::int64_t classes) {
  const std::shared_ptr<const Model> exported = load_exported(name);
  const ParameterSet start = exported->initial_weights(Key()).to(float64());
  const ParameterSet of_other =
      other->initial_weights(Key()).to(float64()).with(start.tensors());
  for (const Json& estimator :
       {Json{{"type", "unrolled"}, {"window", 3}},
        Json{
            {"type", "ift"},
            {"window", 3},
            {"solver", {{"type", "conjugate_gradient"}, {"iterations", 4}}}}}) {
    CAPTURE(name, estimator.dump());
    const Tensor expected =
        hypergradient(other, name, of_other, classes, estimator);
    const Tensor got = hypergradient(exported, name, start, classes, estimator);
    CHECK(expected.norm().item<double>() > 1e-6);
    CHECK(relative_error(got, expected) < 1e-10);
  }
}

}  // namespace nestgrad
