#include "particles.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "core/hyper_space.h"
#include "core/particles.h"
#include "core/platform/stopwatch.h"
#include "core/training_loop.h"
#include "experiments/data/data.h"
#include "experiments/setup/process.h"
#include "median.h"
#include "resident.h"

namespace nestgrad {
namespace {

constexpr int kWindow = 10;  // steps

/// Vectors of 196 normal numbers, in place of images of 14 x 14 pixels.
class NormalVectors : public DataSource {
 public:
  explicit NormalVectors(const Config&) {}
  static Schema schema() { return Schema("Normal vectors of 196 numbers."); }

  Examples load(const Key& key) const override {
    Dataset data;
    data.inputs = key.normal(at::empty({2000, 196}));
    data.targets = at::arange(2000, at::kLong) % 10;
    data.classes = 10;
    return {data, {}};
  }
};

NESTGRAD_REGISTER(DataRegistry, "normal_vectors", NormalVectors)

/// The time of a window after an equal window, as in training. `window` returns
/// weights.
template <class F>
double milliseconds_per_step(F&& window) {
  wait_for(window());
  const Stopwatch watch;
  wait_for(window());
  return 1e3 * watch.seconds() / kWindow;
}

/// A step of gradient descent for the perceptron 196-32-10, written directly.
void step_by_hand(std::vector<Tensor>& w, const Tensor& x, const Tensor& y,
                  double lr) {
  std::vector<Tensor> leaves;
  for (const Tensor& t : w) leaves.push_back(t.detach().requires_grad_());
  const Tensor hidden = at::linear(x, leaves[0], leaves[1]).relu();
  const Tensor loss =
      at::cross_entropy_loss(at::linear(hidden, leaves[2], leaves[3]), y);
  const auto g = torch::autograd::grad({loss}, leaves);
  const at::NoGradGuard no_tape;
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = w[i] - lr * g[i];
}

std::shared_ptr<const BilevelProblem> perceptron_problem(
    std::int64_t batch, const at::TensorOptions& options) {
  return ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data",
            {{"type", "normal_vectors"},
             {"train", 1000},
             {"valid", 500},
             {"test", 500},
             {"standardize", false}}},
           {"model", {{"type", "mlp"}, {"hidden", {32}}}},
           {"batch", batch}},
      {options, Key(1)});
}

void measure(std::int64_t particles, std::int64_t batch, const Place& place) {
  const at::TensorOptions options = place.options.dtype(at::kFloat);
  const TrainingLoop loop(
      std::make_shared<Reparameterized>(
          perceptron_problem(batch, options),
          std::vector<HyperSpec>{
              {"lr", at::scalar_tensor(0.05, options), Coordinates::log()}}),
      OptimizerRegistry::instance().make(Json{{"type", "sgd"}, {"lr", "$lr"}}),
      Minibatches::kCommon, place.replays());
  const ParameterSet one = loop.problem()->initial_hyper();
  const ParameterSet hyper = repeated(one, particles);
  TrainState all = loop.start(hyper, Key(2), particles);
  all.weights = all.weights.clone();
  const TrainState each = loop.start(one, Key(2));
  const Tensor x = Key(3).normal(at::empty({batch, 196}, options));
  const Tensor y = at::arange(batch, options.dtype(at::kLong)) % 10;

  // A window from the start; returns where a particle ends.
  const auto together = [&] {
    return particle(loop.steps(all, kWindow, hyper, Key(2)).weights, 0)
        .flatten();
  };
  const auto loop_over = [&] {
    Tensor end;
    for (std::int64_t i = 0; i < particles; ++i) {
      end = loop.steps(each, kWindow, one, Key(2)).weights.flatten();
    }
    return end;
  };
  const auto by_hand = [&] {
    std::vector<Tensor> w;
    for (std::int64_t i = 0; i < particles; ++i) {
      w = each.weights.tensors();
      for (int k = 0; k < kWindow; ++k) step_by_hand(w, x, y, 0.05);
    }
    return w.front().flatten();
  };
  by_hand();
  const Tensor expected = loop_over();
  const double difference =
      ((together() - expected).norm() / expected.norm()).item<double>();
  const double memory = peak_mib(together, options.device());
  std::vector<double> ours, loops, hands, ratios, hand_ratios;
  const int rounds = particles > 100 ? 3 : 9;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(milliseconds_per_step(together));
    loops.push_back(milliseconds_per_step(loop_over));
    hands.push_back(milliseconds_per_step(by_hand));
    ratios.push_back(loops.back() / ours.back());
    hand_ratios.push_back(hands.back() / ours.back());
  }
  fmt::print(
      "{:>10}{:>7}{:>12.2f}{:>10.2f}{:>8.1f}{:>12.2f}{:>8.1f}{:>9.1f}"
      "{:>12.1e}\n",
      particles, batch, median(ours), median(loops), median(ratios),
      median(hands), median(hand_ratios), memory, difference);
  std::fflush(stdout);
}

}  // namespace

void measure_particles(const Place& place) {
  prepare_process(0);
  fmt::print("{:>10}{:>7}{:>12}{:>10}{:>8}{:>12}{:>8}{:>9}{:>12}\n",
             "particles", "batch", "together ms", "loop ms", "ratio",
             "by hand ms", "ratio", "MiB", "difference");
  for (const std::int64_t batch : {10, 32, 100}) measure(100, batch, place);
  for (const std::int64_t particles : {10, 1000}) measure(particles, 10, place);
}

}  // namespace nestgrad
