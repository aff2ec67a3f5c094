#include "hypergrad/adjoint.h"

namespace nestgrad {

Adjoint::Adjoint(const TrainingLoop& loop, const Key& run,
                 const ParameterSet& hyper, const TrainState& end,
                 const Partials& loss)
    : loop_(loop),
      run_(run),
      hyper_(hyper),
      state_(TrainState{loss.weights, end.slots.zeros(), end.step}.joined()),
      gradient_(loss.hyper) {}

void Adjoint::through(const TrainState& start, std::int64_t steps) {
  const ParameterSet s = start.joined().leaves(), h = hyper_.leaves();
  TrainState end = start.with(s);
  for (std::int64_t i = 0; i < steps; ++i) {
    end = loop_.step(end, h, run_, Tape::kOn);
  }
  ParameterSet both = s;
  both.append("hyper/", h);
  const ParameterSet pulled =
      vjp(end.joined(), both, state_, Tape::kOff, Graph::kConsume);
  gradient_ = gradient_ + pulled.subset("hyper/");
  const std::vector<Tensor>& all = pulled.tensors();
  state_ = s.with(
      {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(s.size())});
}

void Adjoint::through(const ParameterSet& initial_weights,
                      const ParameterSet& hyper) {
  const std::vector<Tensor>& all = state_.tensors();
  const ParameterSet a = initial_weights.with(
      {all.begin(),
       all.begin() + static_cast<std::ptrdiff_t>(initial_weights.size())});
  gradient_ = gradient_ + vjp(initial_weights, hyper, a);
}

}  // namespace nestgrad
