#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "benchmark.h"
#include "core/nn/penalty.h"
#include "core/training_loop.h"
#include "experiments/data/arrays/idx_file.h"

namespace nestgrad {
namespace {

constexpr std::int64_t kFirstValid = 50000;
constexpr std::int64_t kClasses = 10;
constexpr double kPlainRate = 0.05;

/// Pixels are divided by 255 in float32 for either type.
Dataset part(const Dataset& bytes, std::int64_t first, std::int64_t n,
             const at::TensorOptions& options) {
  return {(bytes.inputs.narrow(0, first, n).to(at::kFloat) / 255).to(options),
          bytes.targets.narrow(0, first, n)
              .to(options.device(), /*non_blocking=*/
                  false, /*copy=*/true),
          kClasses};
}

/// Weights uniform within 1 / sqrt(inputs of the layer). `layout`: alternately
/// a weight and a bias.
ParameterSet uniform_weights(const ParameterSet& layout, std::uint64_t seed,
                             const at::TensorOptions& options) {
  std::vector<Tensor> out;
  double bound = 0;
  for (std::size_t k = 0; k < layout.size(); ++k) {
    const Tensor& like = layout.tensors()[k];
    if (like.dim() > 1) {
      const std::int64_t inputs = like.numel() / like.size(0);
      bound = 1 / std::sqrt(static_cast<double>(inputs));
    }
    out.push_back(uniform(seed + k, like.sizes(), bound, options));
  }
  return layout.with(std::move(out));
}

}  // namespace

Tensor uniform(std::uint64_t seed, at::IntArrayRef sizes, double bound,
               const at::TensorOptions& options) {
  const Tensor out = at::empty(sizes, at::kFloat);
  auto* numbers = out.data_ptr<float>();
  std::uint64_t state = seed;
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    const double unit = std::ldexp(static_cast<double>(z >> 11), -53);
    numbers[i] = static_cast<float>((2 * unit - 1) * bound);
  }
  return out.to(options);
}

Images::Images(const Choice& choice, const at::TensorOptions& options)
    : batch_(choice.batch),
      model_(ModelRegistry::instance().make(choice.model, {1, 28, 28},
                                            {kClasses})) {
  const std::string files = "/usr/share/datasets/fashion-mnist/train-";
  const Dataset bytes =
      read_idx(files + "images-idx3-ubyte.gz", files + "labels-idx1-ubyte.gz");
  train_ = part(bytes, 0, choice.train, options);
  valid_ = part(bytes, kFirstValid, choice.valid, options);
  start_ =
      uniform_weights(model_->initial_weights(Key()), choice.seed, options);
}

std::vector<Hyperparameter> Images::hyperparameters() const {
  Hyperparameter decay;
  decay.name = "weight_decay";
  decay.meaning = "Factor d of the penalty d w^2 / 2 on the weights.";
  decay.initial = at::scalar_tensor(1e-4);
  decay.coordinates = Coordinates::log();
  decay.granularities = weight_granularities(start_);
  decay.optional = true;
  return {decay};
}

ParameterSet Images::initial_weights(const ParameterSet&, const Key&) const {
  return start_;
}

Batch Images::batch(std::int64_t step) const {
  const std::int64_t first = batch_ * (step % (train_.size() / batch_));
  return {train_.inputs.narrow(0, first, batch_),
          train_.targets.narrow(0, first, batch_), Tensor()};
}

Tensor Images::train_loss(const ParameterSet& weights,
                          const ParameterSet& hyper, const Draw& draw) const {
  const Batch rows = batch(draw.step);
  const Tensor loss = at::cross_entropy_loss(
      model_->forward(weights, rows.input, {/*training=*/true, draw.key}),
      rows.target);
  return hyper.contains("weight_decay")
             ? loss + l2_penalty(weights, hyper.at("weight_decay"))
             : loss;
}

Tensor Images::valid_loss(const ParameterSet& weights, const ParameterSet&,
                          const Draw&) const {
  return at::cross_entropy_loss(model_->forward(weights, valid_.inputs, Pass()),
                                valid_.targets);
}

Contest plain_training(std::shared_ptr<const Images> problem, Network network,
                       int steps, const Place& place) {
  const auto loop =
      std::make_shared<TrainingLoop>(problem,
                                     OptimizerRegistry::instance().make(Json{
                                         {"type", "sgd"}, {"lr", kPlainRate}}),
                                     Minibatches::kCommon, place.replays());
  return {[=] {
            TrainState state = loop->start({}, Key());
            for (int i = 0; i < steps; ++i)
              state = loop->step(state, {}, Key());
            return state.weights.flatten();
          },
          [=] {
            ParameterSet w = problem->start().clone();
            for (const Tensor& t : w.tensors()) t.requires_grad_();
            for (int i = 0; i < steps; ++i) {
              const Batch rows = problem->batch(i);
              const Tensor loss = at::cross_entropy_loss(
                  network(w.tensors(), rows.input), rows.target);
              const auto g = torch::autograd::grad({loss}, w.tensors());
              const at::NoGradGuard no_tape;
              for (std::size_t k = 0; k < g.size(); ++k) {
                w.tensors()[k].sub_(g[k], kPlainRate);
              }
            }
            return w.detach().flatten();
          }};
}

}  // namespace nestgrad
