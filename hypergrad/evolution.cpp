#include "hypergrad/evolution.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/metric.h"

namespace nestgrad {

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
      .integer("limit", 10000,
               "Largest number of hyperparameters; the variance grows with "
               "it.",
               at_least(1));
}

Evolution::Evolution(const Config& config, const TrainingLoop& loop)
    : SingleRun(config, loop),
      sigma_(config.number("sigma")),
      limit_(config.integer("limit")),
      metric_(config.has("metric") ? config.text("metric") : ""),
      normalized_(config.boolean("normalize")),
      before_(run_) {
  const std::int64_t particles = config.integer("particles");
  if (particles % 2 != 0) config.fail("particles", "must be even");
  pairs_.assign(static_cast<std::size_t>(particles / 2),
                {run_, run_, {}, {}, {}, 0});
}

void Evolution::begin(const ParameterSet& hyper, const Key& key) {
  require(hyper.numel() <= limit_,
          "evolution strategies are limited to {} hyperparameters, there are "
          "{}; raise \"limit\" or take an estimator with derivatives",
          limit_, hyper.numel());
  SingleRun::begin(hyper, key);
  for (Pair& pair : pairs_) {
    pair = {run_, run_, hyper.zeros(), hyper.zeros(), hyper.zeros(), 0};
  }
  noise_key_ = key.fold("perturbations");
  windows_ = age_ = 0;
  open_ = false;
}

bool Evolution::reseed(const Key& key) {
  noise_key_ = key;
  return true;
}

double Evolution::loss(const ParameterSet& weights, const ParameterSet& hyper,
                       const Draw& draw) const {
  if (metric_.empty()) {
    return problem()
        .valid_loss(weights.detach(), hyper.detach(), draw)
        .item<double>();
  }
  const Metrics metrics =
      problem().evaluate(problem().deployed(weights, hyper), hyper);
  const auto found = metrics.find(metric_);
  require(found != metrics.end(), "there is no metric '{}'", metric_);
  return to_minimize(metric_, found->second);
}

std::pair<TrainState, Estimate> Evolution::unperturbed(
    const ParameterSet& hyper) const {
  if (!with_slope()) {
    const TrainState end = run_.unroll(hyper, Tape::kOff);
    return {end, {hyper.zeros(), loss(end.weights, hyper, draw_)}};
  }
  const ParameterSet h = hyper.leaves();
  const TrainState end = run_.unroll(h, Tape::kOn);
  const Tensor value = problem().valid_loss(end.weights, h, draw_);
  return {end.detach(), {gradient(value, h), value.item<double>()}};
}

Estimate Evolution::estimate(const ParameterSet& hyper) {
  if (!open_) {
    const bool fresh = run_.window_start(hyper).first.step == 0;
    if (fresh) age_ = 0;
    earlier_draw_ = draw_;
    const Key key = noise_key_.fold(static_cast<std::uint64_t>(windows_++));
    for (std::size_t m = 0; m < pairs_.size(); ++m) {
      Pair& pair = pairs_[m];
      if (fresh) {
        pair.score = pair.earlier = hyper.zeros();
        pair.difference = 0;
      }
      open(pair, age_, sigma_ * key.fold(m).normal(hyper));
    }
    open_ = true;
  }

  before_ = run_;
  draw_ = run_.draw("valid");
  auto [end, out] = unperturbed(hyper);
  const ParameterSet slope = out.gradient;
  ParameterSet sum = hyper.zeros();
  std::vector<double> losses, differences;
  std::vector<std::pair<TrainState, TrainState>> ends;
  for (Pair& pair : pairs_) {
    const ParameterSet up = hyper + pair.noise, down = hyper - pair.noise;
    ends.emplace_back(pair.up.unroll(up, Tape::kOff),
                      pair.down.unroll(down, Tape::kOff));
    const double above = loss(ends.back().first.weights, up, draw_);
    const double below = loss(ends.back().second.weights, down, draw_);
    differences.push_back(above - below);
    if (!std::isfinite(above) || !std::isfinite(below) ||
        !std::isfinite(pair.difference)) {
      continue;
    }
    losses.insert(losses.end(), {above, below});
    sum = sum + contribution(pair, above - below, slope);
  }
  const auto kept = static_cast<double>(losses.size());
  const double lost = 2.0 * static_cast<double>(pairs_.size()) - kept;
  out.metrics["particles_lost"] = lost;
  if (losses.empty()) {
    out.status = Status::kDiverged;
    out.trouble = "the losses of all particles are not finite";
    return out;
  }
  const double deviation =
      at::tensor(losses, at::kDouble).std(0, /*unbiased=*/false).item<double>();
  out.metrics["loss_deviation"] = deviation;
  // Divided by the number of pairs, and 2 sigma^2.
  out.gradient = (1 / (kept * sigma_ * sigma_)) * sum;
  if (with_slope()) out.gradient = out.gradient + slope;
  if (normalized_ && deviation > 0) {
    out.gradient = (sigma_ / deviation) * out.gradient;
  }

  if (run_.finish_turn(end)) {
    open_ = false;
    ++age_;
  }
  for (std::size_t m = 0; m < pairs_.size(); ++m) {
    pairs_[m].up.finish_turn(ends[m].first);
    pairs_[m].down.finish_turn(ends[m].second);
    if (!open_) {
      pairs_[m].earlier = pairs_[m].score;
      pairs_[m].difference = differences[m];
    }
  }
  return out;
}

Objective Evolution::of_window() const {
  return [this](const ParameterSet& hyper) {
    const ParameterSet h = hyper.detach();
    return loss(before_.unroll(h, Tape::kOff).weights, h, draw_);
  };
}

Objective Evolution::of_run() const {
  return [this](const ParameterSet& hyper) {
    const auto [start, key] = before_.window_start(hyper.detach());
    return loss(trained(start.step + before_.length(), hyper, key), hyper,
                draw_);
  };
}

Objective Evolution::of_run_before() const {
  return [this](const ParameterSet& hyper) {
    const auto [start, key] = before_.window_start(hyper.detach());
    if (start.step == 0) return 0.0;
    return loss(trained(start.step, hyper, key), hyper, earlier_draw_);
  };
}

Footprint Evolution::footprint() const {
  const std::int64_t window = run_.truncation().window;
  const auto runs = 1 + 2 * static_cast<std::int64_t>(pairs_.size());
  const std::int64_t taped = with_slope() ? window : 0;
  return {window * runs, taped, taped, runs};
}

void Evolution::Pair::persist(Archive& archive) {
  archive("up", up);
  archive("down", down);
  archive("noise", noise);
  archive("score", score);
  archive("earlier", earlier);
  archive("difference", difference);
}

void Evolution::persist(Archive& archive) {
  SingleRun::persist(archive);
  archive("noise_key", noise_key_);
  archive("windows", windows_);
  archive("age", age_);
  archive("open", open_);
  for (std::size_t m = 0; m < pairs_.size(); ++m) {
    archive(fmt::format("pair_{}", m), pairs_[m]);
  }
}

}  // namespace nestgrad
