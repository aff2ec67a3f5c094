#include <ATen/ATen.h>

#include "core/nn/evolved_loss.h"
#include "core/nn/model.h"
#include "core/nn/weight_forms.h"
#include "core/tensor/autodiff.h"
#include "core/training_loop.h"
#include "tests/kit/numbers.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

struct Wrapped {
  Json layer;
  Shape input;
};

std::vector<Wrapped> wrapped() {
  return {{{{"type", "linear"}, {"out", 3}}, {4}},
          {{{"type", "linear"}, {"out", 3}, {"bias", false}}, {5, 4}},
          {{{"type", "conv2d"}, {"out", 3}, {"kernel", 2}}, {2, 4, 4}},
          {{{"type", "lstm"}, {"hidden", 3}, {"output", "all"}}, {5, 4}},
          {{{"type", "layer_norm"}}, {4}},
          {{{"type", "attention"}, {"heads", 2}}, {5, 4}}};
}

std::unique_ptr<Layer> flipout(const Wrapped& w, const Json& deviation = 0.3) {
  return LayerRegistry::instance().make(
      Json{{"type", "flipout"}, {"deviation", deviation}, {"layer", w.layer}},
      w.input);
}

Tensor batch_for(const Wrapped& w, std::int64_t examples) {
  Shape sizes = w.input;
  sizes.insert(sizes.begin(), examples);
  return Key(3).normal(at::empty(sizes, float64()));
}

Pass training(const Key& key) {
  Pass pass;
  pass.training = true;
  pass.key = key;
  return pass;
}

/// Noise whose rows and columns have these signs.
Tensor with_signs(const Tensor& noise, const Tensor& rows,
                  const Tensor& columns) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(noise.dim()), 1);
  sizes[0] = noise.size(0);
  Tensor out = noise * rows.reshape(sizes);
  if (noise.dim() > 1) {
    sizes[0] = 1;
    sizes[1] = noise.size(1);
    out = out * columns.reshape(sizes);
  }
  return out;
}

/// The noise of one example of a batch, of deviation 0.3, of weights with
/// `key`.
ParameterSet noise_of(const ParameterSet& weights, const Key& key,
                      std::int64_t n, std::int64_t examples) {
  std::vector<Tensor> own;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor& t = weights.tensors()[i];
    const Tensor noise = 0.3 * key.fold("noise").fold(i).normal(t);
    const auto drawn = [&](const char* name, std::int64_t axis) {
      return key.fold("signs").fold(i).fold(name).signs(
          at::empty({examples, t.size(axis)}, float64()))[n];
    };
    own.push_back(with_signs(noise, drawn("rows", 0),
                             t.dim() > 1 ? drawn("columns", 1) : Tensor()));
  }
  return weights.with(std::move(own));
}

/// The loss of each example, [examples].
Tensor losses_of(const Tensor& outputs) {
  return (outputs.reshape({outputs.size(0), -1}) - 0.4).square().sum(1).sin();
}

}  // namespace

TEST_CASE("flipout gives each example weights with signs of its own",
          "[flipout]") {
  constexpr std::int64_t kExamples = 4;
  for (const Wrapped& w : wrapped()) {
    CAPTURE(w.layer.dump());
    const auto noisy = flipout(w);
    const auto plain = LayerRegistry::instance().make(w.layer, w.input);
    const ParameterSet weights = noisy->initial_weights(Key(1)).to(float64());
    const Tensor x = batch_for(w, kExamples);
    const Key key(7);
    const Tensor y = noisy->apply(SharedWeights(weights), x, training(key));

    for (std::int64_t n = 0; n < kExamples; ++n) {
      const ParameterSet own = weights + noise_of(weights, key, n, kExamples);
      const Tensor alone =
          plain->apply(SharedWeights(own), x.narrow(0, n, 1), Pass());
      CHECK(relative_error(y.narrow(0, n, 1), alone) < 1e-13);
    }
    // Outside of training there is no noise.
    CHECK(at::equal(noisy->apply(SharedWeights(weights), x, Pass()),
                    plain->apply(SharedWeights(weights), x, Pass())));
  }
}

TEST_CASE("noise by flipout has its deviation and no correlation",
          "[flipout]") {
  const Wrapped w = wrapped().front();
  const auto noisy = flipout(w);
  const ParameterSet weights = noisy->initial_weights(Key(1)).to(float64());
  const Tensor x = batch_for(w, 1).expand({2, 4});
  std::vector<Tensor> draws;
  for (std::uint64_t k = 0; k < 4000; ++k) {
    draws.push_back(noisy->apply(SharedWeights(weights), x, training(Key(k))));
  }
  const Tensor y = at::stack(draws);  // [draws, examples, out]
  const Tensor off = y - y.mean(0);
  const Tensor variance = off.square().mean(0);
  const double expected =
      0.09 * (1 + x[0].square().sum().item<double>());  // that of the bias, too
  CHECK(variance.mean().item<double>() == Approx(expected).epsilon(0.05));
  const Tensor correlation =
      (off.select(1, 0) * off.select(1, 1)).mean(0) / expected;
  // A standard error is 1/63.
  CHECK(correlation.abs().max().item<double>() < 0.06);
}

TEST_CASE("with flipout the variance of a gradient falls like 1 / batch",
          "[flipout]") {
  const Wrapped w{{{"type", "linear"}, {"out", 2}}, {4}};
  const auto noisy = flipout(w);
  const auto plain = LayerRegistry::instance().make(w.layer, w.input);
  const ParameterSet weights = noisy->initial_weights(Key(1)).to(float64());
  const auto variance = [&](std::int64_t examples, bool shared) {
    // All examples are the same: what is left is the noise.
    const Tensor x = batch_for(w, 1).expand({examples, 4});
    std::vector<Tensor> all;
    for (std::uint64_t k = 0; k < 2000; ++k) {
      const ParameterSet at = weights.leaves();
      Tensor y;
      if (shared) {
        std::vector<Tensor> moved;
        for (std::size_t i = 0; i < at.size(); ++i) {
          moved.push_back(at.tensors()[i] +
                          0.3 * Key(k).fold(i).normal(weights.tensors()[i]));
        }
        y = plain->apply(SharedWeights(moved), x, Pass());
      } else {
        y = noisy->apply(SharedWeights(at), x, training(Key(k)));
      }
      all.push_back(gradient(0.5 * y.square().sum(1).mean(), at).flatten());
    }
    const Tensor g = at::stack(all);
    return (g - g.mean(0)).square().mean(0).sum().item<double>();
  };
  CHECK(variance(1, false) / variance(16, false) == Approx(16).epsilon(0.2));
  CHECK(variance(1, true) / variance(16, true) == Approx(1).epsilon(0.2));
}

TEST_CASE("the deviation of flipout has a derivative", "[flipout]") {
  for (const Wrapped& w : wrapped()) {
    CAPTURE(w.layer.dump());
    const auto noisy = flipout(w, "$noise");
    const auto offered = noisy->hyperparameters();
    REQUIRE(offered.size() == 1);
    CHECK(offered.front().differentiable);
    const ParameterSet weights = noisy->initial_weights(Key(1)).to(float64());
    const Tensor x = batch_for(w, 3);
    const auto loss = [&](const ParameterSet& hyper) {
      Pass pass = training(Key(5));
      pass.hyper = &hyper;
      return noisy->apply(SharedWeights(weights), x, pass).square().sum();
    };
    const ParameterSet at =
        ParameterSet{{"noise", at::scalar_tensor(0.2, float64())}}.leaves();
    CHECK(relative_error(gradient(loss(at), at),
                         central_differences(at, loss)) < 1e-8);
  }
}

TEST_CASE("an evolved loss has the value and the derivative of its formula",
          "[flipout]") {
  constexpr std::int64_t kExamples = 4, kPerturbations = 2;
  constexpr double kDeviation = 0.3;
  for (const Wrapped& w : wrapped()) {
    CAPTURE(w.layer.dump());
    const Sequential model(Chain(w.input).add(w.layer));
    const ParameterSet weights =
        model.initial_weights(Key(1)).to(float64()).leaves();
    const Tensor x = batch_for(w, kExamples);
    const Key key(9);
    const Tensor loss = evolved_loss(
        weights, kExamples, kDeviation, kPerturbations, key,
        [&](const Weights& noisy, const Key& of_pass) {
          return losses_of(model.apply(noisy, x, training(of_pass)));
        });
    ParameterSet sum = weights.zeros();
    double value = 0;
    for (std::int64_t m = 0; m < kPerturbations; ++m) {
      const Key own = key.fold(static_cast<std::uint64_t>(m));
      for (std::int64_t n = 0; n < kExamples; ++n) {
        const ParameterSet noise =
            noise_of(weights.detach(), own, n, kExamples);
        const auto at = [&](double sign) {
          return losses_of(model.forward(weights.detach() + sign * noise,
                                         x.narrow(0, n, 1), Pass()))
              .item<double>();
        };
        const double up = at(1), down = at(-1);
        sum = sum + (up - down) * noise;
        value += up + down;
      }
    }
    const double share = 0.5 / (kPerturbations * kExamples);
    CHECK(loss.item<double>() == Approx(share * value));
    CHECK(relative_error(gradient(loss, weights),
                         (share / (kDeviation * kDeviation)) * sum) < 1e-10);
  }
}

TEST_CASE("an evolved loss has the gradient of a quadratic on average",
          "[flipout]") {
  // Smoothing changes no gradient of a quadratic.
  const Wrapped w = wrapped().front();
  const Sequential model(Chain(w.input).add(w.layer));
  const ParameterSet weights =
      model.initial_weights(Key(1)).to(float64()).leaves();
  const Tensor x = batch_for(w, 6);
  const auto squares = [](const Tensor& y) {
    return (y - 0.4).square().sum(1);
  };
  std::vector<Tensor> all;
  for (std::uint64_t k = 0; k < 3000; ++k) {
    const Tensor loss =
        evolved_loss(weights, 6, 0.1, 1, Key(k),
                     [&](const Weights& noisy, const Key& of_pass) {
                       return squares(model.apply(noisy, x, training(of_pass)));
                     });
    all.push_back(gradient(loss, weights).flatten());
  }
  const Tensor g = at::stack(all);
  const Tensor truth =
      gradient(squares(model.forward(weights, x, Pass())).mean(), weights)
          .flatten();
  const Tensor off = (g.mean(0) - truth) / (g.std(0) / std::sqrt(3000.0));
  // Fifteen numbers, in standard errors.
  CHECK(off.abs().max().item<double>() < 3.5);
  CHECK(off.square().mean().item<double>() < 2.5);
}

namespace {

std::shared_ptr<const BilevelProblem> evolving(Json evolution,
                                               Json model = "mlp") {
  return ProblemRegistry::instance().make(
      Json{{"type", "classification"},
           {"data", {{"type", "two_moons"}, {"train", 200}, {"valid", 200}}},
           {"batch", 50},
           {"model", std::move(model)},
           {"evolution", std::move(evolution)}},
      {float64(), Key(2)});
}

}  // namespace

TEST_CASE("a network is trained by its errors alone", "[flipout]") {
  const auto problem = evolving(
      {{"deviation", 0.1}, {"perturbations", 4}, {"objective", "errors"}},
      {{"type", "mlp"}, {"hidden", {8}}});
  CHECK_FALSE(problem->abilities().second_derivatives);
  CHECK_FALSE(problem->abilities().particles);
  const TrainingLoop loop(problem, OptimizerRegistry::instance().make(
                                       Json{{"type", "sgd"}, {"lr", 0.1}}));
  const ParameterSet hyper = problem->initial_hyper();
  const auto accuracy = [&](const TrainState& state) {
    return problem->evaluate(state.weights, hyper).at("valid_accuracy");
  };
  const TrainState start = loop.start(hyper, Key(3));
  CHECK(accuracy(start) < 0.75);
  CHECK(accuracy(loop.steps(start, 300, hyper, Key(3))) > 0.84);
}

TEST_CASE("what is trained by evolution has no derivative of training",
          "[flipout]") {
  const auto problem = evolving(Json::object());
  const ParameterSet hyper = problem->initial_hyper();
  const ParameterSet weights = problem->initial_weights(hyper, Key(1)).leaves();
  CHECK_THROWS_WITH(
      gradient(problem->train_loss(weights, hyper, Draw()), weights, Tape::kOn),
      ContainsSubstring("have no derivative of their training"));
}

}  // namespace nestgrad
