#include "experiments/problems/quadratic.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "core/nn/penalty.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {
namespace {

constexpr const char* kPenaltyMeaning = "Factor d of the penalty d w^2 / 2.";

}  // namespace

Quadratic::Quadratic(Terms terms)
    : terms_(std::move(terms)), half_a_(0.5 * terms_.a), minus_b_(-terms_.b) {}

std::vector<Hyperparameter> Quadratic::hyperparameters() const {
  Hyperparameter decay;
  decay.name = "weight_decay";
  decay.meaning = kPenaltyMeaning;
  decay.initial = at::scalar_tensor(terms_.decay, terms_.a.options());
  decay.coordinates = Coordinates::log();
  decay.granularities = {{"all", 1}, {"weight", terms_.b.size(0)}};
  return {decay};
}

ParameterSet Quadratic::initial_weights(const ParameterSet&, const Key&) const {
  return {{"w", at::zeros_like(terms_.b)}};
}

Tensor Quadratic::train_loss(const ParameterSet& given,
                             const ParameterSet& hyper,
                             const Draw& draw) const {
  // The outputs of the model are its weights.
  const ParameterSet weights = to_first_order(given);
  return output_loss(weights.at("w"), hyper, draw) +
         l2_penalty(weights, hyper.at("weight_decay"), draw.particles) +
         terms_.c;
}

ParameterSet Quadratic::train_gradient(const ParameterSet& weights,
                                       const ParameterSet& hyper,
                                       const Draw& draw) const {
  const Tensor& w = weights.at("w");
  const Tensor decay =
      spread(hyper.at("weight_decay"), weights, draw.particles).front();
  const Tensor without = draw.particles > 0
                             ? at::addmm(minus_b_, w, terms_.a.t())
                             : at::addmv(minus_b_, terms_.a, w);
  return weights.with({at::addcmul(without, decay, w)});
}

ProblemAbilities Quadratic::abilities() const {
  ProblemAbilities out;
  out.particles = out.groups = true;
  out.outputs = true;
  return out;
}

Tensor Quadratic::outputs(const ParameterSet& weights, const ParameterSet&,
                          const Draw&) const {
  return weights.at("w");
}

Tensor Quadratic::output_loss(const Tensor& w, const ParameterSet&,
                              const Draw& draw) const {
  if (draw.particles > 0) {
    return (w * at::addmm(minus_b_, w, half_a_.t())).sum(1);
  }
  return at::dot(w, at::addmv(minus_b_, half_a_, w));
}

Tensor Quadratic::valid_loss(const ParameterSet& weights, const ParameterSet&,
                             const Draw& draw) const {
  if (draw.particles > 0) {
    const Tensor errors = at::mm(weights.at("w"), terms_.v.t()) - terms_.t;
    return 0.5 * terms_.scale * errors.square().sum(1);
  }
  const Tensor error = at::mv(terms_.v, weights.at("w")) - terms_.t;
  return 0.5 * terms_.scale * at::dot(error, error);
}

Metrics Quadratic::evaluate(const ParameterSet& weights,
                            const ParameterSet& hyper) const {
  const Tensor best = solution(hyper);
  return {{"train_loss", train_loss(weights, hyper, Draw()).item<double>()},
          {"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()},
          {"distance_to_optimum",
           ((weights.at("w") - best).norm() / best.norm()).item<double>()}};
}

Tensor Quadratic::decayed(const ParameterSet& hyper) const {
  return terms_.a +
         at::diag(hyper.at("weight_decay").detach().expand_as(terms_.b));
}

Tensor Quadratic::solution(const ParameterSet& hyper) const {
  return at::linalg_solve(decayed(hyper), terms_.b);
}

ParameterSet Quadratic::hypergradient(const ParameterSet& hyper) const {
  const Tensor w = solution(hyper);
  const Tensor outer =
      terms_.scale * at::mv(terms_.v.t(), at::mv(terms_.v, w) - terms_.t);
  const Tensor per_weight = -w * at::linalg_solve(decayed(hyper), outer);
  const bool one = hyper.at("weight_decay").numel() == 1;
  return hyper.with(
      {one ? per_weight.sum().view(hyper.at("weight_decay").sizes())
           : per_weight});
}

Quadratic::Terms ridge_terms(const RidgeOptions& options,
                             const at::TensorOptions& type) {
  const at::Generator generator = at::detail::createCPUGenerator(options.seed);
  const auto normal = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, generator, at::TensorOptions().dtype(at::kDouble));
  };
  const std::int64_t n = options.examples, d = options.features;
  const Tensor x = normal({n, d});
  const Tensor truth = normal({d});
  const Tensor y = at::mv(x, truth) + options.noise * normal({n});
  const Tensor v = normal({options.valid_examples, d});
  const Tensor t =
      at::mv(v, truth) + options.noise * normal({options.valid_examples});

  Quadratic::Terms terms;
  const auto scale = 1.0 / static_cast<double>(n);
  terms.a = (scale * at::mm(x.t(), x)).to(type);
  terms.b = (scale * at::mv(x.t(), y)).to(type);
  terms.c = 0.5 * scale * at::dot(y, y).item<double>();
  terms.v = v.to(type);
  terms.t = t.to(type);
  terms.scale = 1.0 / static_cast<double>(options.valid_examples);
  terms.decay = std::exp(-2.0);
  return terms;
}

namespace {

/// A quadratic of any size, given by its coefficients.
class GivenQuadratic : public Quadratic {
 public:
  GivenQuadratic(const Config& config, const ProblemContext& context)
      : Quadratic(read(config, context.options)) {}

  static Schema schema() {
    return Schema(
               "A quadratic with a closed-form solution, given by its "
               "coefficients.")
        .tunes("weight_decay", kPenaltyMeaning)
        .numbers(
            "matrix", Json{2, 0.5, 0.5, 1},
            "A, row by row: the training loss is w'A w / 2 - b'w plus decay.")
        .numbers("linear", Json{1, -1}, "b.")
        .numbers("target", Json{0.5, 0.5},
                 "t: the validation loss is |w - t|^2 / 2.");
  }

 private:
  static Terms read(const Config& config, const at::TensorOptions& options) {
    const std::vector<double> matrix = config.numbers("matrix"),
                              linear = config.numbers("linear"),
                              target = config.numbers("target");
    const std::size_t d = linear.size();
    if (matrix.size() != d * d) {
      config.fail("matrix", fmt::format("must have {} numbers, {} for each of "
                                        "the {} in \"linear\"; has {}",
                                        d * d, d, d, matrix.size()));
    }
    if (target.size() != d) {
      config.fail("target",
                  fmt::format("must have {} numbers, like \"linear\"; has {}",
                              d, target.size()));
    }
    const auto size = static_cast<std::int64_t>(d);
    Terms terms;
    terms.a = at::tensor(matrix, at::kDouble).view({size, size}).to(options);
    if (!at::equal(terms.a, terms.a.t())) {
      config.fail("matrix", "must be symmetric");
    }
    terms.b = at::tensor(linear, at::kDouble).to(options);
    terms.v = at::eye(size, options);
    terms.t = at::tensor(target, at::kDouble).to(options);
    return terms;
  }
};

class Ridge : public Quadratic {
 public:
  Ridge(const Config& config, const ProblemContext& context)
      : Quadratic(ridge_terms(read(config), context.options)) {}

  static Schema schema() {
    const RidgeOptions defaults;
    return Schema(
               "Ridge regression on synthetic data, with a closed-form "
               "solution.")
        .tunes("weight_decay", kPenaltyMeaning)
        .integer("examples", defaults.examples, "Number of training examples.",
                 at_least(1))
        .integer("valid_examples", defaults.valid_examples,
                 "Number of validation examples.", at_least(1))
        .integer("features", defaults.features, "Number of weights.",
                 at_least(1))
        .number("noise", defaults.noise, "Standard deviation of the noise.",
                at_least(0))
        .integer("data_seed", 0, "Seed of the data.", from_to(0, 4294967295.0));
  }

 private:
  static RidgeOptions read(const Config& config) {
    return {config.integer("examples"), config.integer("valid_examples"),
            config.integer("features"), config.number("noise"),
            static_cast<std::uint64_t>(config.integer("data_seed"))};
  }
};

NESTGRAD_REGISTER(ProblemRegistry, "quadratic", GivenQuadratic)
NESTGRAD_REGISTER(ProblemRegistry, "ridge", Ridge)

}  // namespace
}  // namespace nestgrad
