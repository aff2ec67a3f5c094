#include "hypergrad/unrolled/metagradients.h"

#include <algorithm>
#include <string>

#include "core/platform/error.h"
#include "core/tensor/autodiff.h"

namespace nestgrad {

Metagradients::Metagradients(const TrainingLoop& loop, AttributionTask task,
                             const CheckpointSchedule& schedule)
    : loop_(loop), task_(std::move(task)), schedule_(schedule) {}

bool Metagradients::advance() {
  if (!begun_) {
    begun_ = true;
    const std::int64_t segments =
        (task_.steps + schedule_.segment - 1) / schedule_.segment;
    kept_.push_back({loop_.start(task_.hyper, task_.run).detach(), segments,
                     schedule_.states - 1});
    return true;
  }
  if (kept_.empty()) return false;
  Kept& last = kept_.back();
  if (last.segments == 1) {
    back_through(last.state);
    kept_.pop_back();
  } else if (last.states == 0) {
    back_through(trained(last.state, last.segments - 1));
    --last.segments;
  } else {
    const std::int64_t m = next_checkpoint(last.segments, last.states);
    Kept next{trained(last.state, m), last.segments - m, last.states - 1};
    last.segments = m;
    kept_.push_back(std::move(next));
  }
  return true;
}

TrainState Metagradients::trained(const TrainState& from,
                                  std::int64_t segments) {
  const std::int64_t steps = segments * schedule_.segment;
  steps_made_ += steps;
  return loop_.steps(from, steps, task_.hyper, task_.run);
}

void Metagradients::back_through(const TrainState& start) {
  const std::int64_t steps =
      std::min(schedule_.segment, task_.steps - start.step);
  const TapedSteps taped(loop_, start, steps, task_.hyper, task_.run);
  if (adjoints_.empty()) begin_back(taped.end.detach());
  for (std::size_t i = 0; i < adjoints_.size(); ++i) {
    const bool is_last = i + 1 == adjoints_.size();
    adjoints_[i].through(taped, is_last ? Graph::kConsume : Graph::kKeep);
  }
  steps_made_ += steps;
}

void Metagradients::begin_back(const TrainState& end) {
  require(all_finite(end.weights),
          "training has led to weights that are not "
          "finite");
  for (std::size_t i = 0; i < task_.functions.size(); ++i) {
    const ParameterSet s = end.joined().leaves(), h = task_.hyper.leaves();
    const Partials f = partials(at_end(task_, loop_, i, end.with(s), h), s, h);
    values_[std::to_string(i)] = f.loss;
    adjoints_.emplace_back(loop_, task_.run, task_.hyper, f);
  }
}

double Metagradients::done() const {
  const std::int64_t all = schedule_.steps_off_tape(task_.steps) + task_.steps;
  return static_cast<double>(steps_made_) / static_cast<double>(all);
}

std::vector<double> Metagradients::values() const {
  std::vector<double> out;
  for (std::size_t i = 0; i < adjoints_.size(); ++i) {
    out.push_back(values_.at(std::to_string(i)));
  }
  return out;
}

std::vector<ParameterSet> Metagradients::gradients() const {
  std::vector<ParameterSet> out;
  for (const Adjoint& adjoint : adjoints_) {
    out.push_back(adjoint.gradient());
    require(all_finite(out.back()), "a derivative is not finite");
  }
  return out;
}

Footprint Metagradients::footprint() const {
  return {schedule_.steps_off_tape(task_.steps) + task_.steps, task_.steps,
          schedule_.segment, schedule_.states};
}

void Metagradients::persist(Archive& archive) {
  archive("begun", begun_);
  archive("kept", kept_);
  auto adjoints = static_cast<std::int64_t>(adjoints_.size());
  archive("adjoints", adjoints);
  for (std::int64_t i = 0; i < adjoints; ++i) {
    if (archive.restoring()) {
      adjoints_.emplace_back(loop_, task_.run, task_.hyper, Partials{});
    }
    archive("adjoint/" + std::to_string(i),
            adjoints_[static_cast<std::size_t>(i)]);
  }
  archive("values", values_);
  archive("steps_made", steps_made_);
}

void Metagradients::Kept::persist(Archive& archive) {
  archive("state", state);
  archive("segments", segments);
  archive("states", states);
}

}  // namespace nestgrad
