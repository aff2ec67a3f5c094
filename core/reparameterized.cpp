#include "core/hyper_space.h"
#include "core/particles.h"

namespace nestgrad {
namespace {

/// The start in unconstrained coordinates, with memory for every element.
Tensor unconstrained(const HyperSpec& spec, const Tensor& natural) {
  return spec.coordinates.unconstrained(natural.contiguous());
}

}  // namespace

Reparameterized::Reparameterized(std::shared_ptr<const BilevelProblem> problem,
                                 std::vector<HyperSpec> space)
    : ProblemDecorator(std::move(problem)), space_(std::move(space)) {
  for (const HyperSpec& spec : space_) initial_.insert(spec.name, spec.initial);
}

ParameterSet Reparameterized::initial_hyper() const {
  ParameterSet hyper;
  for (const HyperSpec& spec : space_) {
    if (spec.tuned) {
      hyper.insert(spec.name, unconstrained(spec, spec.initial));
    }
  }
  return hyper;
}

ParameterSet Reparameterized::natural(const ParameterSet& hyper) const {
  // If each example has its own hyperparameters, constants are repeated.
  std::int64_t examples = 0;
  for (const HyperSpec& spec : space_) {
    if (!spec.tuned) continue;
    const Tensor& h = hyper.at(spec.name);
    if (h.dim() > spec.initial.dim()) examples = h.size(0);
  }
  std::vector<Tensor> natural;
  natural.reserve(space_.size());
  for (const HyperSpec& spec : space_) {
    if (spec.tuned) {
      natural.push_back(spec.coordinates.natural(hyper.at(spec.name)));
    } else {
      natural.push_back(examples == 0 ? spec.initial
                                      : repeated(spec.initial, examples));
    }
  }
  return initial_.with(std::move(natural));
}

std::vector<std::pair<std::string, ParameterSet>> Reparameterized::baselines()
    const {
  auto out = ProblemDecorator::baselines();
  for (auto& [name, natural] : out) {
    ParameterSet hyper;
    for (const HyperSpec& spec : space_) {
      if (!spec.tuned) continue;
      const Tensor value =
          natural.contains(spec.name) ? natural.at(spec.name) : spec.initial;
      hyper.insert(spec.name, unconstrained(spec, value));
    }
    natural = hyper;
  }
  return out;
}

}  // namespace nestgrad
