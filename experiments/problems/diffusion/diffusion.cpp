#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <optional>

#include "core/storage/safetensors.h"
#include "experiments/problems/diffusion/denoiser.h"
#include "experiments/problems/diffusion/low_rank.h"
#include "experiments/problems/diffusion/reward.h"
#include "experiments/problems/dynamics.h"

namespace nestgrad {
namespace {

/// A diffusion model that is tuned for a reward through its sampler (Clark,
/// Vicol, Swersky and Fleet 2024, "Directly fine-tuning diffusion models on
/// differentiable rewards"). A denoiser is trained on the data first. What is
/// unrolled are n samples x side by side, from noise to examples in S steps of
/// Denoiser::step(); what is tuned are the denoiser's weights h, as a whole or
/// through an update of low rank:
///
///   x_S ~ N(0, 1),   x_{k-1} = step(x_k; h),   loss = -mean r(x_0)
///
/// Backpropagation through the whole sampler is DRaFT, through the last K steps
/// DRaFT-K. With `renoised` the loss is the mean over that many further samples
/// besides (DRaFT-LV, with K = 1): noise is added to x_0, which counts as a
/// constant there, and one more step takes it away.
class Diffusion : public Dynamics {
 public:
  Diffusion(const Config& config, const ProblemContext& context)
      : options_(context.options),
        steps_(config.integer("steps")),
        samples_(config.integer("samples")),
        renoised_(config.integer("renoised")),
        data_(SampledData::read(config, context)),
        denoiser_(config.object("model"), size(), options_),
        evaluation_key_(context.key.fold("evaluation")) {
    reward_ = RewardRegistry::instance().make(config.object("reward"), data_,
                                              context.key.fold("reward"));
    if (config.has("other_reward")) {
      other_reward_ =
          RewardRegistry::instance().make(config.object("other_reward"), data_,
                                          context.key.fold("other_reward"));
    }
    const Config training = config.object("pretraining");
    ParameterSet base =
        denoiser_.trained_on(data_.examples, training.integer("batch"),
                             {training.integer("steps"), training.number("lr")},
                             context.key.fold("pretraining"));
    const std::int64_t rank = config.integer("rank");
    const double alpha = config.number("alpha");
    if (config.has("interpolation")) {
      if (rank == 0) config.fail("rank", "must be that of the two updates");
      base = interpolated(config.object("interpolation"), std::move(base), rank,
                          alpha);
    }
    base_ = std::move(base);
    if (rank == 0) {
      initial_ = base_.flatten();
    } else {
      low_rank_.emplace(base_, rank, alpha);
      initial_ = low_rank_->initial(context.key.fold("low_rank"));
    }
  }

  static Schema schema() {
    return SampledData::with_keys(
               Schema("A sampler of a diffusion model, tuned for a reward of "
                      "its samples.")
                   .tunes(kNetwork, kNetworkMeaning))
        .object("model", ModelRegistry::instance(), "mlp",
                "The denoiser: its inputs are a noisy example and functions of "
                "the time, its output is a vector.")
        .section("pretraining",
                 Schema("Of the denoiser on the data, by Adam, before tuning.")
                     .integer("steps", 2000, "Training steps.", at_least(0))
                     .integer("batch", 128, "Examples per step.", at_least(1))
                     .number("lr", 0.002,
                             "Learning rate at the start; it falls to 0 by a "
                             "cosine.",
                             above(0)),
                 Json::object(), "How the denoiser is trained before tuning.")
        .object("reward", RewardRegistry::instance(), kRequired,
                "What samples are wanted to be like.")
        .object("other_reward", RewardRegistry::instance(), kAbsent,
                "A second reward, which is reported and not tuned for.")
        .integer("steps", 20, "Steps of the sampler, from noise to a sample.",
                 at_least(1))
        .integer("samples", 64, "How many samples are drawn side by side.",
                 at_least(1))
        .integer("renoised", 0,
                 "Further samples per sample in the loss: noise is added to it "
                 "and taken away by one step (DRaFT-LV).",
                 at_least(0))
        .integer("rank", 0,
                 "Rank of the update that is tuned (LoRA); 0: the weights "
                 "themselves are.",
                 at_least(0))
        .number("alpha", 4, "Size of the update, whatever its rank.", above(0))
        .section(
            "interpolation",
            Schema("Two updates of other runs, with this \"rank\" and "
                   "\"alpha\", that are added to the denoiser before tuning.")
                .text("first", kRequired,
                      "The hyperparameters.safetensors of a run.")
                .text("second", kRequired, "That of another.")
                .number("share", 0.5,
                        "The share of the first; the second has the rest.",
                        from_to(0, 1)),
            kAbsent,
            "Updates of two other runs, one for each of two rewards, between "
            "which the denoiser begins.");
  }

  std::vector<Hyperparameter> hyperparameters() const override {
    Hyperparameter network;
    network.name = kNetwork;
    network.meaning = kNetworkMeaning;
    network.initial = initial_;
    return {network};
  }

  ParameterSet initial_weights(const ParameterSet&,
                               const Key& key) const override {
    return {{kState, key.normal(at::empty({samples_ * size()}, options_))}};
  }

  ProblemAbilities abilities() const override {
    ProblemAbilities out = Dynamics::abilities();
    out.particles = false;
    return out;
  }

  Tensor valid_loss(const ParameterSet& weights, const ParameterSet& hyper,
                    const Draw& draw) const override {
    const Tensor x = weights.at(kState).view({samples_, size()});
    Tensor sum = reward_->of(x).mean();
    if (renoised_ == 0) return -sum;
    const ParameterSet network = network_of(hyper);
    const Tensor constant = x.detach();
    for (std::int64_t i = 0; i < renoised_; ++i) {
      const Tensor e = draw.key.fold("renoised")
                           .fold(static_cast<std::uint64_t>(i))
                           .normal(constant);
      const double t = time_after(steps_ - 1);
      sum = sum + reward_
                      ->of(denoiser_.step(
                          network, Denoiser::noisy(constant, e, t), t, 0))
                      .mean();
    }
    return -sum / static_cast<double>(renoised_ + 1);
  }

  Metrics evaluate(const ParameterSet&,
                   const ParameterSet& hyper) const override {
    const at::NoGradGuard no_tape;
    const ParameterSet network = network_of(hyper);
    const Tensor made = sampled(network, kEvaluated);
    const double reward = reward_->of(made).mean().item<double>();
    const Tensor examples = data_.examples.inputs.slice(0, 0, kEvaluated);
    Metrics metrics = {
        {"valid_loss", -reward},
        {"reward", reward},
        {"denoising_loss",
         denoiser_.loss(network, examples, evaluation_key_).item<double>()}};
    if (other_reward_) {
      metrics["other_reward"] = other_reward_->of(made).mean().item<double>();
    }
    return metrics;
  }

  /// In the units of the source.
  Tensor samples(const ParameterSet& hyper, std::int64_t count) const override {
    const at::NoGradGuard no_tape;
    return data_.in_source_units(sampled(network_of(hyper), count));
  }

 private:
  static constexpr const char* kNetwork = "network";
  static constexpr const char* kNetworkMeaning =
      "The denoiser: its weights, or an update of low rank of them.";
  static constexpr std::int64_t kEvaluated = 512;  // samples and examples

  std::int64_t size() const { return data_.numbers(); }

  /// The time after k steps of the sampler, from 1 to 0.
  double time_after(std::int64_t k) const {
    return 1 - static_cast<double>(k) / static_cast<double>(steps_);
  }

  /// `count` samples, the same for the same network.
  Tensor sampled(const ParameterSet& network, std::int64_t count) const {
    Tensor x = evaluation_key_.fold("samples").normal(
        at::empty({count, size()}, options_));
    for (std::int64_t k = 0; k < steps_; ++k) {
      x = denoiser_.step(network, x, time_after(k), time_after(k + 1));
    }
    return x;
  }

  /// The base with the updates of two other runs.
  static ParameterSet interpolated(const Config& section, ParameterSet base,
                                   std::int64_t rank, double alpha) {
    const double share = section.number("share");
    for (const auto& [key, factor] :
         {std::pair("first", share), std::pair("second", 1 - share)}) {
      const LowRank update(base.zeros(), rank, alpha);
      const Tensor numbers = load_tensor(section, key, kNetwork).flatten();
      if (numbers.numel() != update.count()) {
        section.fail(key, fmt::format("'{}' has an update of {} numbers, not "
                                      "of {}",
                                      section.path(key), numbers.numel(),
                                      update.count()));
      }
      base = add(base, factor,
                 update.updated(numbers.to(base.tensors()[0].options())));
    }
    return base;
  }

  ParameterSet network_of(const ParameterSet& hyper) const {
    const Tensor& numbers = hyper.at(kNetwork);
    return low_rank_ ? low_rank_->updated(numbers) : base_.unflatten(numbers);
  }

  Tensor next(const Tensor& state, const ParameterSet& hyper,
              const Draw& draw) const override {
    const std::int64_t k = draw.step % steps_;
    return denoiser_
        .step(network_of(hyper), state.view({samples_, size()}), time_after(k),
              time_after(k + 1))
        .flatten();
  }

  at::TensorOptions options_;
  std::int64_t steps_, samples_, renoised_;
  SampledData data_;
  Denoiser denoiser_;
  Key evaluation_key_;
  std::unique_ptr<const Reward> reward_;
  std::unique_ptr<const Reward> other_reward_;  // may be null
  ParameterSet base_;                           // after pretraining
  std::optional<LowRank> low_rank_;
  Tensor initial_;
};

NESTGRAD_REGISTER(ProblemRegistry, "diffusion", Diffusion)

}  // namespace
}  // namespace nestgrad
