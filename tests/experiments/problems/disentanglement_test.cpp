#include <ATen/ATen.h>

#include <cmath>

#include "experiments/problems/disentanglement/coloured_images.h"
#include "experiments/setup/experiment.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

Json gaussian(const char* adversary, double strength, std::int64_t steps) {
  return {
      {"precision", "float64"},
      {"problem",
       {{"type", "gaussian_disentanglement"},
        {"adversary", adversary},
        {"strength", strength}}},
      {"hyperparameters", {{"adversary", Json::object()}}},
      {"inner", {{"type", "sgd"}, {"lr", 0.05 / (1 + strength)}}},
      {"estimator",
       {{"type", "alternating"}, {"window", 1}, {"outer_steps_per_window", 5}}},
      {"outer", {{"type", "sgd"}, {"lr", 0.3}, {"steps", 5 * steps}}},
      {"record", {{"retrain", 0}}}};
}

Metrics played(const Json& config) {
  Experiment experiment(experiment_config(config));
  return experiment.evaluate(experiment.tune({}).hyper);
}

Dataset some_grey(std::int64_t n) {
  return {Key(1).uniform(at::empty({n, 1, 4, 4}, float64())),
          at::arange(n, at::kLong).remainder(5), 5};
}

}  // namespace

TEST_CASE("linear disentanglement has the errors of its closed forms",
          "[games]") {
  const Experiment experiment(experiment_config(gaussian("conditional", 1, 1)));
  const auto outcomes =
      experiment.problem().outcomes(experiment.initial_hyper());
  const auto expect = [&](std::size_t i, double train, double test) {
    CAPTURE(outcomes[i].first);
    CHECK(outcomes[i].second.at("train_loss") == Approx(train).margin(5e-4));
    CHECK(outcomes[i].second.at("test_loss") == Approx(test).margin(5e-5));
  };
  REQUIRE(outcomes.size() == 3);
  expect(0, 0.1614, 0.2481);
  expect(1, 0.604, 0.7006);
  expect(2, 0.1818, 0.1818);

  // The least training error of all codes with independent parts, each with
  // its best scale: rotations of whitened inputs by any angle.
  const Tensor s = at::tensor({1., 0.8, 0.8, 1.}, float64()).view({2, 2});
  const Tensor x = s + 0.1 * at::eye(2, float64());
  const auto [values, vectors] = at::linalg_eigh(x);
  const Tensor white = at::mm(at::diag(values.rsqrt()), vectors.t());
  double least = 1e9;
  for (int k = 0; k < 3600; ++k) {
    const double a = 2 * 3.14159265358979 * k / 3600;
    const Tensor q =
        at::tensor({std::cos(a), std::sin(a), -std::sin(a), std::cos(a)},
                   float64())
            .view({2, 2});
    const Tensor covariance = at::mm(at::mm(q, white), s).diagonal();
    least = std::min(least, 2 - covariance.square().sum().item<double>());
  }
  CHECK(outcomes[1].second.at("train_loss") == Approx(least).epsilon(1e-5));
}

TEST_CASE("a strong adversary leads a linear encoder to the closed forms",
          "[games]") {
  const Metrics none = played(gaussian("none", 0, 1000));
  CHECK(none.at("test_loss") == Approx(0.2481).margin(1e-3));
  const Metrics conditional = played(gaussian("conditional", 10, 2000));
  CHECK(conditional.at("test_loss") == Approx(0.1818).margin(1e-3));
  // Codes with independent parts are reached as 1 / strength.
  const double one =
                   played(gaussian("unconditional", 10, 4000)).at("test_loss"),
               three =
                   played(gaussian("unconditional", 30, 8000)).at("test_loss");
  CHECK(one < three);
  CHECK(1.5 * three - 0.5 * one == Approx(0.7006).margin(2e-3));
}

TEST_CASE("colours follow kinds as often as the correlation says", "[games]") {
  const Dataset grey = some_grey(20000);
  const auto share = [&](double correlation) {
    const ColouredImages images = coloured(grey, correlation, Key(2));
    return images.kinds.eq(images.colours)
        .to(at::kDouble)
        .mean()
        .item<double>();
  };
  CHECK(share(1) == 1);
  CHECK(share(0.9) == Approx(0.9 + 0.1 / 5).margin(0.01));
  CHECK(share(0) == Approx(0.2).margin(0.01));
  CHECK(share(-0.9) == Approx(0.1 / 5).margin(0.01));
  CHECK(share(-1) == 0);
  const ColouredImages images = coloured(grey, 0.5, Key(2));
  REQUIRE(images.images.sizes() == at::IntArrayRef({20000, 3, 4, 4}));
  // All colours are equally bright in their largest channel, and differ.
  const Tensor peak = std::get<0>(images.images.max(1, true));
  CHECK(at::allclose(peak, grey.inputs));
  for (int a = 0; a < 5; ++a) {
    for (int b = a + 1; b < 5; ++b) {
      const auto hue = [&](int colour) {
        const auto row =
            images.colours.eq(colour).nonzero()[0].item<std::int64_t>();
        return images.images[row] / grey.inputs[row];
      };
      CHECK((hue(a) - hue(b)).abs().max().item<double>() > 0.2);
    }
  }
}

TEST_CASE("examples are shuffled within their groups and otherwise at random",
          "[games]") {
  const Tensor groups =
      (Key(1).uniform(at::empty({3000}, float64())) * 3).floor().to(at::kLong);
  const Tensor to = shuffled_within(groups, Key(2));
  CHECK(at::equal(groups.index_select(0, to), groups));
  CHECK(at::equal(std::get<0>(to.sort()), at::arange(3000, at::kLong)));
  CHECK(to.eq(at::arange(3000, at::kLong)).sum().item<std::int64_t>() < 20);
  CHECK(!at::equal(to, shuffled_within(groups, Key(3))));
  // No order is left within a group.
  const Tensor first = groups.eq(0).nonzero().squeeze(1);
  const Tensor places = to.index_select(0, first).to(at::kDouble);
  const Tensor own = first.to(at::kDouble);
  const Tensor a = places - places.mean(), b = own - own.mean();
  const double correlation =
      (at::dot(a, b) / (a.norm() * b.norm())).item<double>();
  CHECK(std::abs(correlation) < 0.12);
}

}  // namespace nestgrad
