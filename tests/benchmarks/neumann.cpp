#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "benchmark.h"
#include "core/hyper_space.h"
#include "hypergrad/implicit/implicit_system.h"

namespace nestgrad {
namespace {

constexpr double kLogDecay = -6;

struct Series {
  std::int64_t terms;
  double scale;
};

/// Through the library: the work of the estimator "ift" when the weights do not
/// move.
Run library(std::shared_ptr<const Images> images, const Tensor& decay,
            Series series, const Place& place) {
  const auto problem = std::make_shared<Reparameterized>(
      images, std::vector<HyperSpec>{
                  {"weight_decay", decay.exp(), Coordinates::log()}});
  const auto loop = std::make_shared<TrainingLoop>(
      problem, OptimizerRegistry::instance().make(Json{{"type", "sgd"}}),
      Minibatches::kCommon, place.replays());
  const std::shared_ptr<InverseHessian> solver =
      InverseHessianRegistry::instance().make(Json{{"type", "neumann"},
                                                   {"terms", series.terms},
                                                   {"scale", series.scale}});
  const ParameterSet hyper{{"weight_decay", decay}};
  return [=] {
    InnerRun run(*loop, Truncation());
    run.begin(hyper, Key());
    const ParameterSet w = run.state().weights.leaves();
    const ParameterSet h = hyper.leaves();
    const Partials direct =
        partials(problem->valid_loss(w, h, run.draw("valid")), w, h);
    const ImplicitSystem system = ImplicitSystem::stationarity(run, hyper);
    const Solution q =
        solver->solve(system.transposed(), system.embed(direct.weights));
    return (direct.hyper - system.hyper_transposed(q.x)).flatten();
  };
}

/// `decay` holds the logarithms for each weight tensor: one number, or one per
/// weight.
Run by_hand(std::shared_ptr<const Images> images, Network network,
            std::vector<Tensor> decay, Series series) {
  return [=] {
    using torch::autograd::grad;
    const std::vector<Tensor> w = images->start().leaves().tensors();
    std::vector<Tensor> h;
    for (const Tensor& d : decay) h.push_back(d.detach().requires_grad_());

    const auto valid = at::cross_entropy_loss(
        network(w, images->valid().inputs), images->valid().targets);
    std::vector<Tensor> term = grad({valid}, w);
    std::vector<Tensor> sum;
    for (const Tensor& t : term) sum.push_back(t.clone());

    const Batch rows = images->batch(0);
    Tensor loss = at::cross_entropy_loss(network(w, rows.input), rows.target);
    for (std::size_t k = 0; k < w.size(); ++k) {
      const Tensor d = h[k].exp();
      loss = loss + 0.5 * (h[k].dim() == 0 ? d * (w[k] * w[k]).sum()
                                           : (d * (w[k] * w[k])).sum());
    }
    const auto g = grad({loss}, w, {}, /*retain_graph=*/true,
                        /*create_graph=*/true);
    for (std::int64_t j = 0; j < series.terms; ++j) {
      const auto product = grad(g, w, term, /*retain_graph=*/true);
      for (std::size_t k = 0; k < w.size(); ++k) {
        term[k].sub_(product[k], series.scale);
        sum[k].add_(term[k]);
      }
    }
    for (const Tensor& t : sum) t.mul_(-series.scale);
    std::vector<Tensor> out = grad(g, h, sum);
    for (Tensor& t : out) t = t.reshape(-1);
    return at::cat(out);
  };
}

/// 784-512-512-10.
Tensor perceptron(const std::vector<Tensor>& w, const Tensor& images) {
  Tensor x = images.view({images.size(0), 784});
  x = at::relu(at::linear(x, w[0], w[1]));
  x = at::relu(at::linear(x, w[2], w[3]));
  return at::linear(x, w[4], w[5]);
}

/// Three convolutions, one pooling, one linear layer.
Tensor convolutional(const std::vector<Tensor>& w, const Tensor& images) {
  Tensor x = at::relu(at::conv2d(images, w[0], w[1], 1, 1));
  x = at::max_pool2d(at::relu(at::conv2d(x, w[2], w[3], 1, 1)), 2);
  x = at::relu(at::conv2d(x, w[4], w[5], 1, 1));
  return at::linear(x.view({images.size(0), 12544}), w[6], w[7]);
}

std::shared_ptr<const Images> perceptron_problem(const Place& place) {
  return std::make_shared<Images>(
      Images::Choice{Json{{"type", "mlp"}, {"hidden", {512, 512}}}, 1000, 256,
                     256, 256},
      place.options);
}

std::shared_ptr<const Images> convolutional_problem(const Place& place) {
  const auto convolution = [](int out) {
    return Json{{"type", "conv2d"}, {"out", out}, {"padding", 1}};
  };
  const Json layers{
      convolution(32), "relu",       convolution(32),
      "relu",          "max_pool2d", convolution(64),
      "relu",          "flatten",    Json{{"type", "linear"}, {"out", 10}}};
  return std::make_shared<Images>(
      Images::Choice{Json{{"type", "sequential"}, {"layers", layers}}, 6000, 64,
                     64, 64},
      place.options);
}

Contest per_weight(const Place& place) {
  const auto images = perceptron_problem(place);
  const Tensor decay =
      at::full({images->start().numel()}, kLogDecay, place.options);
  const Series series{20, 0.1};
  return {library(images, decay, series, place),
          by_hand(images, perceptron, spread(decay, images->start()), series)};
}

Contest per_tensor(const Place& place) {
  const auto images = convolutional_problem(place);
  const auto tensors = static_cast<std::int64_t>(images->start().size());
  const Tensor decay = at::full({tensors}, kLogDecay, place.options);
  const Series series{10, 0.01};
  return {library(images, decay, series, place),
          by_hand(images, convolutional, decay.unbind(), series)};
}

}  // namespace

std::vector<Workload> neumann_workloads() {
  return {{"W1", 9, 1, per_weight},
          {"W1 step", 9, 10,
           [](const Place& place) {
             return plain_training(perceptron_problem(place), perceptron, 10,
                                   place);
           }},
          {"W6", 5, 1, per_tensor},
          {"W6 step", 7, 3, [](const Place& place) {
             return plain_training(convolutional_problem(place), convolutional,
                                   3, place);
           }}};
}

}  // namespace nestgrad
