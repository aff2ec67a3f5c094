#include <ATen/ATen.h>

#include <complex>

#include "core/optimizer.h"
#include "tests/optimizers/some_weights.h"
#include "tests/support/support.h"

namespace nestgrad {
namespace {

constexpr double kPi = 3.14159265358979323846;

std::unique_ptr<Optimizer> rule_of_game(const Json& json) {
  return OptimizerRegistry::instance().make(json);
}

Json complex_sgd(double modulus, double argument) {
  return {{"type", "complex_sgd"},
          {"lr", 0.1},
          {"momentum", modulus},
          {"argument", argument}};
}

/// The state of a player: a number and its momentum.
Tensor numbers_of(const TrainState& s) {
  return at::cat({s.weights.flatten(), s.slots.flatten()});
}

TrainState player(const Tensor& numbers) {
  return {{{"w", numbers.slice(0, 0, 1)}},
          {{"real/w", numbers.slice(0, 1, 2)},
           {"imaginary/w", numbers.slice(0, 2, 3)}}};
}

/// A step of the game min_x max_y x y: each player moves by x's or y's own
/// gradient, at once or one after the other.
Tensor played(const Optimizer& moves, const Tensor& state, bool alternating) {
  TrainState x = player(state.slice(0, 0, 3)), y = player(state.slice(0, 3, 6));
  const ParameterSet of_x = y.weights;
  const auto of_y = [&] { return -1. * x.weights; };
  const ParameterSet before = of_y();
  x = moves.step(x, of_x, {});
  y = moves.step(y, alternating ? of_y() : before, {});
  return at::cat({numbers_of(x), numbers_of(y)});
}

/// The largest modulus of an eigenvalue of a step, which is linear.
double spectral_radius(const Optimizer& moves, bool alternating) {
  const Tensor unit = at::eye(6, float64());
  std::vector<Tensor> columns;
  for (int i = 0; i < 6; ++i) {
    columns.push_back(played(moves, unit[i], alternating));
  }
  const Tensor step = at::stack(columns, 1).to(at::kCPU);
  return at::linalg_eigvals(step).abs().max().item<double>();
}

TEST_CASE(
    "complex momentum has the spectral radii of the bilinear game in closed "
    "form",
    "[optimizer]") {
  struct Row {
    double modulus;
    bool alternating;
    std::vector<double> radii;  // for arguments 0, pi/8, pi/4, pi/2, pi
  };
  const std::vector<Row> table = {
      {0.5, false, {1.0457, 1.0249, 1.0051, 1.0007, 1.0007}},
      {0.8, false, {1.1494, 0.9774, 0.9917, 0.9990, 1.0002}},
      {0.9, false, {1.1983, 1.0530, 0.9912, 0.9988, 1.0001}},
      {0.5, true, {1.0323, 1.0124, 0.9977, 0.9974, 0.9985}},
      {0.8, true, {1.1399, 0.9439, 0.9882, 0.9971, 0.9986}},
  };
  const double arguments[] = {0, kPi / 8, kPi / 4, kPi / 2, kPi};
  for (const Row& row : table) {
    for (std::size_t k = 0; k < 5; ++k) {
      CAPTURE(row.modulus, row.alternating, arguments[k]);
      const auto moves = rule_of_game(complex_sgd(row.modulus, arguments[k]));
      const double radius = spectral_radius(*moves, row.alternating);
      CHECK(std::abs(radius - row.radii[k]) < 6e-5);
    }
  }
  // No real momentum lets both players come together at once.
  for (double modulus = 0; modulus <= 1; modulus += 0.05) {
    for (const double argument : {0., kPi}) {
      CHECK(spectral_radius(*rule_of_game(complex_sgd(modulus, argument)),
                            false) > 1);
    }
  }
}

TEST_CASE("players with complex momentum come together at the predicted rate",
          "[optimizer]") {
  const auto moves = rule_of_game(complex_sgd(0.8, kPi / 8));
  Tensor state = at::tensor({1., 0., 0., 1., 0., 0.}, float64());
  std::vector<double> sizes;
  for (int k = 0; k <= 1000; ++k) {
    sizes.push_back(state.norm().item<double>());
    state = played(*moves, state, false);
  }
  CHECK(std::pow(sizes[1000] / sizes[200], 1 / 800.) ==
        Approx(spectral_radius(*moves, false)).epsilon(1e-3));
}

/// Weights after some steps from the start.
ParameterSet after(const Json& json, int steps) {
  const auto moves = rule_of_game(json);
  TrainState state{weights(), moves->slots(weights()), 0};
  for (int k = 0; k < steps; ++k) {
    state = moves->step(state, some_gradient(k), {});
  }
  return state.weights;
}

TEST_CASE("complex momentum with the argument 0 is that of sgd and adam",
          "[optimizer]") {
  const ParameterSet sgd =
      after({{"type", "sgd"}, {"lr", 0.1}, {"momentum", 0.7}}, 5);
  CHECK(relative_error(after(complex_sgd(0.7, 0), 5), sgd) < 1e-14);
  Json json = {{"type", "adam"}, {"lr", 0.1}, {"beta1", 0.7}};
  const ParameterSet adam = after(json, 5);
  json["type"] = "complex_adam";
  json["argument"] = 0;
  CHECK(relative_error(after(json, 5), adam) < 1e-14);
}

TEST_CASE("complex_adam is Adam in complex numbers", "[optimizer]") {
  const std::complex<double> beta = std::polar(0.8, kPi / 8);
  std::complex<double> m = 0;
  double v = 0, w = weights().flatten()[0].item<double>();
  for (int k = 0; k < 6; ++k) {
    const double g = some_gradient(k).flatten()[0].item<double>();
    m = beta * m + (1. - beta) * g;
    v = 0.999 * v + 0.001 * g * g;
    const double first = (m / (1. - std::pow(beta, k + 1))).real();
    w -= 0.1 * first / (std::sqrt(v / (1 - std::pow(0.999, k + 1))) + 1e-8);
  }
  const Json json = {{"type", "complex_adam"}, {"lr", 0.1}};
  CHECK(after(json, 6).flatten()[0].item<double>() == Approx(w).epsilon(1e-12));
}

}  // namespace
}  // namespace nestgrad
