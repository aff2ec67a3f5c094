#include <ATen/ATen.h>

#include "core/autodiff.h"
#include "core/model.h"
#include "testing/numbers.h"
#include "tests/support.h"

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
          {{{"type", "lstm"}, {"hidden", 3}, {"output", "all"}}, {5, 4}}};
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

/// A weight with noise whose rows and columns have these signs.
Tensor with_signs(const Tensor& w, const Tensor& noise, const Tensor& rows,
                  const Tensor& columns) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(w.dim()), 1);
  sizes[0] = w.size(0);
  Tensor out = noise * rows.reshape(sizes);
  if (w.dim() > 1) {
    sizes[0] = 1;
    sizes[1] = w.size(1);
    out = out * columns.reshape(sizes);
  }
  return w + out;
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
    const Key key(7), signs = key.fold("signs");
    const Tensor y = noisy->apply(weights.tensors(), x, training(key));

    const bool recurrent = w.layer["type"] == "lstm";
    const auto drawn = [&](const char* name, std::int64_t size) {
      const Tensor like = at::empty({kExamples, size}, float64());
      return (recurrent ? signs.fold(0) : signs).fold(name).signs(like);
    };
    const std::int64_t in = w.input.size() == 3 ? w.input[0] : w.input.back();
    for (std::int64_t n = 0; n < kExamples; ++n) {
      std::vector<Tensor> own;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const Tensor& t = weights.tensors()[i];
        const Tensor noise = 0.3 * key.fold("noise").fold(i).normal(t);
        Tensor rows, columns;
        if (!recurrent) {
          rows = drawn("outputs", t.size(0))[n];
          columns = drawn("inputs", in)[n];
        } else if (i % 2 == 0) {
          rows = drawn("gates by inputs", 12)[n];
          columns = drawn("inputs", in)[n];
        } else {
          rows = drawn("gates by states", 12)[n];
          columns = drawn("states", 3)[n];
        }
        own.push_back(with_signs(t, noise, rows, columns));
      }
      const Tensor alone = plain->apply(own, x.narrow(0, n, 1), Pass());
      CHECK(relative_error(y.narrow(0, n, 1), alone) < 1e-13);
    }
    // Outside of training there is no noise.
    CHECK(at::equal(noisy->apply(weights.tensors(), x, Pass()),
                    plain->apply(weights.tensors(), x, Pass())));
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
    draws.push_back(noisy->apply(weights.tensors(), x, training(Key(k))));
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
        y = plain->apply(moved, x, Pass());
      } else {
        y = noisy->apply(at.tensors(), x, training(Key(k)));
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
      return noisy->apply(weights.tensors(), x, pass).square().sum();
    };
    const ParameterSet at =
        ParameterSet{{"noise", at::scalar_tensor(0.2, float64())}}.leaves();
    CHECK(relative_error(gradient(loss(at), at),
                         central_differences(at, loss)) < 1e-8);
  }
}

TEST_CASE("flipout refuses a layer that cannot be flipped", "[flipout]") {
  CHECK_THROWS_WITH(flipout({{{"type", "layer_norm"}}, {4}}),
                    ContainsSubstring("must be linear, conv2d or lstm"));
}

}  // namespace nestgrad
