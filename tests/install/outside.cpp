// A method in one file outside of nestgrad's own tree: the hypergradient of a
// fixed-length window by forward differences. It is registered, made by name
// and compared with the library's own central differences.

#include <ATen/ATen.h>
#include <nestgrad/core/hyper_space.h>
#include <nestgrad/experiments/quadratic.h>
#include <nestgrad/hypergrad/window_estimator.h>

#include <cstdio>

namespace nestgrad {
namespace {

class ForwardDifference : public WindowEstimator {
 public:
  ForwardDifference(const Config& config, const TrainingLoop& loop)
      : WindowEstimator(config, loop) {}

  static Schema schema() { return Schema("Forward differences of a window."); }

 private:
  Estimate differentiate(const ParameterSet& hyper) override {
    run_.advance(hyper);
    const Objective loss = claim();  // h -> L(w_T(h), h), trained again
    const double here = loss(hyper), step = 1e-7;
    const Tensor h = hyper.flatten();
    const Tensor gradient = at::zeros_like(h);
    for (std::int64_t i = 0; i < h.numel(); ++i) {
      Tensor moved = h.clone();
      moved[i] += step;
      gradient[i] = (loss(hyper.unflatten(moved)) - here) / step;
    }
    return {hyper.unflatten(gradient), here};
  }
};

NESTGRAD_REGISTER(EstimatorRegistry, "forward_difference", ForwardDifference)

Tensor estimate(const std::string& name, const TrainingLoop& loop,
                const ParameterSet& hyper) {
  const auto estimator = EstimatorRegistry::instance().make(
      Json{{"type", name}, {"window", 20}}, loop);
  estimator->begin(hyper, Key(1));
  return estimator->estimate(hyper).gradient.flatten();
}

}  // namespace
}  // namespace nestgrad

int main() {
  using namespace nestgrad;
  const auto type = at::TensorOptions().dtype(at::kDouble);
  const auto problem = std::make_shared<Reparameterized>(
      std::make_shared<Quadratic>(ridge_terms(RidgeOptions(), type)),
      std::vector<HyperSpec>{
          {"weight_decay", at::scalar_tensor(0.1, type), Coordinates::log()}});
  const TrainingLoop loop(problem, OptimizerRegistry::instance().make(
                                       Json{{"type", "sgd"}, {"lr", 0.1}}));
  const ParameterSet hyper = problem->initial_hyper();
  const double mine =
      estimate("forward_difference", loop, hyper).item<double>();
  const double reference =
      estimate("finite_difference", loop, hyper).item<double>();
  std::printf("%.8f %.8f\n", mine, reference);
  return std::abs(mine - reference) < 1e-5 * std::abs(reference) ? 0 : 1;
}
