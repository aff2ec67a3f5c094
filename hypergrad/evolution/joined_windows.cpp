#include "hypergrad/evolution/joined_windows.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/particles.h"

namespace nestgrad {
namespace {

std::int64_t rows(std::int64_t particles) {
  return std::max<std::int64_t>(particles, 1);
}

/// One set of all parts, whose first axis are their particles. `of`: the set of
/// a part.
template <class F>
ParameterSet rows_of(const std::vector<JoinedWindows::Part>& parts, F&& of) {
  std::vector<ParameterSet> sets;
  for (const JoinedWindows::Part& part : parts) {
    const ParameterSet& set = of(part);
    sets.push_back(part.window.start.particles > 0 ? set : repeated(set, 1));
  }
  return concatenated(sets);
}

/// The inverse: the set of the part with `particles`, from row `first` on. That
/// of a single run is a copy: a view of it would keep all rows in memory.
ParameterSet of_rows(const ParameterSet& all, std::int64_t first,
                     std::int64_t particles) {
  return particles > 0 ? particles_of(all, first, particles)
                       : particle(all, first).clone();
}

}  // namespace

JoinedWindows::JoinedWindows(std::vector<Part> parts,
                             std::size_t parts_of_run) {
  const TrainingWindow& first = parts.front().window;
  std::vector<Runs::Group> runs;
  std::vector<Draw> draws;
  std::int64_t particles = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const TrainingWindow& window = parts[i].window;
    particles_.push_back(window.start.particles);
    particles += rows(window.start.particles);
    if (i % parts_of_run != 0) continue;
    runs.push_back({window.runs.first(), window.start.step - first.start.step});
    draws.push_back(window.draw);
  }
  TrainingWindow& out = joined_.window;
  out = {{{}, {}, first.start.step, particles},
         first.steps,
         Runs(std::move(runs)),
         first.draw};
  if (draws.size() > 1) {
    for (Draw& draw : draws) {
      draw.particles = particles / static_cast<std::int64_t>(draws.size());
    }
    out.draw.groups = std::make_shared<std::vector<Draw>>(std::move(draws));
  }
  out.start.weights = rows_of(parts, [](const Part& p) -> const ParameterSet& {
    return p.window.start.weights;
  });
  out.start.slots = rows_of(parts, [](const Part& p) -> const ParameterSet& {
    return p.window.start.slots;
  });
  joined_.hyper = rows_of(
      parts, [](const Part& p) -> const ParameterSet& { return p.hyper; });
}

std::vector<EvolutionObjective::Outcome> JoinedWindows::cut(
    const EvolutionObjective::Outcome& outcome) const {
  const std::vector<Runs::Group>& runs = joined_.window.runs.groups();
  const std::size_t parts_of_run = particles_.size() / runs.size();
  std::vector<EvolutionObjective::Outcome> out;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < particles_.size(); ++i) {
    const std::int64_t n = particles_[i];
    out.push_back(
        {{of_rows(outcome.end.weights, first, n),
          of_rows(outcome.end.slots, first, n),
          outcome.end.step + runs[i / parts_of_run].ahead, n},
         n > 0 ? outcome.losses.narrow(0, first, n) : outcome.losses[first]});
    first += rows(n);
  }
  return out;
}

}  // namespace nestgrad
