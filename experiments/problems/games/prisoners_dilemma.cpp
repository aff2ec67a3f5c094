#include <ATen/ATen.h>
#include <fmt/format.h>

#include "experiments/problems/games/game.h"

namespace nestgrad {
namespace {

/// The iterated prisoner's dilemma of two players who remember one round
/// (Foerster et al. 2018, "Learning with opponent-learning awareness"). A
/// player is five logits: of cooperating in the first round, and after each of
/// the outcomes CC, CD, DC and DD, its own move first. The outcomes are a
/// Markov chain with the transition matrix P and the distribution p of the
/// first round, so the mean loss, discounted by d, is
///
///   f = (1 - d) p' (I - d P)^-1 r
///
/// with the losses r = 1, 3, 0, 2 of the four outcomes. Who descends f from
/// almost any start ends by always defecting, at f = 2 for both. Players who
/// answer like with like (tit for tat) reach f = 1.
class PrisonersDilemma : public SmallGame {
 public:
  PrisonersDilemma(const Config& config, const ProblemContext& context)
      : SmallGame(start(config, "start_1", context),
                  start(config, "start_2", context)),
        discount_(config.number("discount")),
        losses_(at::tensor({1., 3., 0., 2.}, at::kDouble).to(context.options)),
        identity_(at::eye(4, context.options)),
        of_other_(at::tensor({0, 1, 3, 2, 4}, at::kLong)
                      .to(context.options.device())) {}

  static Schema schema() {
    return Schema(
               "The iterated prisoner's dilemma of two players who remember "
               "one round.")
        .tunes(kY, kYMeaning)
        .number("discount", 0.96, "What a round counts beside the one before.",
                from_below(0, 1))
        .numbers("start_1", Json{0, 0, 0, 0, 0},
                 "The logits of player 1 at the start: of cooperating in the "
                 "first round, and after CC, CD, DC and DD.")
        .numbers("start_2", Json{0, 0, 0, 0, 0}, "Those of player 2.")
        .number("spread", 0,
                "Standard deviation of normal noise that is added to both.",
                at_least(0));
  }

  Tensor train_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(weights.at(kX), hyper.at(kY));
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw&) const override {
    return loss(hyper.at(kY), weights.at(kX));
  }

  /// Both losses; the probabilities of cooperating, "first_player.CD" and so
  /// on; and whether each of the ten is on the side of 1/2 that a strategy
  /// says, for tit_for_tat and always_defect.
  Metrics evaluate(const ParameterSet& weights,
                   const ParameterSet& hyper) const override {
    constexpr const char* kAfter[] = {"start", "CC", "CD", "DC", "DD"};
    constexpr bool kTitForTat[] = {true, true, false, true, false};
    Metrics out = {
        {"train_loss", train_loss(weights, hyper, Draw()).item<double>()},
        {"valid_loss", valid_loss(weights, hyper, Draw()).item<double>()},
        {"tit_for_tat", 1},
        {"always_defect", 1}};
    for (const auto& [name, logits] :
         {std::pair("first_player.", weights.at(kX)),
          std::pair("second_player.", hyper.at(kY))}) {
      for (std::int64_t i = 0; i < kStates; ++i) {
        const double p = logits[i].sigmoid().item<double>();
        out[std::string(name) + kAfter[i]] = p;
        if ((p > 0.5) != kTitForTat[i]) out["tit_for_tat"] = 0;
        if (p > 0.5) out["always_defect"] = 0;
      }
    }
    return out;
  }

  std::string metric() const override { return "valid_loss"; }
  std::pair<std::string, std::string> plane() const override {
    return {"train_loss", "valid_loss"};
  }

 private:
  static constexpr std::int64_t kStates = 5;  // the start and four outcomes

  static Tensor start(const Config& config, const char* key,
                      const ProblemContext& context) {
    const std::vector<double> logits = config.numbers(key);
    if (static_cast<std::int64_t>(logits.size()) != kStates) {
      config.fail(key, fmt::format("must have {} numbers; has {}", kStates,
                                   logits.size()));
    }
    const Tensor mean = at::tensor(logits, at::kDouble).to(context.options);
    return mean + config.number("spread") * context.key.fold(key).normal(mean);
  }

  /// f of a player against another.
  Tensor loss(const Tensor& player, const Tensor& other) const {
    const Tensor p = player.sigmoid();
    const Tensor q = other.sigmoid().index_select(0, of_other_);
    // The probabilities of the outcomes: CC, CD, DC, DD, [5, 4].
    const Tensor next =
        at::stack({p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)}, 1);
    const Tensor visits = at::linalg_solve(
        (identity_ - discount_ * next.slice(0, 1)).t(), next[0]);
    return (1 - discount_) * at::dot(visits, losses_);
  }

  double discount_;
  Tensor losses_, identity_, of_other_;
};

NESTGRAD_REGISTER(ProblemRegistry, "prisoners_dilemma", PrisonersDilemma)

}  // namespace
}  // namespace nestgrad
