#include "hypergrad/evolution/evolution.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "core/metric.h"
#include "core/particles.h"

namespace nestgrad {
namespace {

constexpr const char* kLost = "particles_lost";

}  // namespace

Schema Evolution::with_common_keys(Schema schema) {
  return schema
      .integer("particles", 10,
               "Runs of training with perturbed hyperparameters, two for each "
               "perturbation.",
               at_least(2))
      .number("sigma", 0.1,
              "Standard deviation of perturbations, in the coordinates in "
              "which hyperparameters are tuned.",
              above(0))
      .text("metric", kAbsent,
            "A metric of the problem (valid_accuracy, ...) in the place of the "
            "validation loss; it needs no derivative. Accuracies are "
            "maximised.")
      .boolean("normalize", false,
               "Whether the gradient is multiplied by sigma / the standard "
               "deviation of the particles' losses.")
      .integer("groups", 1,
               "Groups of so many particles, each with minibatches of its own, "
               "whose gradients are averaged.",
               at_least(1))
      .boolean("staggered", false,
               "Whether groups stand at different places of their runs: number "
               "c of C starts again first after (c + 1) / C of the horizon.")
      .integer("limit", 10000,
               "Largest number of hyperparameters; the variance grows with "
               "it.",
               at_least(1));
}

Evolution::Evolution(const Config& config, const TrainingLoop& loop)
    : SingleRun(config, loop),
      sigma_(config.number("sigma")),
      pairs_(config.integer("particles") / 2),
      limit_(config.integer("limit")),
      metric_(config.has("metric") ? config.text("metric") : ""),
      normalized_(config.boolean("normalize")),
      staggered_(config.boolean("staggered")) {
  if (config.integer("particles") % 2 != 0) {
    config.fail("particles", "must be even");
  }
  const Truncation& cut = run_.truncation();
  const std::int64_t groups = config.integer("groups");
  if (staggered_ && cut.horizon < groups * cut.window) {
    config.fail("staggered",
                fmt::format("needs a horizon of at least one window of {} "
                            "steps for each of the {} groups; it is {}",
                            cut.window, groups, cut.horizon));
  }
  groups_.assign(static_cast<std::size_t>(groups), Group(run_));
}

void Evolution::begin(const ParameterSet& hyper, const Key& key) {
  require(hyper.numel() <= limit_,
          "evolution strategies are limited to {} hyperparameters, there are "
          "{}; raise \"limit\" or take an estimator with derivatives",
          limit_, hyper.numel());
  SingleRun::begin(hyper, key);
  if (!metric_.empty()) metric(run_.state().weights, hyper);  // is there one?
  const ParameterSet zeros = repeated(hyper.zeros(), pairs_).clone();
  const Truncation& cut = run_.truncation();
  for (std::size_t c = 0; c < groups_.size(); ++c) {
    Group& group = groups_[c];
    group = Group(run_);
    group.noise = group.score = group.earlier = zeros;
    group.difference = at::zeros({pairs_}, at::kDouble);
    const Key own = c == 0 ? key : key.fold("group").fold(c);
    group.base.begin(hyper, own);
    group.particles.begin(repeated(hyper, particles()), own, particles());
    if (!staggered_) continue;
    const std::int64_t windows = cut.horizon / cut.window;
    const auto share = static_cast<std::int64_t>(c + 1) * windows /
                       static_cast<std::int64_t>(groups_.size());
    group.base.set_first_horizon(share * cut.window);
    group.particles.set_first_horizon(share * cut.window);
  }
  noise_key_ = key.fold("perturbations");
  windows_ = 0;
}

Target Evolution::target() const {
  return metric_.empty() ? SingleRun::target() : Target::kOwn;
}

Objective Evolution::mean_claim() const {
  const bool smooth =
      metric_.empty() && problem().abilities().second_derivatives;
  return smooth ? expectation() : Objective();
}

bool Evolution::reseed(const Key& key) {
  noise_key_ = key;
  return true;
}

double Evolution::metric(const ParameterSet& weights,
                         const ParameterSet& hyper) const {
  const Metrics metrics =
      problem().evaluate(problem().deployed(weights, hyper), hyper);
  const auto found = metrics.find(metric_);
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) names.push_back(name);
  require(found != metrics.end(), "there is no metric '{}'; there are: {}",
          metric_, fmt::join(names, ", "));
  return to_minimize(metric_, found->second);
}

double Evolution::loss(const ParameterSet& weights, const ParameterSet& hyper,
                       const Draw& draw) const {
  const at::NoGradGuard no_tape;
  return metric_.empty()
             ? problem().valid_loss(weights, hyper, draw).item<double>()
             : metric(weights, hyper);
}

Tensor Evolution::losses(const ParameterSet& weights, const ParameterSet& hyper,
                         const Draw& draw) const {
  const at::NoGradGuard no_tape;
  if (metric_.empty()) {
    return valid_losses(problem(), weights, hyper, draw)
        .to(at::kCPU, at::kDouble);
  }
  std::vector<double> out;
  for (std::int64_t i = 0; i < draw.particles; ++i) {
    out.push_back(metric(particle(weights, i), particle(hyper, i)));
  }
  return at::tensor(out, at::kDouble);
}

std::pair<TrainState, Estimate> Evolution::unperturbed(
    const Group& group, const ParameterSet& hyper) const {
  if (!with_slope()) {
    const TrainState end = group.base.unroll(hyper, Tape::kOff);
    return {end, {hyper.zeros(), loss(end.weights, hyper, group.draw)}};
  }
  const ParameterSet h = hyper.leaves();
  const TrainState end = group.base.unroll(h, Tape::kOn);
  const Tensor value = problem().valid_loss(end.weights, h, group.draw);
  return {end.detach(), {gradient(value, h), value.item<double>()}};
}

ParameterSet Evolution::contribution(const Group& group,
                                     const Tensor& difference, const Tensor&,
                                     const ParameterSet&) const {
  return weighted_sum(difference, group.score);
}

Estimate Evolution::estimate(const ParameterSet& hyper) {
  Estimate out{hyper.zeros()};
  const double share = 1.0 / static_cast<double>(groups_.size());
  for (std::size_t c = 0; c < groups_.size(); ++c) {
    const Estimate one = estimate(groups_[c], c, hyper);
    out.gradient = add(out.gradient, share, one.gradient);
    out.objective += share * one.objective;
    for (const auto& [name, value] : one.metrics) {
      out.metrics[name] += (name == kLost ? 1 : share) * value;
    }
    if (one.status != Status::kOk) {
      out.status = one.status;
      out.trouble = one.trouble;
    }
  }
  ++windows_;
  run_ = groups_.front().base;
  return out;
}

Estimate Evolution::estimate(Group& group, std::size_t number,
                             const ParameterSet& hyper) {
  const ParameterSet around = repeated(hyper, pairs_);
  if (!group.open) {
    if (group.base.starts_again()) {
      group.age = 0;
      group.score = group.earlier = around.zeros();
      group.difference = at::zeros({pairs_}, at::kDouble);
    }
    group.earlier_draw = group.draw;
    const Key key =
        noise_key_.fold(number).fold(static_cast<std::uint64_t>(windows_));
    open(group, sigma_ * key.normal(around));
    group.open = true;
  }

  group.before = group.base;
  group.draw = group.base.draw("valid");
  auto [base_end, out] = unperturbed(group, hyper);
  const ParameterSet slope = out.gradient;
  const ParameterSet perturbed =
      concatenated(around + group.noise, around - group.noise);
  const TrainState end = group.particles.unroll(perturbed, Tape::kOff);
  Draw draw = group.draw;
  draw.particles = particles();
  const Tensor all = losses(end.weights, perturbed, draw);
  const Tensor up = all.narrow(0, 0, pairs_),
               down = all.narrow(0, pairs_, pairs_);
  const Tensor change = up - down;
  const Tensor whole = up.isfinite()
                           .logical_and(down.isfinite())
                           .logical_and(group.difference.isfinite());
  const Tensor difference = change.masked_fill(~whole, 0);
  const auto kept = 2 * whole.sum().item<double>();
  out.metrics[kLost] = static_cast<double>(particles()) - kept;
  if (kept == 0) {
    out.gradient = hyper.zeros();
    out.status = Status::kDiverged;
    out.trouble = "the losses of all particles are not finite";
    return out;
  }
  const double deviation = all.masked_select(at::cat({whole, whole}))
                               .std(0, /*unbiased=*/false)
                               .item<double>();
  out.metrics["loss_deviation"] = deviation;
  // Divided by the number of pairs, and 2 sigma^2.
  out.gradient = (1 / (kept * sigma_ * sigma_)) *
                 contribution(group, difference, whole, slope);
  if (with_slope()) out.gradient = out.gradient + slope;
  if (normalized_ && deviation > 0) {
    out.gradient = (sigma_ / deviation) * out.gradient;
  }

  const bool moved = group.base.finish_turn(base_end);
  group.particles.finish_turn(end);
  if (moved) {
    group.open = false;
    ++group.age;
    group.earlier = group.score;
    group.difference = change;
  }
  return out;
}

Objective Evolution::mean_of(GroupLoss loss) const {
  return [this, loss](const ParameterSet& hyper) {
    double sum = 0;
    for (const Group& group : groups_) {
      sum += (this->*loss)(group, hyper.detach());
    }
    return sum / static_cast<double>(groups_.size());
  };
}

Objective Evolution::of_window() const {
  return mean_of(&Evolution::window_loss);
}

Objective Evolution::of_run() const { return mean_of(&Evolution::run_loss); }

Objective Evolution::of_run_before() const {
  return mean_of(&Evolution::run_loss_before);
}

double Evolution::window_loss(const Group& group,
                              const ParameterSet& hyper) const {
  return loss(group.before.unroll(hyper, Tape::kOff).weights, hyper,
              group.draw);
}

double Evolution::run_loss(const Group& group,
                           const ParameterSet& hyper) const {
  const auto [start, key] = group.before.window_start(hyper);
  return loss(trained(start.step + group.before.length(), hyper, key), hyper,
              group.draw);
}

double Evolution::run_loss_before(const Group& group,
                                  const ParameterSet& hyper) const {
  const auto [start, key] = group.before.window_start(hyper);
  if (start.step == 0) return 0.0;
  return loss(trained(start.step, hyper, key), hyper, group.earlier_draw);
}

Footprint Evolution::footprint() const {
  const std::int64_t window = run_.truncation().window;
  const auto groups = static_cast<std::int64_t>(groups_.size());
  const std::int64_t runs = groups * (1 + particles());
  const std::int64_t taped = with_slope() ? groups * window : 0;
  return {window * runs, taped, with_slope() ? window : 0, runs};
}

void Evolution::Group::persist(Archive& archive) {
  archive("base", base);
  archive("particles", particles);
  archive("noise", noise);
  archive("score", score);
  archive("earlier", earlier);
  ParameterSet last{{"difference", difference}};
  archive("last", last);
  difference = last.at("difference");
  archive("age", age);
  archive("open", open);
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
