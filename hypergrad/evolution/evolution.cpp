#include "hypergrad/evolution/evolution.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/particles.h"
#include "hypergrad/evolution/joined_windows.h"
#include "hypergrad/resolution.h"

namespace nestgrad {
namespace {

constexpr const char* kLost = "particles_lost";

/// One operator on so many numbers takes less time than several.
constexpr std::int64_t kFewNumbers = 1 << 16;

}  // namespace

Schema Evolution::with_common_keys(Schema schema) {
  schema
      .integer("particles", 10,
               "Runs of training with perturbed hyperparameters, two for "
               "each perturbation.",
               at_least(2))
      .number("sigma", 0.1,
              "Standard deviation of perturbations, in the coordinates in "
              "which hyperparameters are tuned.",
              above(0))
      .text("metric", kAbsent,
            "A metric of the problem (valid_accuracy, ...) that takes the "
            "place of the validation loss; it needs no derivative. Accuracies, "
            "recalls, F1, R2 and ROC AUC are maximised.")
      .boolean("normalize", false,
               "Whether the gradient is multiplied by sigma / the standard "
               "deviation of the particles' losses.")
      .integer("groups", 1,
               "Number of groups of particles; each has its own minibatches, "
               "and their gradients are averaged.",
               at_least(1))
      .boolean("staggered", false,
               "Whether groups stand at different places of their runs: group "
               "c of C ends its first run after (c + 1) / C of the horizon.");
  return HyperLimit::add_key(std::move(schema), 10000,
                             "; the variance grows with it.");
}

Evolution::Evolution(const Config& config, const TrainingLoop& loop,
                     std::shared_ptr<const EvolutionObjective> objective)
    : SingleRun(config,
                WindowLoss(config).loop(loop, Truncation::read(config))),
      sigma_(config.number("sigma")),
      pairs_(config.integer("particles") / 2),
      limit_(config),
      normalized_(config.boolean("normalize")),
      staggered_(config.boolean("staggered")),
      objective_(objective ? std::move(objective)
                           : std::make_shared<LossOrMetric>(config, loop_)) {
  if (config.integer("particles") % 2 != 0) {
    config.fail("particles", "must be even");
  }
  const ParameterSet hyper = problem().initial_hyper();
  require_resolved(config, "sigma", largest_of(hyper), hyper,
                   "hyperparameters");
  const World& world = loop_.world();
  if (pairs_ < world.size()) {
    config.fail("particles",
                fmt::format("must be at least {}: two for each rank",
                            2 * world.size()));
  }
  const Truncation& cut = run_.truncation();
  const std::int64_t groups = config.integer("groups");
  if (staggered_ && cut.horizon < groups * cut.window) {
    config.fail("staggered",
                fmt::format("needs a horizon of at least one window of {} "
                            "steps for each of the {} groups; it is {}",
                            cut.window, groups, cut.horizon));
  }
  groups_.assign(static_cast<std::size_t>(groups), ParticleGroup(run_));
}

void Evolution::begin(const ParameterSet& hyper, const Key& key) {
  limit_.check(hyper, "take an estimator with derivatives");
  SingleRun::begin(hyper, key);
  objective_->require_metric(run_.state().weights, hyper);
  const Truncation& cut = run_.truncation();
  for (std::size_t c = 0; c < groups_.size(); ++c) {
    groups_[c] = ParticleGroup(run_);
    groups_[c].begin(hyper, pairs_, c == 0 ? key : key.fold("group").fold(c));
    if (!staggered_) continue;
    const std::int64_t windows = cut.horizon / cut.window;
    const auto share = static_cast<std::int64_t>(c + 1) * windows /
                       static_cast<std::int64_t>(groups_.size());
    groups_[c].set_first_horizon(share * cut.window);
  }
  noise_key_ = key.fold("perturbations");
  windows_ = 0;
}

Objective Evolution::mean_claim() const {
  return objective_->differentiable() ? expectation() : Objective();
}

bool Evolution::reseed(const Key& key) {
  noise_key_ = key;
  return true;
}

double Evolution::factor(const PairLosses& losses) const {
  return 1 / (2 * losses.kept() * sigma_ * sigma_);
}

ParameterSet Evolution::formula(const ParticleGroup& group,
                                const PairLosses& losses,
                                const ParameterSet&) const {
  return factor(losses) * weighted_sum(losses.difference(), group.score);
}

Estimate Evolution::estimate(const ParameterSet& hyper) {
  for (std::size_t c = 0; c < groups_.size(); ++c) {
    const OffTape off;
    if (!groups_[c].window_open) open_window(groups_[c], c, hyper);
    groups_[c].last = groups_[c].turn();
  }
  Estimate out{hyper.zeros()};
  const double share = 1.0 / static_cast<double>(groups_.size());
  const std::size_t at_once = groups_at_once();
  for (std::size_t first = 0; first < groups_.size(); first += at_once) {
    const std::vector<Trained> all = trained(first, at_once, hyper);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const OffTape off;
      const Estimate one = estimate(groups_[first + i], all[i], hyper);
      out.gradient = add(out.gradient, share, one.gradient);
      // A single loss may stay on its device.
      out.objective = groups_.size() == 1
                          ? one.objective
                          : Number(out.objective + share * one.objective);
      for (const auto& [name, value] : one.metrics) {
        out.metrics[name] += (name == kLost ? 1 : share) * value;
      }
      if (one.status != Status::kOk) {
        out.status = one.status;
        out.trouble = one.trouble;
      }
    }
  }
  ++windows_;
  run_ = groups_.front().base;
  return out;
}

Estimate Evolution::estimate(ParticleGroup& group, const Trained& trained,
                             const ParameterSet& hyper) const {
  const PairLosses losses(
      group.losses_of_all(trained.particles.losses.to(at::kCPU, at::kDouble)),
      group.difference);
  Estimate out;
  out.objective = trained.loss;
  out.metrics[kLost] = losses.particles_lost();
  if (losses.kept() == 0) {
    out.gradient = hyper.zeros();
    out.status = Status::kDiverged;
    out.trouble =
        "the losses of all particles are not finite; a smaller \"sigma\" or "
        "smaller learning rates keep them finite";
    return out;
  }
  const double deviation = losses.deviation();
  out.metrics["loss_deviation"] = deviation;
  out.gradient = formula(group, losses, trained.slope);
  if (normalized_ && deviation > 0) {
    out.gradient = (sigma_ / deviation) * out.gradient;
  }
  group.finish_turn(trained.end, trained.particles.end,
                    losses.raw_difference());
  return out;
}

void Evolution::open_window(ParticleGroup& group, std::size_t number,
                            const ParameterSet& hyper) const {
  if (group.base.starts_again()) group.reset(hyper);
  group.earlier = group.last;
  const Key key =
      noise_key_.fold(number).fold(static_cast<std::uint64_t>(windows_));
  begin_window(group, sigma_ * key.normal(repeated(hyper, pairs_)));
  group.window_open = true;
}

bool Evolution::joins(std::size_t groups) const {
  const ParticleGroup& one = groups_.front();
  const TrainState& state = one.base.state();
  const std::int64_t numbers = state.weights.numel() + state.slots.numel() +
                               one.noise.numel() / one.pairs();
  return problem().abilities().particles && objective_->takes_groups() &&
         !with_slope() &&
         static_cast<std::int64_t>(groups) * (1 + particles()) * numbers <=
             kFewNumbers;
}

std::size_t Evolution::groups_at_once() const {
  const bool equally_long =
      std::all_of(groups_.begin(), groups_.end(), [&](const auto& group) {
        return group.base.length() == groups_.front().base.length();
      });
  const bool possible =
      problem().abilities().groups && equally_long && !loop_.replays();
  std::size_t out = possible ? groups_.size() : 1;
  while (out > 1 && !joins(out)) out = (out + 1) / 2;
  return out;
}

std::vector<Evolution::Trained> Evolution::trained(
    std::size_t first, std::size_t count, const ParameterSet& hyper) const {
  count = std::min(count, groups_.size() - first);
  const auto part_of_particles = [&](const ParticleGroup& group) {
    ParameterSet perturbed = group.perturbed(hyper);
    TrainingWindow window = group.particles_turn().window(perturbed);
    return JoinedWindows::Part{std::move(window), std::move(perturbed)};
  };
  std::vector<Trained> out;
  if (!joins(count)) {
    out.push_back(unperturbed(groups_[first], hyper));
    const auto [window, perturbed] = part_of_particles(groups_[first]);
    out.back().particles = objective_->of_window(window, perturbed, Tape::kOff);
    return out;
  }
  std::vector<JoinedWindows::Part> parts;
  for (std::size_t c = first; c < first + count; ++c) {
    parts.push_back(part_of_particles(groups_[c]));
    parts.push_back({groups_[c].last.window(hyper), hyper});
  }
  const JoinedWindows joined(std::move(parts), 2);
  const std::vector<EvolutionObjective::Outcome> outcomes = joined.cut(
      objective_->of_window(joined.window(), joined.hyper(), Tape::kOff));
  const ParameterSet no_slope = hyper.zeros();
  for (std::size_t i = 0; i < outcomes.size(); i += 2) {
    const auto& [end, loss] = outcomes[i + 1];
    out.push_back({outcomes[i], end, Number(loss), no_slope});
  }
  return out;
}

Evolution::Trained Evolution::unperturbed(const ParticleGroup& group,
                                          const ParameterSet& hyper) const {
  const bool taped = with_slope();
  const ParameterSet h = taped ? hyper.leaves() : hyper;
  const auto [end, value] = objective_->of_window(
      group.last.window(h), h, taped ? Tape::kOn : Tape::kOff);
  return {{},
          end.detach(),
          Number(value),
          taped ? gradient(value, h) : hyper.zeros()};
}

double Evolution::loss(const TrainingWindow& window,
                       const ParameterSet& hyper) const {
  return objective_->of_window(window, hyper, Tape::kOff).losses.item<double>();
}

TrainingWindow Evolution::retrained(const Turn& turn,
                                    const ParameterSet& hyper) const {
  TrainingWindow out = turn.window(hyper);
  const TrainState first = loop_.start(hyper, out.runs.first()).detach();
  out.start = loop_.steps(first, out.start.step, hyper, out.runs);
  return out;
}

template <class F>
Objective Evolution::mean_over_groups(F loss_of_group) const {
  return [this, loss_of_group](const ParameterSet& hyper) {
    double sum = 0;
    for (const ParticleGroup& group : groups_) {
      sum += loss_of_group(group, hyper.detach());
    }
    return sum / static_cast<double>(groups_.size());
  };
}

Objective Evolution::of_window() const {
  return mean_over_groups(
      [this](const ParticleGroup& group, const ParameterSet& hyper) {
        return loss(group.last.window(hyper), hyper);
      });
}

Objective Evolution::of_run() const {
  return mean_over_groups(
      [this](const ParticleGroup& group, const ParameterSet& hyper) {
        return loss(retrained(group.last, hyper), hyper);
      });
}

Objective Evolution::of_run_before() const {
  return mean_over_groups(
      [this](const ParticleGroup& group, const ParameterSet& hyper) {
        if (group.last.window(hyper).start.step == 0) return 0.0;
        return loss(retrained(group.earlier, hyper), hyper);
      });
}

Footprint Evolution::footprint() const {
  const std::int64_t window = run_.truncation().window;
  const auto groups = static_cast<std::int64_t>(groups_.size());
  const std::int64_t runs = groups * (1 + particles());
  const std::int64_t taped = with_slope() ? groups * window : 0;
  return {window * runs, taped, with_slope() ? window : 0, runs};
}

void Evolution::persist(Archive& archive) {
  archive("noise_key", noise_key_);
  archive("windows", windows_);
  for (std::size_t c = 0; c < groups_.size(); ++c) {
    archive(fmt::format("group_{}", c), groups_[c]);
  }
  run_ = groups_.front().base;
}

}  // namespace nestgrad
