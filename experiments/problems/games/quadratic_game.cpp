#include <ATen/ATen.h>
#include <fmt/format.h>

#include "experiments/problems/games/game.h"

namespace nestgrad {
namespace {

/// `rows` x `columns` numbers of a key, row by row.
Tensor matrix(const Config& config, const char* key, std::int64_t rows,
              std::int64_t columns, const at::TensorOptions& options) {
  const std::vector<double> numbers = config.numbers(key);
  if (static_cast<std::int64_t>(numbers.size()) != rows * columns) {
    config.fail(key,
                fmt::format("must have {} numbers, {} rows of {}; has {}",
                            rows * columns, rows, columns, numbers.size()));
  }
  return at::tensor(numbers, at::kDouble).view({rows, columns}).to(options);
}

Tensor start_of(const Config& config, const char* key,
                const at::TensorOptions& options) {
  const std::vector<double> numbers = config.numbers(key);
  if (numbers.empty()) config.fail(key, "must have at least one number");
  return at::tensor(numbers, at::kDouble).to(options);
}

constexpr const char* kStart1 = "start_1";
constexpr const char* kStart2 = "start_2";

Schema with_starts(Schema schema) {
  return schema.numbers(kStart1, Json{1}, "Where player 1 starts: n numbers x.")
      .numbers(kStart2, Json{1}, "Where player 2 starts: m numbers y.");
}

/// A game whose gradients are linear:
///
///   f1(x, y) = x'A1 x / 2 + x'B1 y    descended by player 1, x in R^n
///   f2(x, y) = y'A2 y / 2 + y'B2 x    descended by player 2, y in R^m
///
/// The derivative of the two gradients is J = [A1 B1; B2 A2]. A step of both
/// players without momentum is I - lr J, so J says which rules converge: to
/// zero for all lr that are small enough if its eigenvalues have positive real
/// parts, for no real momentum if these are zero (players that turn around each
/// other).
class QuadraticGame : public SmallGame {
 public:
  QuadraticGame(const Config& config, const ProblemContext& context)
      : SmallGame(start_of(config, kStart1, context.options),
                  start_of(config, kStart2, context.options)) {
    const auto n = static_cast<std::int64_t>(config.numbers(kStart1).size());
    const auto m = static_cast<std::int64_t>(config.numbers(kStart2).size());
    const auto read = [&](const char* key, std::int64_t rows,
                          std::int64_t columns) {
      return matrix(config, key, rows, columns, context.options);
    };
    a1_ = read("own_1", n, n);
    b1_ = read("coupling_1", n, m);
    a2_ = read("own_2", m, m);
    b2_ = read("coupling_2", m, n);
    for (const auto& [key, a] : {std::pair("own_1", a1_), {"own_2", a2_}}) {
      if (!at::equal(a, a.t())) config.fail(key, "must be symmetric");
    }
  }

  static Schema schema() {
    return with_starts(
        Schema("A game of two players with quadratic losses.")
            .tunes(kY, kYMeaning)
            .numbers("own_1", Json{1},
                     "A1, row by row: player 1 descends x'A1 x / 2 + x'B1 y.")
            .numbers("coupling_1", Json{1}, "B1, [n, m].")
            .numbers("own_2", Json{1},
                     "A2, row by row: player 2 descends y'A2 y / 2 + y'B2 x.")
            .numbers("coupling_2", Json{-1}, "B2, [m, n]."));
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(a1_, weights.at(kX), b1_, hyper.at(kY));
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(a2_, hyper.at(kY), b2_, weights.at(kX));
  }

 private:
  static Tensor loss(const Tensor& a, const Tensor& own, const Tensor& b,
                     const Tensor& other) {
    return at::dot(own, 0.5 * at::mv(a, own) + at::mv(b, other));
  }

  Tensor a1_, b1_, a2_, b2_;
};

/// min_x max_y x'B y, the game in which simultaneous gradient descent with real
/// momentum diverges at every learning rate.
class BilinearGame : public SmallGame {
 public:
  BilinearGame(const Config& config, const ProblemContext& context)
      : SmallGame(start_of(config, kStart1, context.options),
                  start_of(config, kStart2, context.options)),
        b_(matrix(config, "matrix",
                  static_cast<std::int64_t>(config.numbers(kStart1).size()),
                  static_cast<std::int64_t>(config.numbers(kStart2).size()),
                  context.options)) {}

  static Schema schema() {
    return with_starts(
        Schema("The game min max x'B y of two players.")
            .tunes(kY, kYMeaning)
            .numbers("matrix", Json{1},
                     "B, [n, m], row by row: player 1 descends x'B y, player 2 "
                     "ascends it."));
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return at::dot(weights.at(kX), at::mv(b_, hyper.at(kY)));
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    return -train_loss(weights, hyper, draw);
  }

 private:
  Tensor b_;
};

NESTGRAD_REGISTER(ProblemRegistry, "bilinear_game", BilinearGame)
NESTGRAD_REGISTER(ProblemRegistry, "quadratic_game", QuadraticGame)

}  // namespace
}  // namespace nestgrad
