#include "hypergrad/adjoint.h"

#include "core/tensor/part.h"

namespace nestgrad {

TapedSteps::TapedSteps(const TrainingLoop& loop, const TrainState& from,
                       std::int64_t steps, const ParameterSet& h,
                       const Key& run)
    : hyper(h.leaves()),
      start(from.with(from.joined().leaves())),
      end(loop.steps(start, steps, hyper, run, Tape::kOn)) {}

Adjoint::Adjoint(const TrainingLoop& loop, const Key& run,
                 const ParameterSet& hyper, const Partials& loss)
    : loop_(loop),
      run_(run),
      hyper_(hyper),
      state_(loss.weights),
      gradient_(loss.hyper) {}

void Adjoint::through(const ParameterSet& weights, std::int64_t step,
                      const Slots& slots) {
  const ParameterSet h = hyper_.leaves();
  TrainState s{weights.leaves(), {}, step};
  const ParameterSet g = loop_.train_gradient(s, h, run_, Tape::kOn);
  s.slots = slots(g.detach()).leaves();
  take(pulled(loop_.apply(s, g, h, run_), s, h, state_));
}

Adjoint::Pulled Adjoint::pulled(const TrainState& end, const TrainState& start,
                                const ParameterSet& hyper,
                                const ParameterSet& a, Graph graph) {
  const ParameterSet s = start.joined();
  ParameterSet both = s;
  both.append("hyper/", hyper);
  const ParameterSet out =
      vjp(end.joined(), both, a, Tape::kOff, graph);
  return {part(out, 0, s), out.subset("hyper/")};
}

void Adjoint::through(const TrainState& start, std::int64_t steps) {
  const auto back = [&](const ParameterSets& x) -> ParameterSets {
    const TapedSteps taped(loop_, {x[0], x[1], start.step, start.particles},
                           steps, x[2], run_);
    const Pulled out = pulled(taped.end, taped.start, taped.hyper, x[3]);
    return {out.state, out.hyper};
  };
  const ParameterSets x = {start.weights, start.slots, hyper_, state_};
  const bool recorded =
      loop_.replays() && steps <= TrainingLoop::kLongestReplay;
  const ParameterSets out =
      recorded ? (*loop_.replays())("back " + loop_.name(start, steps, run_),
                                    back, x)
               : back(x);
  take({out[0], out[1]});
}

void Adjoint::through(const ParameterSet& initial_weights,
                      const ParameterSet& hyper) {
  gradient_ =
      gradient_ + vjp(initial_weights, hyper, part(state_, 0, initial_weights));
}

}  // namespace nestgrad
