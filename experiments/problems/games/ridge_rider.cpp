#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/problems/dynamics.h"
#include "experiments/problems/games/joint_step.h"
#include "experiments/problems/games/lyapunov.h"

namespace nestgrad {
namespace {

/// Generalised Ridge Rider (Lorraine, Vicol, Parker-Holder, Kachman, Metz and
/// Foerster 2022, "Lyapunov exponents for diversity in differentiable games").
/// It looks for several solutions of a game from one start. How fast neighbours
/// of a start z part within k steps of both players is told by the largest
/// Lyapunov exponents of these steps,
///
///   lambda_i(z) = log s_i / k,
///
/// with the singular values s_1 >= s_2 >= ... of the derivative of all k steps.
/// Where they are large, paths to different solutions divide: at a bifurcation.
/// So the start is a hyperparameter that is tuned for
///
///   loss(z) = -(lambda_1(z) + ... + lambda_m(z)).
///
/// What is "trained" is the game together with m directions that it carries
/// along, at first those that the k steps stretch most, the right singular
/// vectors: the sum of their growth is the sum above; see push(). At the start
/// that was found the method branches: it goes some distance to either side of
/// it along some of these directions, and follows every branch by the same
/// rule.
class RidgeRider : public Dynamics {
 public:
  RidgeRider(const Config& config, const ProblemContext& context)
      : step_(game_of(config, context), rule_of(config),
              config.boolean("alternating"), context.key.fold("draws")),
        steps_(config.integer("steps")),
        exponents_(config.integer("exponents")),
        directions_(config.integer("directions")),
        distances_(config.numbers("distances")),
        follow_(config.integer("follow")),
        same_(config.number("same")) {
    const std::int64_t n = step_.players();
    for (const auto& [key, count] :
         {std::pair("exponents", exponents_), {"directions", directions_}}) {
      if (count <= n) continue;
      config.fail(key, fmt::format("must be at most {}, how many numbers the "
                                   "players have; is {}",
                                   n, count));
    }
    for (const double distance : distances_) {
      if (!(distance > 0)) config.fail("distances", "must be above 0");
    }
  }

  static Schema schema() {
    return Schema("Several solutions of a game from one start.")
        .tunes(kStart, kStartMeaning)
        .object("game", ProblemRegistry::instance(), kRequired,
                "The game: a problem of two players.")
        .object("rule", OptimizerRegistry::instance(), "sgd",
                "How both players move.")
        .boolean("alternating", false,
                 "Whether player 2 moves once player 1 has moved.")
        .integer("steps", 100,
                 "Steps over which exponents are taken: the window and the "
                 "horizon of the estimator.",
                 at_least(1))
        .integer("exponents", 1,
                 "How many of the largest exponents are summed.", at_least(1))
        .integer("directions", 1,
                 "Along how many directions it branches, those that part "
                 "fastest.",
                 at_least(1))
        .numbers("distances", Json{0.1, 1},
                 "How far from the start that was found branches begin.")
        .integer("follow", 1000, "Steps for which each branch is followed.",
                 at_least(1))
        .number(
            "same", 0.01,
            "Branches whose mean losses, over the last tenth of their steps, "
            "differ by less than this are the same solution.",
            above(0));
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter start;
    start.name = kStart;
    start.meaning = kStartMeaning;
    start.initial = step_.first();
    return {start};
  }

  /// The joint vector, directions, and sums of growth, one after the other.
  ParameterSet initial_weights(const ParameterSet& hyper,
                               const Key&) const override {
    const Tensor& start = hyper.at(kStart);
    const Tensor z = step_.begin(start);
    // At its largest the sum has no derivative by the directions.
    const Tensor directions =
        in_all(most_stretched(start.detach(), exponents_), z.numel());
    return {{kState, at::cat({z, directions.flatten(),
                              at::zeros({exponents_}, z.options())})}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out = Dynamics::abilities();
    out.particles = false;
    return out;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet&,
                    const Draw&) const override {
    return -sums_of(weights.at(kState)).sum() / static_cast<double>(steps_);
  }

  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    Metrics out = {
        {"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()}};
    const Tensor sums = sums_of(weights.at(kState));
    for (std::int64_t i = 0; i < exponents_; ++i) {
      out[fmt::format("exponent_{}", i + 1)] =
          sums[i].item<double>() / static_cast<double>(steps_);
    }
    return out;
  }

  std::vector<std::pair<std::string, Metrics>> outcomes(
      const ParameterSet& hyper) const override {
    const Tensor start = hyper.at(kStart).detach();
    const Tensor stretched = most_stretched(start, directions_);
    std::vector<std::pair<std::string, Metrics>> out;
    const auto follow = [&](const std::string& name, const Tensor& from) {
      Metrics end = followed(from);
      end["solution"] = number_of(end, out);
      out.emplace_back(name, std::move(end));
    };
    follow("the start itself", start);
    for (std::int64_t i = 0; i < directions_; ++i) {
      for (const double distance : distances_) {
        for (const double side : {1., -1.}) {
          follow(fmt::format("direction {}, {:+}", i + 1, side * distance),
                 start + side * distance * stretched.select(1, i));
        }
      }
    }
    return out;
  }

 private:
  static constexpr const char* kStart = "start";
  static constexpr const char* kFirst = "mean_train_loss";
  static constexpr const char* kSecond = "mean_valid_loss";
  static constexpr const char* kStartMeaning =
      "Where both players start, the numbers of player 1 first.";

  static std::unique_ptr<BilevelProblem> game_of(
      const Config& config, const ProblemContext& context) {
    auto game = ProblemRegistry::instance().make(
        config.object("game"), {context.options, context.key.fold("game")});
    if (!game->abilities().game) {
      config.fail("game", "is no game, whose players have a loss each");
    }
    return game;
  }

  static std::unique_ptr<Optimizer> rule_of(const Config& config) {
    auto rule = OptimizerRegistry::instance().make(config.object("rule"));
    if (rule->draws_noise()) {
      config.fail("rule", "draws noise, which would hide how fast paths part");
    }
    return rule;
  }

  /// Directions of the players as directions of all numbers.
  static Tensor in_all(const Tensor& directions, std::int64_t numbers) {
    return at::constant_pad_nd(directions,
                               {0, 0, 0, numbers - directions.size(0)});
  }

  Tensor sums_of(const Tensor& state) const {
    return state.narrow(0, state.numel() - exponents_, exponents_);
  }

  Tensor next(const Tensor& state, const ParameterSet&,
              const Draw& draw) const override {
    const at::AutoGradMode tape(true);
    const std::int64_t n =
        (state.numel() - exponents_) / (1 + exponents_);  // of the joint vector
    const Pushed pushed =
        push([&](const Tensor& z) { return step_(z, draw.step); },
             state.narrow(0, 0, n),
             state.narrow(0, n, n * exponents_).view({n, exponents_}));
    return at::cat({pushed.point, pushed.directions.flatten(),
                    sums_of(state) + pushed.growth});
  }

  /// The directions at a start that `steps` steps stretch most, [players,
  /// count]: right singular vectors of the derivative of all steps.
  Tensor most_stretched(const Tensor& start, std::int64_t count) const {
    const at::AutoGradMode tape(true);
    Tensor z = step_.begin(start);
    Tensor all = in_all(at::eye(start.numel(), start.options()), z.numel());
    for (std::int64_t k = 0; k < steps_; ++k) {
      std::tie(z, all) =
          push_plainly([&](const Tensor& at) { return step_(at, k); }, z, all);
    }
    const Tensor right = std::get<2>(at::linalg_svd(all, false)).t();
    return right.slice(1, 0, count);
  }

  /// The end of a branch, and the means of both losses over its last tenth,
  /// which tell cycles apart.
  Metrics followed(const Tensor& players) const {
    const at::AutoGradMode tape(true);
    const std::int64_t tenth = (follow_ + 9) / 10;
    Tensor z = step_.begin(players);
    double first = 0, second = 0;
    for (std::int64_t k = 0; k < follow_; ++k) {
      z = step_(z.detach().requires_grad_(), k).detach();
      if (k < follow_ - tenth) continue;
      const auto [of_first, of_second] = step_.losses(z, k);
      first += of_first / static_cast<double>(tenth);
      second += of_second / static_cast<double>(tenth);
    }
    Metrics end = step_.evaluate(z);
    end[kFirst] = first;
    end[kSecond] = second;
    return end;
  }

  /// The number of the solution of a branch among those before it, from 1.
  double number_of(
      const Metrics& end,
      const std::vector<std::pair<std::string, Metrics>>& before) const {
    double count = 0;
    for (const auto& [name, other] : before) {
      const bool same = std::abs(end.at(kFirst) - other.at(kFirst)) < same_ &&
                        std::abs(end.at(kSecond) - other.at(kSecond)) < same_;
      if (same) return other.at("solution");
      count = std::max(count, other.at("solution"));
    }
    return count + 1;
  }

  JointStep step_;
  std::int64_t steps_, exponents_, directions_;
  std::vector<double> distances_;
  std::int64_t follow_;
  double same_;
};

NESTGRAD_REGISTER(ProblemRegistry, "ridge_rider", RidgeRider)

}  // namespace
}  // namespace nestgrad
