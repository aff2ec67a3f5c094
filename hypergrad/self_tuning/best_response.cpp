#include "hypergrad/self_tuning/best_response.h"

#include <ATen/ATen.h>

#include <cmath>
#include <set>

namespace nestgrad {
namespace {

constexpr const char* kRho = "rho";

Schema perturbation_schema() {
  return Schema("The noise that hyperparameters are trained and judged with.")
      .number("initial", 0.5,
              "Its standard deviation at the start, in the coordinates in "
              "which hyperparameters are tuned.",
              above(0))
      .boolean("learned", true,
               "Whether the deviations follow the validation loss; otherwise "
               "they stay, and validation is without noise.")
      .number("entropy", 1e-3,
              "Weight tau of the entropy of the noise, which keeps learned "
              "deviations from shrinking to zero.",
              at_least(0))
      .object("rule", OptimizerRegistry::instance(),
              Json{{"type", "adam"}, {"lr", 0.003}},
              "The rule that moves learned deviations.");
}

}  // namespace

Schema BestResponse::common_keys() {
  return HyperLimit::add_key(
      Schema("Keys of the methods that learn a best response.")
          .object("response", ResponseRegistry::instance(), "rows",
                  "How weights may answer the hyperparameters.")
          .section(
              "perturbation", perturbation_schema(), Json::object(),
              "The noise that hyperparameters are trained and judged with.")
          .also(warm_up_schema())
          .boolean("per_example", true,
                   "Whether each example of a minibatch has its own "
                   "perturbation, if the model and the response allow it. "
                   "Recurrent layers take less time without.")
          .integer("draws", 1,
                   "How many perturbations a loss is averaged over where "
                   "examples do not have one each.",
                   at_least(1)),
      1000,
      "; the response has a number for each of them and each row of the "
      "weights.");
}

BestResponse::BestResponse(const Config& config, const TrainingLoop& loop,
                           std::shared_ptr<ResponseProblem> problem)
    : SingleRun(config, loop.of(problem)),
      response_(std::move(problem)),
      warm_up_(read_warm_up(config)),
      limit_(config) {
  const Config noise = config.object("perturbation");
  initial_ = noise.number("initial");
  learned_ = noise.boolean("learned");
  entropy_ = noise.number("entropy");
  rule_ = OptimizerRegistry::instance().make(noise.object("rule"));

  std::set<std::string> of_losses;
  for (const Hyperparameter& h : loop.problem()->hyperparameters()) {
    of_losses.insert(h.name);
  }
  const ParameterSet hyper = loop.problem()->initial_hyper();
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    if (of_losses.count(hyper.name(i)) > 0) continue;
    config.fail("type", fmt::format("{} cannot tune '{}', a setting of the "
                                    "training rule: there is no best response "
                                    "to it; make it a constant",
                                    config.type(), hyper.name(i)));
  }
}

std::shared_ptr<const Response> BestResponse::response(const Config& config) {
  return ResponseRegistry::instance().make(config.object("response"));
}

Tensor BestResponse::deviation() const {
  return at::softplus(rho_.weights.at(kRho));
}

ParameterSet BestResponse::extended(const ParameterSet& hyper,
                                    const Tensor& deviation) const {
  ParameterSet out = hyper;
  out.insert(ResponseProblem::kDeviation, deviation);
  return out;
}

void BestResponse::begin(const ParameterSet& hyper, const Key& key) {
  limit_.check(hyper);
  // The inverse of softplus.
  const double rho = initial_ + std::log(-std::expm1(-initial_));
  const ParameterSet start{{kRho, at::full_like(hyper.flatten(), rho)}};
  rho_ = {start, rule_->slots(start), 0};
  warm_ = false;
  run_.begin(extended(hyper, deviation()), key);
}

Estimate BestResponse::estimate(const ParameterSet& hyper) {
  const ParameterSet now = extended(hyper, deviation());
  if (!warm_) {
    train_windows(warm_up_, now);
    warm_ = true;
  }
  run_.advance(now);
  last_ = now;

  const ParameterSet h = hyper.leaves(), rho = rho_.weights.leaves();
  const Tensor s =
      learned_ ? at::softplus(rho.at(kRho)) : at::zeros_like(rho.at(kRho));
  const Tensor loss = response_->valid_loss(run_.state().weights.detach(),
                                            extended(h, s), run_.draw("valid"));
  const Partials partial =
      partials(learned_ ? loss - entropy_ * s.log().sum() : loss, rho, h);
  if (learned_) rho_ = rule_->step(rho_, partial.weights, ParameterSet());

  Estimate out{partial.hyper, Number(loss)};
  std::vector<Number> means;
  for (const Tensor& t : hyper.unflatten(deviation()).tensors()) {
    means.emplace_back(t.mean());
  }
  for (std::size_t i = 0; i < hyper.size(); ++i) {
    out.metrics["deviation." + hyper.name(i)] = means[i];
  }
  return out;
}

ParameterSet BestResponse::weights(const ParameterSet& hyper) const {
  return run_.deployed(extended(hyper, deviation()));
}

void BestResponse::persist(Archive& archive) {
  SingleRun::persist(archive);
  archive("warm", warm_);
  archive("rho", rho_);
}

Objective BestResponse::claim() const {
  return [this](const ParameterSet& hyper) {
    const Tensor centre = last_->flatten().narrow(0, 0, hyper.numel());
    const Tensor s = last_->at(ResponseProblem::kDeviation);
    return response_
        ->valid_loss_around(
            centre, run_.state().weights.detach(),
            extended(hyper.detach(), learned_ ? s : at::zeros_like(s)),
            run_.draw("valid"))
        .item<double>();
  };
}

bool BestResponse::reseed(const Key& key) {
  response_->reseed(key);
  return true;
}

}  // namespace nestgrad
