#include "hypergrad/window_loss.h"

#include <ATen/ATen.h>

#include "core/particles.h"

namespace nestgrad {
namespace {

constexpr const char* kObjective = "objective";

}  // namespace

Schema WindowLoss::key() {
  return Schema("What a window of training is judged by.")
      .choice(kObjective, "last",
              "What of a window is made small: the validation loss at its end "
              "(last), or the mean or the sum of the losses after each of its "
              "steps.",
              {"last", "mean", "sum"});
}

WindowLoss::WindowLoss(const Config& section) : form_(Form::kLast) {
  if (!section.has(kObjective)) return;
  const std::string form = section.text(kObjective);
  if (form == "mean") form_ = Form::kMean;
  if (form == "sum") form_ = Form::kSum;
}

TrainingLoop WindowLoss::loop(const TrainingLoop& loop,
                              const Truncation& cut) const {
  return at_end() ? loop : loop.summing_losses(cut.window);
}

Tensor WindowLoss::operator()(const BilevelProblem& problem,
                              const TrainState& end, const ParameterSet& hyper,
                              const Draw& draw, std::int64_t steps) const {
  if (at_end()) return valid_losses(problem, end.weights, hyper, draw);
  const Tensor& sum = end.slots.at(TrainingLoop::kLossSum);
  return form_ == Form::kMean ? sum / static_cast<double>(steps) : sum;
}

}  // namespace nestgrad
