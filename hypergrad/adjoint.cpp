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
                 const ParameterSet& hyper, const TrainState& end,
                 const Partials& loss)
    : loop_(loop),
      run_(run),
      hyper_(hyper),
      state_(TrainState{loss.weights, end.slots.zeros(), end.step}.joined()),
      gradient_(loss.hyper) {}

void Adjoint::through(const ParameterSet& weights, std::int64_t step,
                      const Slots& slots) {
  const ParameterSet h = hyper_.leaves();
  TrainState s{weights.leaves(), {}, step};
  const ParameterSet g = loop_.train_gradient(s, h, run_, Tape::kOn);
  s.slots = slots(g.detach()).leaves();
  pull(loop_.apply(s, g, h), s, h);
}

void Adjoint::pull(const TrainState& end, const TrainState& start,
                   const ParameterSet& hyper) {
  const ParameterSet s = start.joined();
  ParameterSet both = s;
  both.append("hyper/", hyper);
  const ParameterSet pulled =
      vjp(end.joined(), both, state_, Tape::kOff, Graph::kConsume);
  gradient_ = gradient_ + pulled.subset("hyper/");
  state_ = part(pulled, 0, s);
}

void Adjoint::through(const ParameterSet& initial_weights,
                      const ParameterSet& hyper) {
  gradient_ =
      gradient_ + vjp(initial_weights, hyper, part(state_, 0, initial_weights));
}

}  // namespace nestgrad
